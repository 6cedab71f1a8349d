# Blobs out: whole, in parts, not at all.

use Test::Registry;

my $r = Test::Registry->new(workers => 2);

my $bytes  = bytes('blob', 5000);
my $digest = $r->push_blob('a/one', $bytes);
my $path   = "/v2/a/one/blobs/$digest";


# ---- whole

my $a = $r->request('GET', $path);
is($a->{status}, 200, 'GET');
ok($a->{body} eq $bytes, 'its bytes');
is($a->header('content-length'), 5000, 'Content-Length');
is($a->header('content-type'), 'application/octet-stream', 'Content-Type');
is($a->header('docker-content-digest'), $digest, 'Docker-Content-Digest');
is($a->header('etag'), qq{"$digest"}, 'a strong ETag of the digest');
is($a->header('accept-ranges'), 'bytes', 'Accept-Ranges');
is($a->header('x-content-type-options'), 'nosniff', 'no sniffing');
like($a->header('cache-control') // '', qr/max-age=\d{6,}/, 'long to keep');
like($a->header('cache-control') // '', qr/immutable/, 'and immutable');
is($a->header('docker-distribution-api-version'), 'registry/2.0',
    'the API version');

my $h = $r->request('HEAD', $path);
is($h->{status}, 200, 'HEAD');
is($h->{body}, '', 'has no body');
is($h->header($_), $a->header($_), "HEAD: $_ is as for GET")
    for qw(content-length content-type docker-content-digest etag
        accept-ranges cache-control x-content-type-options);

is($r->request('GET', "$path?ns=docker.io")->{status}, 200,
    'a query does not disturb');
is($r->request('GET', $path,
    headers => ['Accept-Encoding' => 'gzip'])->header('content-encoding'),
    undef, 'a blob is never compressed');


# ---- large: the header waits for the first bytes, and nothing for the last

my $large = bytes('large', 9 * 1024 * 1024 + 1234);
my $there = '/v2/a/one/blobs/' . $r->push_blob('a/one', $large);

for my $try (1 .. 2) {
    $a = $r->request('GET', $there);
    is($a->{status}, 200, "large, $try");
    ok($a->{body} eq $large, 'its bytes');
}
is($r->request('HEAD', $there)->{body}, '', 'HEAD of it has no body');


# ---- parts

sub range {
    my ($range, @more) = @_;
    return $r->request('GET', $path, headers => [Range => $range, @more]);
}

for my $case (
    ['bytes=0-0',       0,    1],
    ['bytes=500-1499',  500,  1000],
    ['bytes=500-',      500,  4500],
    ['bytes=-500',      4500, 500],
    ['bytes=-9999',     0,    5000],
    ['bytes=2000-9999', 2000, 3000],
    ['bytes=4999-4999', 4999, 1],
)
{
    my ($range, $from, $size) = @$case;
    $a = range($range);
    is($a->{status}, 206, $range);
    ok($a->{body} eq substr($bytes, $from, $size), "$range: its bytes");
    is($a->header('content-range'),
        sprintf('bytes %d-%d/5000', $from, $from + $size - 1),
        "$range: Content-Range");
    is($a->header('content-length'), $size, "$range: Content-Length");
    is($a->header('docker-content-digest'), $digest, "$range: digest");
}

for my $range ('bytes=500-0', 'bytes=5000-', 'bytes=5000-6000',
    'bytes=99999999999999999999-')
{
    $a = range($range);
    is($a->{status}, 416, "$range cannot be had");
    unlike($a->{head}, qr/^(?:ETag|Cache-Control|Docker-Content-Digest):/mi,
        'and is not kept for a year');
    is(scalar(() = $a->{head} =~ /^(?:Docker-Dist|X-Content-Type)/mgi), 2,
        'what every answer has is there once');
    ok(length $a->code, "$range: the reason is JSON") or diag($a);
    is($a->header('content-range'), 'bytes */5000', "$range: the size is told");
}

$a = range('bytes=0-9,100-109');
like($a->{status}, qr/^(?:206|200)$/, 'several ranges at once');
ok(index($a->{body}, substr($bytes, 100, 10)) >= 0, 'hold their bytes');

is(range('lines=1-2')->{status}, 200, 'another unit is ignored');

$a = $r->request('HEAD', $path, headers => [Range => 'bytes=0-9']);
like($a->{status}, qr/^(?:200|206)$/, 'HEAD with a range is no failure');
is($a->{body}, '', 'and has no body');

is(range('bytes=0-9', 'If-Range' => qq{"$digest"})->{status}, 206,
    'If-Range with our ETag gives the part');
is(range('bytes=0-9', 'If-Range' => '"other"')->{status}, 200,
    'If-Range with another gives the whole');


# ---- conditions

for my $tag (qq{"$digest"}, '*', qq{"x", "$digest"}, qq{W/"$digest"}) {
    $a = $r->request('GET', $path, headers => ['If-None-Match' => $tag]);
    is($a->{status}, 304, "If-None-Match: $tag");
    is($a->{body}, '', '304 has no body');
    is($a->header('etag'), qq{"$digest"}, '304 has the ETag');
}

is($r->request('GET', $path, headers => ['If-None-Match' => '"x"'])->{status},
    200, 'If-None-Match of another');


# ---- nothing in it

my $empty = $r->push_blob('a/one', '');
for my $method (qw(GET HEAD)) {
    $a = $r->request($method, "/v2/a/one/blobs/$empty");
    is($a->{status}, 200, "$method of zero bytes");
    is($a->header('content-length'), '0', "$method: Content-Length is there");
    is($a->header('transfer-encoding'), undef, "$method: not chunked");
    is($a->header('docker-content-digest'), $empty, "$method: its digest");
}


# ---- sha512 beside sha256

my $long = sha512sum('five-twelve');
$r->push_blob('a/one', 'five-twelve', digest => $long);
$a = $r->request('GET', "/v2/a/one/blobs/$long");
is($a->{body}, 'five-twelve', 'a blob by its sha512');
is($a->header('docker-content-digest'), $long, 'is named by it');
error_is($r->request('GET', '/v2/a/one/blobs/' . sha256('five-twelve')),
    404, 'BLOB_UNKNOWN', 'its sha256 is another name, never pushed');


# ---- absent, and elsewhere

my $absent = sha256('absent');
error_is($r->request('GET', "/v2/a/one/blobs/$absent"), 404, 'BLOB_UNKNOWN',
    'what was never pushed');
error_is($r->request('GET', "/v2/a/two/blobs/$digest"), 404, 'BLOB_UNKNOWN',
    'what another repository has');
error_is($r->request('GET', "/v2/a/blobs/$digest"), 404, 'BLOB_UNKNOWN',
    'what a repository below has');
is($r->request('HEAD', "/v2/a/two/blobs/$digest")->{status}, 404,
    'HEAD tells no more');
is($r->request('GET', "/v2/a/two/blobs/$digest",
    headers => ['If-None-Match' => qq{"$digest"}])->{status}, 404,
    'nor does a condition');
$r->push_blob('a/two', 'something');
error_is($r->request('GET', "/v2/a/two/blobs/$digest"), 404, 'BLOB_UNKNOWN',
    'nor a repository that exists');


# ---- gone at once, whoever of nginx's workers is asked

my @connections = map { $r->connect } 1 .. 8;

# Asked so often within a second that each of nginx's workers knows the blob.
sub warm {
    my ($what) = @_;

    for my $method ('GET', 'HEAD', 'HEAD') {
        is($_->request($method, $path)->{status}, 200, "$method, $what")
            for @connections;
    }
}

sub all_gone {
    my ($what) = @_;

    for my $method ('HEAD', 'GET') {
        is($_->request($method, $path)->{status}, 404, "$method, $what")
            for @connections;
    }
}

warm('there');
is($r->request('DELETE', $path)->{status}, 202, 'DELETE');
all_gone('deleted');

$r->push_blob('a/one', $bytes);
warm('back');

# by somebody else
my $link = $r->tree->layer('a/one', $digest);
unlink($link) or die "$link: $!";
all_gone('its link removed');
$r->push_blob('a/one', $bytes);
warm('back again');

# and with all that is above it
my $above = $r->tree->path('repositories/a');
rename($above, "$above-away") or die "$above: $!";
ok(wait_until(10, sub { $r->request('HEAD', $path)->{status} == 404 }),
    'moved away');
rename("$above-away", $above) or die "$above: $!";
warm('moved back');

# ---- healed: seen at once, though nginx holds the damaged file open

$bytes  = bytes('fragile', 5000);
$digest = $r->push_blob('a/one', $bytes);
$path   = "/v2/a/one/blobs/$digest";

my $data = $r->tree->blob($digest);
my $damaged = $bytes;
substr($damaged, 10, 4) = 'oops';
chmod(0644, $data);
open(my $file, '+<:raw', $data) or die "$data: $!";
print $file $damaged;
close($file) or die "$data: $!";
warm('damaged');
is($_->request('GET', $path)->{body}, $damaged, 'a damaged blob')
    for @connections;
$r->push_blob('a/one', $bytes);
is($_->request('GET', $path)->{body}, $bytes, 'is healed by a push')
    for @connections;

# also when it is known again, which is so in the next second
my $now = time;
ok(wait_until(5, sub { time > $now }), 'the next second');
warm('healed');
is($_->request('GET', $path)->{body}, $bytes, 'and remains so')
    for @connections;

# one that is too short as well
write_file("$data-short", substr($bytes, 0, 100));
rename("$data-short", $data) or die "$data: $!";
warm('too short');
is($_->request('HEAD', $path)->header('content-length'), 100,
    'HEAD says so') for @connections;
$r->push_blob('a/one', $bytes);
is($_->request('HEAD', $path)->header('content-length'), 5000,
    'HEAD knows that it is healed') for @connections;

# and what is gone is not served from there
warm('healed again');
unlink($data);
all_gone('its data removed');
$r->push_blob('a/one', $bytes);
is($_->request('GET', $path)->{body}, $bytes, 'is back with a push')
    for @connections;
$r->expect_log(qr/the repository links to it/);

fsck_ok($r, 'the tree is sound');

done_testing;
