# The specification line by line: mounting a blob of another repository.

use Test::Registry;

my $r = Test::Registry->new;
my $bytes = bytes('mounted', 4000);
my @digests = (sha256($bytes), sha512sum($bytes));
$r->push_blob('from/here', $bytes, digest => $_) for @digests;


sub mount {
    my ($repo, $query) = @_;

    return $r->request('POST', "/v2/$repo/blobs/uploads/?$query",
        body => '');
}

sub uploads_ok {
    my ($a, $repo, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($a->{status}, 202, "$title is 202") or diag($a);
    like($a->header('location'), qr{^/v2/$repo/blobs/uploads/},
        "$title: Location of a session");
    is($r->request('PUT', with_digest($a->header('location'),
        sha256('sent')), body => 'sent')->{status}, 201,
        "$title: which can be finished");
}

for my $digest (@digests) {
    my ($alg) = $digest =~ /^(\w+)/;
    for my $time ('present there', 'in the target already') {
        my $a = mount("to/$alg", "mount=$digest&from=from/here");
        is($a->{status}, 201, "46: $alg, $time, is 201") or diag($a);
        is($a->header('location'), "/v2/to/$alg/blobs/$digest",
            "46: $alg: Location is exactly the blob's");
        is($a->header('docker-content-digest'), $digest,
            "46: $alg: Docker-Content-Digest");
        ok($r->request('GET', $a->header('location'))->{body} eq $bytes,
            "46: $alg: it can be pulled");
    }

    my $a = mount("any/$alg", "mount=$digest");
    is($a->{status}, 201, "48: $alg without from is 201") or diag($a);
    ok($r->request('GET', $a->header('location'))->{body} eq $bytes,
        "48: $alg: it can be pulled");
}

uploads_ok(mount('to/a', 'mount=' . sha256('no') . '&from=from/here'),
    'to/a', '47: a blob that is not there');
uploads_ok(mount('to/a', 'mount=' . sha256('no')), 'to/a',
    '47: a blob that is nowhere, without from');
uploads_ok(mount('to/a', "mount=$digests[0]&from=un/known"), 'to/a',
    '50: an unknown from');
like(mount('to/a', 'mount=junk&from=from/here')->{status}, qr/^(?:400|202)$/,
    '50: a junk digest is 400 or 202');

$r->expect(202, 'DELETE', "/v2/from/here/blobs/$digests[0]");
ok($r->request('GET', "/v2/to/sha256/blobs/$digests[0]")->{body} eq $bytes,
    '49: a delete in one repository leaves the blob in the other');

done_testing;
