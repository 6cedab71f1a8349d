# The specification line by line: pushing manifests.

use Test::Registry;

my $r = Test::Registry->new;
my $empty = '{}';
$r->push_blob('a', $empty);
$r->push_blob('a', $empty, digest => sha512sum($empty));


sub put {
    my ($reference, $bytes, $type, @more) = @_;

    return $r->request('PUT', "/v2/a/manifests/$reference", body => $bytes,
        headers => [defined $type ? ('Content-Type' => $type) : ()], @more);
}

sub taken {
    my ($reference, $bytes, $type, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $a = put($reference, $bytes, $type);
    is($a->{status}, 201, $title) or diag($a);
    my $get = $r->request('GET', $a->header('location') // '/v2/');
    ok($get->{body} eq $bytes, "$title: Location has the same bytes");
    is($get->header('content-type'), $type, "$title: and the type");
    return $a;
}


# ---- 51, 52

my $bytes = qq({ "layers": [],\n"x-own": {"b": 1, "a": 2}, "schemaVersion": 2,)
    . qq("mediaType":"$TYPE{oci}","config":{"mediaType":"$TYPE{config}",)
    . qq("size":2,"digest":"@{[sha256($empty)]}","data":"e30="} } \n\n);
for my $reference ('v1', sha256($bytes), sha512sum($bytes)) {
    my $a = taken($reference, $bytes, $TYPE{oci},
        '51: PUT by ' . ($reference =~ /^(\w+)/)[0]);
    is($a->header('docker-content-digest'),
        $reference =~ /:/ ? $reference : sha256($bytes),
        '51: Docker-Content-Digest');
}
error_is(put(sha256('other'), $bytes, $TYPE{oci}), 400, 'DIGEST_INVALID',
    '52: a digest that is not the body\'s is 400 DIGEST_INVALID');


# ---- 53

for my $type (qw(oci docker)) {
    taken("type-$type", json(image_manifest(type => $type)), $TYPE{$type},
        "53: $TYPE{$type}");
}
for my $type (qw(oci_index list)) {
    taken("type-$type", json(index_manifest(type => $type)), $TYPE{$type},
        "53: $TYPE{$type}");
}
my $image = json(image_manifest());
is(put('v2', $image, "$TYPE{oci}; charset=utf-8")->{status}, 201,
    '53: parameters of Content-Type are ignored');
is($r->request('GET', '/v2/a/manifests/v2')->header('content-type'),
    $TYPE{oci}, '53: and not kept');
error_is(put('v2', $image, $TYPE{docker}), 400, 'MANIFEST_INVALID',
    '53: mediaType unlike Content-Type is 400 MANIFEST_INVALID');
is(put('v2', $image)->{status}, 201,
    '53: without Content-Type the mediaType counts');
my $bare = image_manifest();
delete $bare->{mediaType};
error_is(put('v2', json($bare)), 400, 'MANIFEST_INVALID',
    '53: without either it is 400 MANIFEST_INVALID');


# ---- 54

my %more = (
    'layers: []'         => image_manifest(),
    'an artifact with the empty config' => image_manifest(more => {
        artifactType => 'application/x.test',
        config => { mediaType => 'application/vnd.oci.empty.v1+json',
            digest => sha256($empty), size => 2 } }),
    'config == layer'    => image_manifest(layers => [$empty]),
    'a nondistributable layer' => image_manifest(more => { layers => [{
        mediaType =>
            'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        digest => sha256('elsewhere'), size => 9,
        urls => ['https://example.com/layer'] }] }),
    'a subject that does not exist' => image_manifest(more => {
        subject => descriptor($TYPE{oci}, 'nothing') }),
    'blobs by sha512'    => image_manifest(more => { config => {
        mediaType => $TYPE{config}, digest => sha512sum($empty), size => 2 }
    }),
);
for my $what (sort keys %more) {
    taken('more', json($more{$what}), $TYPE{oci}, "54: $what");
}
my $inner = json(index_manifest());
taken('inner', $inner, $TYPE{oci_index}, '54: manifests: []');
taken('outer', json(index_manifest(children => [{ bytes => $inner,
    digest => sha256($inner), type => $TYPE{oci_index} }])),
    $TYPE{oci_index}, '54: an index of indexes');


# ---- 55

my $sparse = json(image_manifest(layers => ['absent', 'also absent']));
my $a = put('sparse', $sparse, $TYPE{oci});
error_is($a, 400, 'MANIFEST_BLOB_UNKNOWN', '55: absent layers are refused');
is_deeply([sort map { $_->{detail}{digest} } $a->errors],
    [sort map { sha256($_) } 'absent', 'also absent'],
    '55: an entry for each of them');
my $sparse_index = json(index_manifest(children => [{ bytes => 'absent',
    digest => sha256('absent'), type => $TYPE{oci} }]));
error_is(put('sparse', $sparse_index, $TYPE{oci_index}), 400,
    'MANIFEST_BLOB_UNKNOWN', '55: and absent children');

my $lax = Test::Registry->new(
    env => { REGISTRY_VALIDATION_DISABLED => 'true' });
is($lax->request('PUT', '/v2/a/manifests/sparse', body => $sparse,
    headers => ['Content-Type' => $TYPE{oci}])->{status}, 201,
    '55: with validation.disabled an absent layer is accepted');
is($lax->request('PUT', '/v2/a/manifests/sparse', body => $sparse_index,
    headers => ['Content-Type' => $TYPE{oci_index}])->{status}, 201,
    '55: and an absent child');


# ---- 56

sub of_size {
    my ($size) = @_;

    my $manifest = image_manifest(more => { annotations => { x => '' } });
    $manifest->{annotations}{x} = 'x' x ($size - length json($manifest));
    return json($manifest);
}

is(put('large', of_size(4 * 1024 * 1024), $TYPE{oci})->{status}, 201,
    '56: 4 MiB exactly are accepted');
error_is(put('large', of_size(4 * 1024 * 1024 + 1), $TYPE{oci}), 413,
    'SIZE_INVALID', '56: one more is 413');


# ---- 57

for my $bad ('', '{', '[]', 'null', '"x"', '{}', json({ schemaVersion => 1,
    mediaType => $TYPE{oci} }), json({ schemaVersion => 2,
    mediaType => $TYPE{oci}, config => [], layers => {} }))
{
    error_is(put('bad', $bad, $TYPE{oci}), 400, 'MANIFEST_INVALID',
        '57: ' . substr($bad, 0, 30) . ' is 400 MANIFEST_INVALID');
}


# ---- 58

for my $digest (sha256($image), sha512sum($image)) {
    my ($alg) = $digest =~ /^(\w+)/;
    my @tags = sort map { "$alg-$_" } 10 .. 21;
    $a = put($digest . '?' . join('&', map { "tag=$_" } @tags), $image,
        $TYPE{oci});
    is($a->{status}, 201, "58: twelve tags by $alg") or diag($a);
    is_deeply([sort split /, /, $a->header('oci-tag') // ''], \@tags,
        "58: $alg: OCI-Tag names them");
    my %listed = map { $_ => 1 }
        @{ $r->request('GET', '/v2/a/tags/list')->json->{tags} };
    is(scalar(grep { $listed{$_} } @tags), 12, "58: $alg: all are listed");
    is($r->request('HEAD', "/v2/a/manifests/$tags[0]")
        ->header('docker-content-digest'), $digest,
        "58: $alg: and point to it");
}
is(put(sha256($image) . '?' . join('&', map { "tag=t$_" } 1 .. 200), $image,
    $TYPE{oci})->{status}, 414, '58: too many are 414');
error_is(put(sha256($image) . '?tag=-bad', $image, $TYPE{oci}), 400,
    'MANIFEST_INVALID', '58: an invalid tag is 400');
like(put('in-path?tag=other', $image, $TYPE{oci})->{status}, qr/^(?:201|400)$/,
    '58: beside a tag in the path tag= is ignored or 400');


# ---- 59

my $new = json(image_manifest(more => { annotations => { new => 'yes' } }));
put('moves', $image, $TYPE{oci});
put('moves', $new, $TYPE{oci});
is($r->request('GET', '/v2/a/manifests/moves')->{body}, $new,
    '59: PUT of a tag moves it');
is($r->request('GET', '/v2/a/manifests/' . sha256($image))->{body}, $image,
    '59: the old manifest stays reachable by digest');

fsck_ok($r, 'the tree is sound');
done_testing;
