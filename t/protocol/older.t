# The specification line by line: what the older conformance suite (v1.1.1)
# asks for and the newer one does not (conformance.md, 5).

use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });


# ---- errors

my $a = $r->request('GET', '/v2/a/manifests/sha256:totallywrong');
error_is($a, 400, 'DIGEST_INVALID',
    '5: a digest that is none is 400 with a code of the list');
ok(length(($a->errors)[0]{message}), '5: and a message');


# ---- chunks: the offset is the session's, not the Location's

my ($one, $two) = (bytes('one', 3000), bytes('two', 2000));
my $first = $r->start_upload('a');
my @chunk = (headers => ['Content-Range' => '0-2999'], body => $one);

$a = $r->request('PATCH', $first, @chunk);
is($a->{status}, 202, '5: the first chunk') or diag($a);
is($a->header('range'), '0-2999', '5: Range is the range that was sent');
my $location = $a->header('location');

is($r->request('PATCH', $first, @chunk)->{status}, 416,
    '5: the first chunk again, to the first Location, is 416');
is($r->request('PATCH', $location, @chunk)->{status}, 416,
    '5: and so it is to the present one');

$a = $r->request('GET', $first);
is($a->{status}, 204, '5: GET of a stale Location is 204') or diag($a);
is($a->header('range'), '0-2999', '5: with the Range of today');
is(uuid_of($a->header('location')), uuid_of($location),
    '5: and the Location of today');

$a = $r->request('PATCH', $first, body => $two,
    headers => ['Content-Range' => '3000-4999']);
is($a->{status}, 202, '5: a stale Location keeps working') or diag($a);
is($a->header('range'), '0-4999', '5: Range has all that came');

my $digest = sha256($one . $two);
$a = $r->request('PUT', with_digest($first, $digest), body => '');
is($a->{status}, 201, '5: to the end') or diag($a);
is($r->request('GET', $a->header('location'))->{body}, $one . $two,
    '5: and the blob is whole');


# ---- mounts

$a = $r->request('POST', "/v2/b/blobs/uploads/?mount=$digest&from=a",
    body => '');
is($a->{status}, 201, '5: a mount') or diag($a);
is($a->header('location'), "/v2/b/blobs/$digest",
    '5: Location is exactly the blob\'s');

$a = $r->request('POST', '/v2/b/blobs/uploads/?mount=' . sha256('unknown'),
    body => '');
is($a->{status}, 202, '5: a mount of what nobody has, without from')
    or diag($a);
like($a->header('location'), qr{^/v2/b/blobs/uploads/[^/]+$},
    '5: is an upload');


# ---- tags

my @tags = map { "tag$_" } 0 .. 7;
my $image = $r->push_image('tags', $tags[0]);
$r->push_manifest('tags', $_, $image->{bytes}) for @tags[1 .. 7];
my $other = $r->push_image('tags', 'other');

$a = $r->request('GET', '/v2/tags/tags/list');
my @all = @{ $a->json->{tags} };
is(scalar @all, 9, '5: all tags');
my $half = int(@all / 2);
is_deeply($r->request('GET', "/v2/tags/tags/list?n=$half")->json->{tags},
    [@all[0 .. $half - 1]], '5: n is how many there are');
$a = $r->request('GET', "/v2/tags/tags/list?n=$half&last=$all[$half - 1]");
is($a->{status}, 200, '5: n and last');
is_deeply($a->json->{tags}, [@all[$half .. 2 * $half - 1]],
    '5: go on where the last page ended');


# ---- referrers

my %annotations = ('org.opencontainers.conformance' => 'test');
my $subject = { %{ descriptor($TYPE{oci}, $image->{bytes}) } };
my @artifacts;

sub artifact {
    my ($n, $type, $of) = @_;

    my $bytes = json(image_manifest(config => '{}', more => {
        $type ? (artifactType => $type) : (), subject => $of,
        annotations => { %annotations, n => "$n" } }));
    $a = $r->request('PUT', '/v2/tags/manifests/' . sha256($bytes),
        body => $bytes, headers => ['Content-Type' => $TYPE{oci}]);
    is($a->{status}, 201, "5: artifact $n") or diag($a);
    is($a->header('oci-subject'), $of->{digest}, '5: names its subject');

    return sha256($bytes);
}

sub referrers {
    my ($digest, $query) = @_;

    $a = $r->request('GET', "/v2/tags/referrers/$digest" . ($query // ''));
    is($a->{status}, 200, '5: referrers');

    return @{ $a->json->{manifests} };
}

$r->push_blob('tags', '{}');
push @artifacts, artifact($_, 'application/vnd.test.a', $subject) for 1 .. 2;
push @artifacts, artifact($_, 'application/vnd.test.b', $subject) for 3 .. 5;

my %found = map { $_->{digest} => $_ } referrers($subject->{digest});
is_deeply([sort keys %found], [sort @artifacts], '5: five, exactly');
is_deeply($found{ $artifacts[$_ - 1] }{annotations},
    { %annotations, n => "$_" }, "5: $_ has exactly its annotations")
    for 1 .. 5;
is(scalar referrers($subject->{digest},
    '?artifactType=application%2Fvnd.test.a'), 2, '5: two of them filtered');
is($a->header('oci-filters-applied'), 'artifactType', '5: and it says so');

my $missing = descriptor($TYPE{oci}, 'not there');
artifact(6, 'application/vnd.test.a', $missing);
is(scalar referrers($missing->{digest}), 1, '5: of a subject that is missing');


# ---- deletes

is($r->request('DELETE', "/v2/tags/manifests/$image->{digest}")->{status},
    202, '5: a manifest is deleted');
is(scalar @{ $r->request('GET', '/v2/tags/tags/list')->json->{tags} }, 1,
    '5: and its tags are gone');
is($r->request('DELETE', "/v2/a/blobs/$digest")->{status}, 202,
    '5: a blob is deleted');
is($r->request('GET', "/v2/a/blobs/$digest")->{status}, 404,
    '5: and is 404 then');

fsck_ok($r, 'the tree is sound');
done_testing;
