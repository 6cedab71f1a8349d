# The specification line by line: how requests travel.  The number of a test
# is its line in the list that this directory walks.

use Test::Registry;

my $r = Test::Registry->new(http => 'gzip on; gzip_types *; gzip_min_length'
    . ' 1; gzip_proxied any;');
my $config = json({ architecture => 'amd64' });
my $manifest = json(image_manifest(config => $config));
my @type = ('Content-Type' => $TYPE{oci});

$r->push_blob('a', $config);


# ---- 1: bodies of unknown length

my $a = $r->request('PUT', '/v2/a/manifests/chunked', headers => \@type,
    body => $manifest, chunked => 100);
is($a->{status}, 201, '1: a manifest PUT without Content-Length is accepted')
    or diag($a);

my $bytes = bytes('stream', 100_000);
$a = $r->request('PATCH', my $location = $r->start_upload('a'),
    body => $bytes, chunked => 5000);
is($a->{status}, 202, '1: a stream PATCH without Content-Length is accepted')
    or diag($a);
is($a->header('range'), '0-99999', '1: and counted');
$r->expect(201, 'PUT', with_digest($location, sha256($bytes)), body => '');

$a = $r->request('PUT', with_digest($r->start_upload('a'), sha256('')),
    body => '', chunked => 10);
is($a->{status}, 201,
    '1: the PUT of a zero-byte blob without Content-Length is accepted')
    or diag($a);


# ---- 2: percent-encoding

my $digest = sha256('encoded');
$a = $r->request('PUT', $r->start_upload('a')
    . '?digest=' . $digest =~ s/:/%3A/r, body => 'encoded');
is($a->{status}, 201, '2: digest= is decoded') or diag($a);

$r->push_blob('b/c', 'in another one');
$a = $r->request('POST', '/v2/a/blobs/uploads/?mount='
    . sha256('in another one') =~ s/:/%3A/r . '&from=b%2Fc', body => '');
is($a->{status}, 201, '2: mount= and from= are decoded') or diag($a);

my $subject = sha256($manifest);
my $artifact = json(image_manifest(config => $config, more => {
    artifactType => 'application/x.test+json',
    subject      => descriptor($TYPE{oci}, $manifest),
}));
$r->push_manifest('a', 'artifact', $artifact);
for my $type ('application%2Fx.test%2Bjson', 'application/x.test+json') {
    $a = $r->request('GET', "/v2/a/referrers/$subject?artifactType=$type");
    is(scalar @{ ($a->json // {})->{manifests} // [] }, 1,
        "2: artifactType=$type is found") or diag($a);
}


# ---- 3: parameters in any order

$digest = sha256('ordered');
for my $query ("digest=$digest&x=1", "x=1&digest=$digest") {
    $a = $r->request('PUT', $r->start_upload('a') . "?$query",
        body => 'ordered');
    is($a->{status}, 201, '3: the order of parameters does not matter')
        or diag($a);
}


# ---- 4: no compression

for my $path ('/v2/', '/v2/_catalog', '/v2/a/tags/list',
    '/v2/a/manifests/chunked', "/v2/a/referrers/$subject",
    '/v2/a/blobs/' . sha256($config), '/v2/a/blobs/' . sha256('absent'))
{
    $a = $r->request('GET', $path, headers => ['Accept-Encoding' => 'gzip']);
    is($a->header('content-encoding'), undef, "4: $path is not compressed");
    is($a->header('content-length'), length $a->{body},
        "4: $path has its Content-Length");
}


# ---- 5: large bodies

$bytes = json(image_manifest(config => $config, more => {
    annotations => { large => 'x' x 3_910_000 } }));
$a = $r->request('PUT', '/v2/a/manifests/large', headers => \@type,
    body => $bytes, chunked => 65536);
is($a->{status}, 201, '5: a manifest of 3.9 MB is accepted') or diag($a);
is($r->request('GET', '/v2/a/manifests/large')->{body} eq $bytes, 1,
    '5: and served');
my $large = bytes('large', 10_000_000);
is($r->push_blob('a', $large), sha256($large),
    '5: a blob may be larger than any limit of nginx');


# ---- 6: one connection

my $connection = $r->connect;
my $good = grep { $connection->request('GET', '/v2/')->{status} == 200 }
    1 .. 200;
is($good, 200, '6: a connection lives for many requests');
$connection->close;


# ---- 7: relative locations

like($r->start_upload('a'), qr{^/v2/a/blobs/uploads/},
    '7: Location is a path, right behind any proxy');

done_testing;
