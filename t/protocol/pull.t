# The specification line by line: pulling manifests and blobs.

use Test::Registry;

my $r = Test::Registry->new;

# trailing white space and an odd order of keys must come back
my $config = '{ "b":1,  "a":2 }';
my $bytes = json(image_manifest(config => $config)) . "\n \n";
my $digest = sha256($bytes);
my $path = '/v2/a/manifests';
$r->push_blob('a', $config);
$r->push_manifest('a', 'v1', $bytes);


# ---- 13: support

my $a = $r->request('GET', '/v2/');
is($a->{status}, 200, '13: GET /v2/ is 200');
is($a->header('docker-distribution-api-version'), 'registry/2.0',
    '13: Docker-Distribution-Api-Version');


# ---- 14, 15: manifests

for my $reference ('v1', $digest) {
    my $how = $reference eq 'v1' ? 'tag' : 'digest';
    for my $method (qw(GET HEAD)) {
        $a = $r->request($method, "$path/$reference");
        my $title = "$method by $how";
        is($a->{status}, 200, "14: $title is 200");
        is($a->{body}, $method eq 'GET' ? $bytes : '',
            "14: $title: the stored bytes, or none");
        is($a->header('content-type'), $TYPE{oci},
            "14: $title: Content-Type without parameters");
        is($a->header('content-length'), length $bytes,
            "14: $title: Content-Length");
        is($a->header('docker-content-digest'), $digest,
            "15: $title: Docker-Content-Digest");
    }
}

my $long = sha512sum($bytes);
$r->expect(201, 'PUT', "$path/$long?tag=long", body => $bytes,
    headers => ['Content-Type' => $TYPE{oci}]);
for my $method (qw(GET HEAD)) {
    is($r->request($method, "$path/long")->header('docker-content-digest'),
        $long, "15: $method by tag answers the digest it was pushed under");
}


# ---- 16, 17, 18

for my $method (qw(GET HEAD)) {
    for my $absent ("$path/none", "$path/" . sha256('none'),
        '/v2/none/manifests/v1')
    {
        $a = $r->request($method, $absent);
        is($a->{status}, 404, "16: $method $absent is 404");
    }
}
error_is($r->request('GET', "$path/none"), 404, 'MANIFEST_UNKNOWN',
    '16: an unknown tag is MANIFEST_UNKNOWN');
like($r->request('GET', '/v2/none/manifests/v1')->code,
    qr/^(?:MANIFEST|NAME)_UNKNOWN$/, '16: an unknown repository');

$a = $r->request('GET', "$path/v1", headers => [
    Accept => $TYPE{oci_index}, Accept => $TYPE{oci}]);
is($a->header('content-type'), $TYPE{oci}, '17: two Accept headers');
$a = $r->request('GET', "$path/v1", headers => [Accept => $TYPE{docker}]);
is($a->{body}, $bytes, '17: the stored type, whatever is accepted');

$a = $r->request('GET', "$path/v1?ns=docker.io");
is($a->{status}, 200, '18: ns= is ignored');
is($a->header('oci-namespace'), undef, '18: and not claimed');


# ---- 19, 20, 23: blobs

for my $content (bytes('blob', 10_000), '') {
    for my $blob ($r->push_blob('a', $content),
        $r->push_blob('a', $content, digest => sha512sum($content)))
    {
        for my $method (qw(GET HEAD)) {
            $a = $r->request($method, "/v2/a/blobs/$blob");
            my $title = "$method of " . length($content) . ' bytes by '
                . ($blob =~ /^(\w+)/)[0];
            is($a->{status}, 200, "19: $title");
            is($a->{body}, $method eq 'GET' ? $content : '',
                "19: $title: the bytes, or none");
            is($a->header('content-length'), length $content,
                "19: $title: Content-Length");
            is($a->header('transfer-encoding'), undef,
                "19: $title: not chunked");
            is($a->header('docker-content-digest'), $blob,
                "20: $title: the requested digest");
            is($a->header('content-type'), 'application/octet-stream',
                "23: $title: Content-Type");
            is($a->header('accept-ranges'), 'bytes', "23: $title: ranges");
            is($a->header('etag'), qq{"$blob"}, "23: $title: a strong ETag");
            like($a->header('cache-control') // '', qr/max-age=\d{6}/,
                "23: $title: a long max-age");
        }
        is($r->request('GET', "/v2/a/blobs/$blob",
            headers => ['If-None-Match' => qq{"$blob"}])->{status}, 304,
            '23: If-None-Match');
    }
}


# ---- 21: repositories are apart

my $blob = $r->push_blob('a', 'only here');
for my $method (qw(GET HEAD)) {
    is($r->request($method, "/v2/b/blobs/$blob")->{status}, 404,
        "21: $method of a blob of another repository is 404");
    is($r->request($method, '/v2/a/blobs/' . sha256('none'))->{status}, 404,
        "21: $method of an unknown blob is 404");
}
error_is($r->request('GET', "/v2/b/blobs/$blob"), 404, 'BLOB_UNKNOWN',
    '21: as BLOB_UNKNOWN');


# ---- 22: ranges

my $content = bytes('range', 3000);
$blob = $r->push_blob('a', $content);
for my $case (['500-1499', 500, 1499], ['500-', 500, 2999],
    ['-500', 2500, 2999], ['2000-5000', 2000, 2999])
{
    my ($range, $first, $last) = @$case;
    $a = $r->request('GET', "/v2/a/blobs/$blob",
        headers => [Range => "bytes=$range"]);
    is($a->{status}, 206, "22: $range is 206");
    ok($a->{body} eq substr($content, $first, $last - $first + 1),
        "22: $range: its bytes");
    is($a->header('content-range'), "bytes $first-$last/3000",
        "22: $range: Content-Range");
    is($a->header('content-length'), $last - $first + 1,
        "22: $range: Content-Length");
}
for my $range ('500-0', '3000-', '5000-6000') {
    $a = $r->request('GET', "/v2/a/blobs/$blob",
        headers => [Range => "bytes=$range"]);
    is($a->{status}, 416, "22: $range is 416");
}

done_testing;
