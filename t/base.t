# The front door: /v2/, what is no route, and errors that nginx makes itself.

use Test::Registry;

my $r = Test::Registry->new(location => <<'CONF');
            client_max_body_size 100k;
CONF


# ---- GET /v2/

my $a = $r->request('GET', '/v2/');
is($a->{status}, 200, 'GET /v2/ is answered');
is($a->header('docker-distribution-api-version'), 'registry/2.0',
    'it says what API this is');
like($a->header('content-type') // '', qr{^application/json\b}, 'in JSON');
is(ref $a->json, 'HASH', 'an object');
is($a->header('content-length'), length $a->{body}, 'of the stated length');

$a = $r->request('HEAD', '/v2/');
is($a->{status}, 200, 'HEAD /v2/ is answered');
is($a->{body}, '', 'without a body');

$a = $r->request('GET', '/v2/', headers => ['Accept-Encoding' => 'gzip']);
is($a->header('content-encoding'), undef, 'nothing is compressed');

like($r->request('GET', '/v2')->{status}, qr/^(?:200|301|308|404)$/,
    'GET /v2 is no failure');


# ---- what is not there

for my $path ('/v2/x', '/v2/x/', '/v2/a/b/c', '/v2/_ping', '/v2/_catalog/x',
    '/v2/a/tags', '/v2/a/tags/all', '/v2/a/blobs', '/v2/a/manifests')
{
    my $answer = $r->request('GET', $path);
    ok($answer->{status} == 404 || $answer->{status} == 400, "GET $path")
        or diag($answer);
    ok(length $answer->code, "GET $path: the reason is JSON") or diag($answer);
}


# ---- methods that a route has not

my $digest = $r->push_blob('a', 'some bytes');

for my $case (
    ['POST',   '/v2/',                       qr/GET/],
    ['DELETE', '/v2/_catalog',               qr/GET/],
    ['PUT',    '/v2/a/tags/list',            qr/GET/],
    ['POST',   '/v2/a/manifests/v1',         qr/GET.*PUT|PUT.*GET/],
    ['PATCH',  '/v2/a/manifests/v1',         qr/GET.*PUT|PUT.*GET/],
    ['PUT',    "/v2/a/blobs/$digest",        qr/GET/],
    ['POST',   "/v2/a/blobs/$digest",        qr/GET/],
    ['PATCH',  "/v2/a/blobs/$digest",        qr/DELETE/],
    ['GET',    '/v2/a/blobs/uploads/',       qr/POST/],
    ['DELETE', '/v2/a/blobs/uploads/',       qr/POST/],
    ['BREW',   '/v2/a/manifests/v1',         qr/GET/],
)
{
    my ($method, $path, $allow) = @$case;
    my $answer = $r->request($method, $path);
    error_is($answer, 405, 'UNSUPPORTED', "$method $path is refused");
    like($answer->header('allow') // '', $allow, 'Allow says what would do');
}

is($r->request('GET', "/v2/a/blobs/$digest")->{body}, 'some bytes',
    'no odd method has changed the blob');

like($r->request('OPTIONS', '/v2/')->header('allow') // '', qr/GET/,
    'OPTIONS says what would do, too');


# ---- HEAD of an error

$a = $r->request('HEAD', '/v2/a/blobs/' . sha256('absent'));
is($a->{status}, 404, 'HEAD of what is absent has its status');
is($a->{body}, '', 'and no body');


# ---- errors that nginx itself makes

my $location = $r->start_upload('a');
$a = $r->request('PATCH', $location, body => bytes('big', 200_000));
error_is($a, 413, 'SIZE_INVALID', 'a body above client_max_body_size');
like($a->{body}, qr/client_max_body_size/, 'the message names the directive');

$a = $r->request('PUT', '/v2/a/manifests/big', body => bytes('big', 200_000),
    headers => ['Content-Type' => $TYPE{oci}]);
error_is($a, 413, 'SIZE_INVALID', 'a manifest above it');

$a = $r->request('PATCH', $location, body => 'x' x 102_400);
is($a->{status}, 202, 'a body of just that size is taken') or diag($a);

$r->stop_worker;

for my $path ('/v2/', '/v2/_catalog', '/v2/a/manifests/v1',
    '/v2/a/blobs/' . sha256('absent'))
{
    $a = $r->request('GET', $path);
    like($a->{status}, qr/^50[234]$/, "GET $path without the worker fails");
    error_is($a, $a->{status}, 'UNAVAILABLE', 'in JSON');
}

is($r->request('GET', "/v2/a/blobs/$digest")->{status}, 200,
    'a blob is served without the worker');

$r->start_worker;
ok(wait_until(15, sub { $r->request('GET', '/v2/')->{status} == 200 }),
    'when the worker is back, all is well');

fsck_ok($r, 'the tree is sound');

done_testing;
