# The specification line by line: names of repositories, tags and digests.

use Test::Registry;

my $r = Test::Registry->new;
my $image = $r->push_image('good', 'v1');
my $digest = $image->{digest};


# ---- 8: repositories

my @good = ('a', 'a/b/c', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '0', 'a1/2b',
    'blobs', 'tags/list', 'manifests/blobs', 'a/blobs/uploads', 'x' x 200);
for my $name (@good) {
    my $got = eval { $r->push_image($name, 'v1')->{digest} } // $@;
    like($got, qr/^sha256:/, "8: $name is a name");
    is_deeply(($r->request('GET', "/v2/$name/tags/list")->json // {})->{tags},
        ['v1'], "8: $name has its tag");
}

for my $name ('A', 'a/B', '-a', 'a-', 'a..b', 'a___b', '.a', 'a._b', 'a/_b',
    'a b', 'a+b', 'x' x 256)
{
    error_is($r->request('GET', '/v2/' . $name =~ s/ /%20/r . '/tags/list'),
        400, 'NAME_INVALID', '8: ' . substr($name, 0, 20) . ' is no name');
}


# ---- 9: tags

for my $tag ('a', '_a', 'A.b-c_d', '0', 'latest', 'x' x 128) {
    my $a = $r->request('PUT', "/v2/good/manifests/$tag",
        headers => ['Content-Type' => $image->{type}],
        body => $image->{bytes});
    is($a->{status}, 201, '9: ' . substr($tag, 0, 20) . ' is a tag')
        or diag($a);
}

for my $tag ('.a', '-a', 'a+b', 'a%20b', 'x' x 129) {
    my $a = $r->request('PUT', "/v2/good/manifests/$tag",
        headers => ['Content-Type' => $image->{type}],
        body => $image->{bytes});
    is($a->{status}, 400, '9: ' . substr($tag, 0, 20) . ' is no tag')
        or diag($a);
}


# ---- 10, 11: digests

my $hex = 'a' x 64;
for my $bad ("sha256:" . 'a' x 63, "sha256:${hex}a", 'sha256:' . 'A' x 64,
    'sha256:' . 'g' x 64, 'sha256:', "sha512:$hex", "sha384:$hex", "md5:$hex",
    ":$hex", 'sha256:baddigeststring', 'sha256:totallywrong')
{
    for my $kind (qw(manifests blobs referrers)) {
        error_is($r->request('GET', "/v2/good/$kind/$bad"), 400,
            'DIGEST_INVALID', "10: GET $kind " . substr($bad, 0, 24));
    }
}

my $a = $r->request('GET', '/v2/good/manifests/sha256:baddigeststring');
like($a->{status}, qr/^40[04]$/, '11: GET of a bad digest is 400 or 404');
$a = $r->request('PUT', '/v2/good/manifests/sha256:baddigeststring',
    headers => ['Content-Type' => $image->{type}], body => $image->{bytes});
error_is($a, 400, 'DIGEST_INVALID', '11: PUT to a bad digest is 400');


# ---- 12: two algorithms, two names

my $bytes = bytes('two names', 500);
my $long = sha512sum($bytes);
$r->push_blob('one', $bytes);
is($r->request('GET', "/v2/one/blobs/$long")->{status}, 404,
    '12: what was pushed by sha256 is not there by sha512');
$r->push_blob('one', $bytes, digest => $long);
is($r->request('GET', "/v2/one/blobs/$long")->{body}, $bytes,
    '12: until it is pushed so');

$r->expect(201, 'PUT', '/v2/good/manifests/' . sha512sum($image->{bytes}),
    headers => ['Content-Type' => $image->{type}], body => $image->{bytes});
is($r->request('DELETE', '/v2/good/manifests/' . sha512sum($image->{bytes}))
    ->{status}, 202, '12: a manifest by sha512 is deleted');
is($r->request('GET', "/v2/good/manifests/$digest")->{status}, 200,
    '12: the one by sha256 stays');

done_testing;
