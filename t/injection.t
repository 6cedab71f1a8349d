# Header and query injection (SECURITY.md S6): no header that we did not mean,
# no number that we cannot count.

use Test::Registry;

my $r = Test::Registry->new;

my $crlf  = '%0d%0aX-Injected:%20yes%0d%0a';
my $image = $r->push_image('a', 'v1');
my $blob  = $image->{blobs}[0];


sub clean_ok {
    my ($answer, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($answer->{status} && $answer->{head} !~ /^X-Injected/mi
        && $answer->{head} !~ /[^\x20-\x7e\r\n]/, $title)
        or diag($answer->{head} . $answer);
}


# ---- CR LF where a client may write

for my $case (
    ['GET',    "/v2/a$crlf/tags/list"],
    ['GET',    "/v2/a/manifests/v1$crlf"],
    ['GET',    "/v2/a/blobs/$blob$crlf"],
    ['GET',    "/v2/a/blobs/uploads/x$crlf"],
    ['GET',    "/v2/a/tags/list?last=$crlf&n=1"],
    ['GET',    "/v2/a/tags/list?n=1$crlf"],
    ['GET',    "/v2/_catalog?last=$crlf&n=1"],
    ['GET',    "/v2/a/manifests/v1?ns=$crlf"],
    ['GET',    "/v2/$crlf"],
    ['POST',   "/v2/a/blobs/uploads/?mount=$blob&from=$crlf"],
    ['POST',   "/v2/a/blobs/uploads/?mount=$crlf&from=a"],
    ['POST',   "/v2/a/blobs/uploads/?digest=$blob$crlf"],
    ['POST',   "/v2/a$crlf/blobs/uploads/"],
    ['PUT',    "/v2/a/manifests/v1$crlf"],
    ['PUT',    "/v2/a/manifests/$image->{digest}?tag=x$crlf"],
    ['DELETE', "/v2/a/manifests/v1$crlf"],
)
{
    my ($method, $path) = @$case;
    my $answer = $r->request($method, $path,
        $method =~ /^P/ ? (body => $image->{bytes}) : (),
        headers => ['Content-Type' => $TYPE{oci}]);
    clean_ok($answer, "$method " . $path =~ s/[0-9a-f]{64}/.../r);
    isnt($answer->{status}, 500, 'is no failure of ours');
}

my $location = $r->start_upload('a');
for my $path ("$location$crlf", with_digest($location, "$blob$crlf"),
    "$location?x=$crlf")
{
    clean_ok($r->request($_, $path, body => ''), "$_ of an upload")
        for qw(GET PATCH PUT);
}
ok($r->request('GET', '/v2/a/manifests/v1')->{status} == 200,
    'the tag has outlived it');

# A header folded or with control characters does not pass into ours.
for my $bytes (
    "PATCH $location HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        . "Content-Range: 0-0\r\n X-Injected: yes\r\n\r\nx",
    "PATCH $location HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        . "Content-Range: 0-0\tX-Injected\r\n\r\nx",
    "PATCH $location HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        . "Content-Range: 9-\x019\r\n\r\nx",
    "GET /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\rX-Injected: yes\r\n\r\n",
)
{
    clean_ok($r->raw($bytes), 'odd bytes in a header');
}


# ---- annotations, types, subjects: JSON may hold any character

my $digest = sha256('{}');
$r->push_blob('a', '{}');
for my $more (
    qq("annotations":{"x":"a\\r\\nX-Injected: yes"}),
    qq("artifactType":"a\\r\\nX-Injected: yes"),
    qq("subject":{"mediaType":"a\\r\\nX-Injected: yes",)
        . qq("digest":"$digest\\r\\nX-Injected: yes","size":2}),
)
{
    my $body = qq({"schemaVersion":2,"mediaType":"$TYPE{oci}","config":)
        . json(descriptor($TYPE{config}, '{}')) . qq(,"layers":[],$more});
    my $answer = $r->request('PUT', '/v2/a/manifests/odd', body => $body,
        headers => ['Content-Type' => $TYPE{oci}]);
    clean_ok($answer, "PUT of $more");
    clean_ok($r->request('GET', '/v2/a/manifests/odd'), 'and GET');
}

my $body = qq({"schemaVersion":2,"mediaType":"$TYPE{oci}\\r\\nX-Injected: yes",)
    . '"config":' . json(descriptor($TYPE{config}, '{}')) . ',"layers":[]}';
my $answer = $r->request('PUT', '/v2/a/manifests/type', body => $body);
clean_ok($answer, 'a media type of two lines');
is($answer->{status}, 400, 'is refused');


# ---- parameters of FastCGI cannot be forged by headers

for my $header (
    ['Script-Filename' => '/etc/passwd'], ['Request-Method' => 'DELETE'],
    ['Registry-Root' => '/etc'],          ['Document-Root' => '/etc'],
    ['Request-Uri' => '/v2/_catalog'],    ['Registry-Uri' => '/v2/_catalog'],
    ['X-Http-Method-Override' => 'DELETE'], ['Proxy' => 'http://127.0.0.1:1'],
    ['X-Accel-Redirect' => '/etc/passwd'], ['X-Original-Url' => '/v2/_catalog'],
    ['Query-String' => 'n=0'],            ['Content-Type' => 'text/html'],
)
{
    my $answer = $r->request('GET', '/v2/a/manifests/v1', headers => $header);
    is($answer->{body}, $image->{bytes}, "$header->[0] has no effect");
}

# Where we live is our path's affair, not the client's.
for my $header ([Host => 'evil.example'],
    ['X-Forwarded-Host' => 'evil.example'],
    ['X-Forwarded-Proto' => 'evil'], [Forwarded => 'host=evil.example'])
{
    my $answer = $r->request('POST', '/v2/a/blobs/uploads/', body => '',
        headers => $header);
    unlike($answer->{head}, qr/evil/, "$header->[0] is in no Location");
}


# ---- numbers

for my $list ('a/tags/list', '_catalog') {
    for my $n ('-1', '-9223372036854775809', 'abc', '1;2', '1%202', '1e9',
        '0x7fffffff', '18446744073709551616', '9' x 400, '%0d%0a', '%00', "'1")
    {
        error_is($r->request('GET', "/v2/$list?n=$n"), 400,
            'PAGINATION_NUMBER_INVALID', "$list: n=" . substr($n, 0, 30));
    }
    for my $n ('1000000000', '2147483648', '9223372036854775807') {
        is($r->request('GET', "/v2/$list?n=$n")->{status}, 200,
            "$list: n=$n is cut to what we send");
    }
    for my $last ('../../x', '%2e%2e', 'x' x 5000, '%ff', '"', '<script>') {
        my $answer = $r->request('GET', "/v2/$list?last=$last&n=1");
        like($answer->{status}, qr/^(?:200|400|404|414)$/,
            "$list: last=" . substr($last, 0, 20));
        clean_ok($answer, 'is answered cleanly');
    }
}


# ---- errors quote what was asked for, as JSON

for my $path ('/v2/a/manifests/%22%5c%3cb%3e', "/v2/\"<script>/tags/list",
    "/v2/a/blobs/sha256:%22,%22x", "/v2/\xff\xfe/tags/list")
{
    my $answer = $r->raw("GET $path HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(length $answer->code, 'the error is JSON whatever was asked')
        or diag($answer);
    like($answer->header('content-type'), qr{^application/json\b},
        'and is called so');
}

fsck_ok($r, 'the tree is sound');

done_testing;
