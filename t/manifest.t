# Manifests: stored as they came, served as they were stored.

use Test::Registry;

my $r = Test::Registry->new;

my @oci   = ($TYPE{oci}, $TYPE{oci_index});
my @known = @TYPE{qw(oci oci_index docker list)};


sub get {
    my ($path, @accept) = @_;

    return $r->request('GET', $path,
        headers => [map { (Accept => $_) } @accept]);
}

sub put {
    my ($path, $bytes, $type, @more) = @_;

    return $r->request('PUT', $path, body => $bytes, @more,
        headers => [defined $type ? ('Content-Type' => $type) : ()]);
}

# Everything that must hold for a manifest that is there.

sub served_ok {
    my ($repo, $reference, $image, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($get, $head) = map {
        $r->request($_, "/v2/$repo/manifests/$reference",
            headers => [map { (Accept => $_) } @known]);
    } qw(GET HEAD);

    ok($get->{body} eq $image->{bytes}, "$title: the bytes") or diag($get);
    is($head->{body}, '', "$title: HEAD has no body");
    for ($get, $head) {
        is($_->{status}, 200, "$title: status");
        is($_->header('content-type'), $image->{type}, "$title: its type");
        is($_->header('content-length'), length $image->{bytes},
            "$title: Content-Length");
        is($_->header('docker-content-digest'), $image->{digest},
            "$title: Docker-Content-Digest");
        is($_->header('etag'), qq{"$image->{digest}"}, "$title: ETag");
    }
}


# ---- each type, by tag and by digest

my %image;
for my $type (qw(oci docker)) {
    $image{$type} = $r->push_image('a/b', "tag-$type", type => $type,
        layers => [bytes("l1 $type", 2000), bytes("l2 $type", 10)]);
    served_ok('a/b', "tag-$type", $image{$type}, "$type by tag");
    served_ok('a/b', $image{$type}{digest}, $image{$type},
        "$type by digest");
}

my %child = (oci_index => 'oci', list => 'docker');
for my $type (sort keys %child) {
    my $child = $image{ $child{$type} };
    my $other = $r->push_image('a/b', undef, type => $child{$type},
        config => json({ architecture => 'arm64', of => $type }));
    my $bytes = json(index_manifest(type => $type, children => [
        { %$other, platform => { os => 'linux', architecture => 'arm64' } },
        { %$child, platform => { os => 'linux', architecture => 'amd64' } },
    ]));
    $image{$type} = { bytes => $bytes, type => $TYPE{$type},
        digest => sha256($bytes) };
    my $a = put("/v2/a/b/manifests/tag-$type", $bytes, $TYPE{$type});
    is($a->{status}, 201, "a $type is taken") or diag($a);
    is($a->header('docker-content-digest'), sha256($bytes), 'its digest');
    is($a->header('location'), '/v2/a/b/manifests/' . sha256($bytes),
        'Location is a path');
    served_ok('a/b', "tag-$type", $image{$type}, "$type by tag");
    served_ok('a/b', $image{$type}{digest}, $image{$type},
        "$type by digest");
}

for my $type (sort keys %image) {
    my $tree = $r->tree;
    my $digest = $image{$type}{digest};
    is($tree->content($tree->blob($digest)), $image{$type}{bytes},
        "$type: its content on disk");
    is($tree->content($_), $digest, "$type: " . s{.*/repositories/}{}r)
        for $tree->revision('a/b', $digest), $tree->tag('a/b', "tag-$type"),
            $tree->tag_index('a/b', "tag-$type", $digest);
}


# ---- by digest, sha512 too

my $bytes = json(image_manifest(config => '{}'));
$r->push_blob('c', '{}');
my $a = put('/v2/c/manifests/' . sha256($bytes), $bytes, $TYPE{oci});
is($a->{status}, 201, 'PUT by digest') or diag($a);
is($a->header('docker-content-digest'), sha256($bytes), 'its digest');

$a = put('/v2/c/manifests/' . sha512sum($bytes), $bytes, $TYPE{oci});
is($a->{status}, 201, 'PUT by sha512') or diag($a);
is($a->header('docker-content-digest'), sha512sum($bytes), 'its digest');
served_ok('c', sha512sum($bytes), { bytes => $bytes, type => $TYPE{oci},
    digest => sha512sum($bytes) }, 'by sha512');

error_is(put('/v2/c/manifests/' . sha256('other'), $bytes, $TYPE{oci}),
    400, 'DIGEST_INVALID', 'PUT by the digest of something else');
error_is(put('/v2/c/manifests/sha256:bad', $bytes, $TYPE{oci}),
    400, 'DIGEST_INVALID', 'PUT by no digest');
like(get('/v2/c/manifests/sha256:baddigeststring')->{status}, qr/^40[04]$/,
    'GET by no digest');


# ---- tags in the query (distribution spec 1.1, end-7b)

for my $digest (sha256($bytes), sha512sum($bytes)) {
    my ($alg) = $digest =~ /^(\w+)/;
    my @tags = map { "$alg-$_" } 1 .. 12;
    $a = put("/v2/c/manifests/$digest?" . join('&', map { "tag=$_" } @tags),
        $bytes, $TYPE{oci});
    is($a->{status}, 201, "$alg with twelve tags") or diag($a);
    is_deeply([sort split /,\s*/, $a->header('oci-tag') // ''], [sort @tags],
        'OCI-Tag names them all');
    is($r->request('HEAD', "/v2/c/manifests/$_")
        ->header('docker-content-digest'), $digest, $_) for @tags[0, 11];
}
# The answer names all of them, however long they are.
{
    my $repo = join '/', map { $_ x 63 } 'a' .. 'd';
    my $subject = sha512sum('nothing');
    my $long = json(image_manifest(more => { subject => {
        mediaType => $TYPE{oci}, digest => $subject, size => 7 } }));
    $r->push_blob($repo, '{}');
    my @tags = map { sprintf '%0128d', $_ } 1 .. 32;
    $a = put("/v2/$repo/manifests/" . sha512sum($long) . '?'
        . join('&', map { "tag=$_" } @tags), $long, $TYPE{oci});
    is($a->{status}, 201, '32 tags of 128 characters, a long name, a subject')
        or diag($a);
    is_deeply([split /,\s*/, $a->header('oci-tag') // ''], \@tags,
        'OCI-Tag names them all');
    is($a->header('oci-subject'), $subject, 'OCI-Subject is there as well');
}

$a = put('/v2/c/manifests/' . sha256($bytes) . '?tag=ok&tag=.bad',
    $bytes, $TYPE{oci});
is($a->{status}, 400, 'an invalid tag among them');
error_is(put('/v2/c/manifests/' . sha256($bytes) . '?tag=ok&tag=%zz',
    $bytes, $TYPE{oci}), 400, 'MANIFEST_INVALID', 'or what cannot be decoded');
is($r->request('HEAD', '/v2/c/manifests/ok')->{status}, 404, 'sets none');
$a = put('/v2/c/manifests/' . sha256($bytes) . '?'
    . join('&', map { "tag=t$_" } 1 .. 600), $bytes, $TYPE{oci});
like($a->{status}, qr/^(?:201|400|414)$/, '600 tags: taken or refused');
ok($a->{status} == 201 || length $a->code, 'in so many words') or diag($a);


# ---- what a client accepts

served_ok('a/b', 'tag-oci', $image{oci}, 'whatever is accepted');
for my $type (sort keys %image) {
    for my $accept ([], ['*/*'], [$TYPE{$type}], [join ', ', @known], \@known,
        ['text/html', $TYPE{$type}], ["$TYPE{$type};q=0.5"])
    {
        $a = get("/v2/a/b/manifests/tag-$type", @$accept);
        ok($a->{status} == 200 && $a->{body} eq $image{$type}{bytes},
            "$type for Accept: @$accept") or diag($a);
    }
    $a = $r->request('HEAD', "/v2/a/b/manifests/tag-$type",
        headers => [Accept => $TYPE{oci}]);
    is($a->header('docker-content-digest'), $image{$type}{digest},
        "HEAD of $type answers the tag's own digest, whatever is accepted");
    is($a->header('content-type'), $TYPE{$type}, 'and type');
}

$a = get('/v2/a/b/manifests/tag-list', $TYPE{docker});
is($a->{body}, $image{docker}{bytes},
    'who knows no lists gets the child for linux/amd64');
is($a->header('docker-content-digest'), $image{docker}{digest}, 'its digest');
is($a->header('content-type'), $TYPE{docker}, 'and its type');

$a = get('/v2/a/b/manifests/tag-oci_index', $TYPE{oci});
is($a->{body}, $image{oci}{bytes},
    'who knows no OCI index gets the child for linux/amd64 as well');

$bytes = json(index_manifest(children => [$image{oci}]));
$r->push_manifest('a/b', 'no-platform', $bytes);
$a = get('/v2/a/b/manifests/no-platform', $TYPE{oci});
error_is($a, 404, 'MANIFEST_UNKNOWN', 'if none of the children will do: 404');
like($a->{body}, qr/Accept/, 'and the message says why');
$a = get('/v2/a/b/manifests/' . sha256($bytes), $TYPE{oci});
is($a->{body}, $bytes, 'by digest it is the index, whatever is accepted');

# Which of the children it is, and what is answered if Accept has no image.
my %of = map {
    ($_ => $r->push_image('a/b', undef, config => json({ child => $_ }),
        type => $_ eq 'docker' ? 'docker' : 'oci'));
} qw(amd64 arm64 s390x amd64x unknown docker);
my %platform = (
    (map { $_ => { os => 'linux', architecture => $_ } } keys %of),
    docker  => { os => 'linux', architecture => 'amd64' },
    unknown => { os => 'unknown', architecture => 'unknown' },
    v3      => { os => 'linux', architecture => 'amd64', variant => 'v3' },
);
$of{v3} = $of{amd64};

sub index_of {
    my (@names) = @_;

    $bytes = json(index_manifest(children => [map {
        { %{ $of{$_} }, platform => $platform{$_} } } @names]));
    $r->push_manifest('a/b', 'several', $bytes);
    return get('/v2/a/b/manifests/several', $TYPE{oci});
}

for my $case (
    [[qw(arm64 s390x)]        => 'arm64', 'without linux/amd64 the first'],
    [[qw(unknown arm64)]      => 'arm64', 'which is no attestation'],
    [[qw(arm64 v3)]           => 'amd64', 'a variant of linux/amd64'],
    [[qw(amd64x amd64 arm64)] => 'amd64', 'and not what only begins like it'],
)
{
    my ($names, $name, $title) = @$case;
    is(index_of(@$names)->{body}, $of{$name}{bytes}, "the child: $title");
}

$a = get('/v2/a/b/manifests/several', 'text/html');
is($a->{body}, $bytes, 'who accepts no image gets the index');
is($a->header('vary'), 'Accept', 'caches are told that it depends');
is(get('/v2/a/b/manifests/' . sha256($bytes))->header('vary'), undef,
    'and that by digest it does not');
error_is(index_of('docker'), 404, 'MANIFEST_UNKNOWN',
    'a child that Accept does not cover is not sent');

index_of(qw(amd64 arm64));
$r->expect(202, 'DELETE', "/v2/a/b/manifests/$of{amd64}{digest}");
is(get('/v2/a/b/manifests/several', $TYPE{oci})->{body}, $of{arm64}{bytes},
    'a child that was deleted is passed over');
$r->push_manifest('a/b', @{ $of{amd64} }{qw(digest bytes)});


# ---- conditions

for my $reference ('tag-oci', $image{oci}{digest}) {
    my $path = "/v2/a/b/manifests/$reference";
    for my $tag (map({ ($_, "W/$_", qq{"x", $_}) } qq{"$image{oci}{digest}"}),
        '*')
    {
        $a = $r->request('GET', $path, headers => ['If-None-Match' => $tag]);
        is($a->{status}, 304, "If-None-Match: $tag");
        is($a->{body}, '', '304 has no body');
        is($a->header('etag'), qq{"$image{oci}{digest}"}, '304 has the ETag');
    }
    is($r->request('GET', $path, headers => ['If-None-Match' => $_])
        ->{status}, 200, "If-None-Match: $_") for '"x"', '"', '""', 'W/', ',';
}


# ---- a tag moves

$r->push_image('move', 'latest', config => json({ n => $_ })) for 1 .. 2;
my @moved = map {
    my $manifest = json(image_manifest(config => json({ n => $_ })));
    { bytes => $manifest, type => $TYPE{oci}, digest => sha256($manifest) }
} 1 .. 2;
served_ok('move', 'latest', $moved[1], 'the tag shows the newest');
served_ok('move', $moved[0]{digest}, $moved[0], 'the older is still there');
is($r->tree->content($r->tree->tag_index('move', 'latest', $_->{digest})),
    $_->{digest}, 'the index of the tag remembers both') for @moved;


# ---- bytes are kept as they are

$bytes = '  ' . json(image_manifest(config => '{}',
    more => { annotations => { text => "\x{e9}\x{2603}" }, odd => [1, {}],
        zzz => undef })) . "\n\t \n";
$a = put('/v2/c/manifests/odd', $bytes, "$TYPE{oci}; charset=utf-8");
is($a->{status}, 201, 'unknown fields, white space, a parameter of the type')
    or diag($a);
served_ok('c', 'odd', { bytes => $bytes, type => $TYPE{oci},
    digest => sha256($bytes) }, 'odd but good');

my $plain = json(image_manifest(config => '{}'));
for my $case (
    ['chunked, without Content-Length', $plain, $TYPE{oci}, chunked => 100],
    ['without Content-Type', $plain, undef],
    ['no layers', json(image_manifest(config => '{}', layers => [])),
        $TYPE{oci}],
    ['an empty index', json(index_manifest()), $TYPE{oci_index}],
    ['no mediaType inside', json({ %{ image_manifest(config => '{}') },
        mediaType => undef }) =~ s/"mediaType":null,//r, $TYPE{oci}],
    ['a subject that is not there', json(image_manifest(config => '{}',
        more => { subject => descriptor($TYPE{oci}, 'absent') })), $TYPE{oci}],
    ['a foreign layer', json(image_manifest(config => '{}', more => {
        layers => [{ %{ descriptor('application/vnd.oci.image.layer.'
            . 'nondistributable.v1.tar+gzip', 'elsewhere') },
            urls => ['https://example.com/layer'] }] })), $TYPE{oci}],
    ['inline data', json(image_manifest(config => '{}', more => {
        config => { %{ descriptor($TYPE{config}, '{}') }, data => 'e30=' } })),
        $TYPE{oci}],
    ['an artifact', json(image_manifest(config => '{}', more => {
        artifactType => 'application/vnd.test+json' })), $TYPE{oci}],
)
{
    my ($title, $body, $type, @more) = @$case;
    $a = put('/v2/c/manifests/good', $body, $type, @more);
    is($a->{status}, 201, "accepted: $title") or diag($a);
    is(get('/v2/c/manifests/good')->{body}, $body, 'as it is');
}

# An index of indexes, and an index whose child has a sha512 digest.
my $inner = json(index_manifest());
$bytes = json(index_manifest(children => [{ bytes => $inner,
    digest => sha256($inner), type => $TYPE{oci_index} }]));
is(put('/v2/c/manifests/nested', $bytes, $TYPE{oci_index})->{status}, 201,
    'an index of an index');


# ---- what is refused

my $image = image_manifest(config => '{}', layers => ['one', 'two']);
$a = put('/v2/c/manifests/bad', json($image), $TYPE{oci});
error_is($a, 400, 'MANIFEST_BLOB_UNKNOWN', 'layers that were not pushed');
is(scalar $a->errors, 2, 'one error for each of them') or diag($a);
like($a->{body}, qr/\Q$_->{digest}/, 'that names it') for @{ $image->{layers} };

$a = put('/v2/c/manifests/bad', json(image_manifest(config => '{}',
    layers => [1 .. 500])), $TYPE{oci});
error_is($a, 400, 'MANIFEST_BLOB_UNKNOWN', 'five hundred of them');
is(scalar $a->errors, 32, 'not all are named') or diag($a);

$a = put('/v2/c/manifests/bad', json(image_manifest(config => '{}', more => {
    layers => [{ %{ descriptor($TYPE{layer}, '{}') }, size => 3 }] })),
    $TYPE{oci});
error_is($a, 400, 'MANIFEST_INVALID', 'a layer of another size than said');
like($a->{body}, qr/has 3 bytes, but it has 2/, 'which the message names');

$r->push_blob('elsewhere', $_) for 'one', 'two';
error_is(put('/v2/c/manifests/bad', json($image), $TYPE{oci}),
    400, 'MANIFEST_BLOB_UNKNOWN', 'layers that another repository has');

error_is(put('/v2/c/manifests/bad', json(index_manifest(
    children => [$image{oci}])), $TYPE{oci_index}),
    400, 'MANIFEST_BLOB_UNKNOWN', 'a child that another repository has');

my $schema1 = json({ schemaVersion => 1, name => 'c', tag => 'bad',
    architecture => 'amd64', fsLayers => [], history => [],
    signatures => [] });
for my $type ($TYPE{schema1}, $TYPE{schema1} =~ s/prettyjws/json/r) {
    $a = put('/v2/c/manifests/bad', $schema1, $type);
    error_is($a, 400, 'MANIFEST_INVALID', "schema 1 ($type)");
    like($a->{body}, qr/schema ?(?:version ?)?1/i, 'the message says why');
}

for my $case (
    ['not JSON',              'nonsense',             $TYPE{oci}],
    ['nothing',               '',                     $TYPE{oci}],
    ['a list',                '[]',                   $TYPE{oci}],
    ['an empty object',       '{}',                   $TYPE{oci}],
    ['schemaVersion 3',
        json({ %{ image_manifest(config => '{}') }, schemaVersion => 3 }),
        $TYPE{oci}],
    ['a type unlike its body', $plain,                $TYPE{docker}],
    ['a type that is none',   $plain,                 'text/plain'],
    ['no type anywhere',      $plain =~ s/"mediaType":"[^"]*manifest[^"]*",//r,
        undef],
    ['an image with no config',
        json({ map { $_ => $image->{$_} } qw(schemaVersion mediaType layers) }),
        $TYPE{oci}],
    ['an index that is an image', json({ %{ index_manifest() },
        mediaType => $TYPE{oci} }), $TYPE{oci}],
)
{
    my ($title, $body, $type) = @$case;
    error_is(put('/v2/c/manifests/bad', $body, $type), 400,
        'MANIFEST_INVALID', "refused: $title");
}
is($r->request('HEAD', '/v2/c/manifests/bad')->{status}, 404,
    'and the tag was never set');


# ---- size

for my $extra (0, 1) {
    my $size = 4 * 1024 * 1024 + $extra;
    my $big = $plain . ' ' x ($size - length $plain);
    for my $how ([], [chunked => 65_536]) {
        $a = put("/v2/c/manifests/big$extra", $big, $TYPE{oci}, @$how);
        $extra ? error_is($a, 413, 'SIZE_INVALID', "4 MiB and a byte (@$how)")
            : is($a->{status}, 201, "4 MiB (@$how)") || diag($a);
    }
}
ok(get('/v2/c/manifests/big0')->{body} =~ /^\{.*\} +\z/s
    && length get('/v2/c/manifests/big0')->{body} == 4 * 1024 * 1024,
    '4 MiB come back');
is($r->request('HEAD', '/v2/c/manifests/big1')->{status}, 404,
    'what was too large is not there');


# ---- unknown

error_is(get('/v2/c/manifests/never'), 404, 'MANIFEST_UNKNOWN', 'a tag');
error_is(get('/v2/c/manifests/' . sha256('x')), 404, 'MANIFEST_UNKNOWN',
    'a digest');
error_is(get("/v2/c/manifests/$image{oci}{digest}"), 404, 'MANIFEST_UNKNOWN',
    'a digest that another repository has');
error_is(get('/v2/c/manifests/' . sha256('one')), 404, 'MANIFEST_UNKNOWN',
    'a blob is no manifest');
like(get('/v2/no/such/manifests/v1')->code, qr/^(?:MANIFEST|NAME)_UNKNOWN$/,
    'a repository');

fsck_ok($r, 'the tree is sound');


# ---- by option, blobs may be absent

my $sparse = Test::Registry->new(
    env => { REGISTRY_VALIDATION_DISABLED => 'true' });
for my $case (
    [json($image), $TYPE{oci}],
    [json(index_manifest(children => [$image{oci}])), $TYPE{oci_index}],
)
{
    my ($body, $type) = @$case;
    $a = $sparse->request('PUT', '/v2/s/manifests/sparse', body => $body,
        headers => ['Content-Type' => $type]);
    is($a->{status}, 201, 'absent blobs and children are taken') or diag($a);
}
fsck_ok($sparse, 'the sparse tree is sound', sparse => 1);

done_testing;
