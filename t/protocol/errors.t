# The specification line by line: every error code, its status, its body.

use Test::Registry;

my $r = Test::Registry->new(registry => '', location => <<'CONF',
            limit_except GET HEAD POST PUT PATCH DELETE OPTIONS { deny all; }
            if ($http_x_test = "deny")  { return 403; }
            if ($http_x_test = "limit") { return 429; }
            if ($http_x_test = "auth")  { return 401; }
            add_header  Warning '299 - "maintenance at noon"' always;
CONF
);

my $none = sha256('nothing');
my $image = $r->push_image('a', 'v1');
my @oci = ('Content-Type' => $TYPE{oci});
my $session = sub { return $r->start_upload('a') };


# ---- 79: [code, status, detail (undef: none), method, path, options]

my $late = $session->();
my $wrong = $session->();

my @cases = (
    ['BLOB_UNKNOWN', 404, { digest => $none },
        'GET', "/v2/a/blobs/$none"],
    ['BLOB_UNKNOWN', 404, { digest => $none },
        'DELETE', "/v2/a/blobs/$none"],
    ['BLOB_UPLOAD_INVALID', 416, undef, 'PATCH', $late,
        body => 'late', headers => ['Content-Range' => '7-10']],
    ['BLOB_UPLOAD_UNKNOWN', 404,
        { uuid => '00000000-0000-4000-8000-000000000000' }, 'GET',
        '/v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000'],
    ['BLOB_UPLOAD_UNKNOWN', 404,
        { uuid => '00000000-0000-4000-8000-000000000000' }, 'PATCH',
        '/v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000',
        body => 'x'],
    ['DIGEST_INVALID', 400, { digest => 'sha256:junk' },
        'GET', '/v2/a/blobs/sha256:junk'],
    ['DIGEST_INVALID', 400, { digest => 'sha256:junk' },
        'GET', '/v2/a/manifests/sha256:junk'],
    ['DIGEST_INVALID', 400, { digest => 'sha256:junk' },
        'GET', '/v2/a/referrers/sha256:junk'],
    ['DIGEST_INVALID', 400, { digest => $none },
        'PUT', with_digest($wrong, $none), body => 'something'],
    ['DIGEST_INVALID', 400, { digest => 'md5:junk' },
        'PUT', with_digest($session->(), 'md5:junk'), body => 'something'],
    ['DIGEST_INVALID', 400, { digest => $image->{digest} },
        'PUT', "/v2/a/manifests/$none",
        body => $image->{bytes}, headers => \@oci],
    ['MANIFEST_BLOB_UNKNOWN', 400,
        [map { { digest => sha256($_) } } '{}', 'absent'],
        'PUT', '/v2/a/manifests/v2',
        body => json(image_manifest(layers => ['absent'])),
        headers => \@oci],
    ['MANIFEST_INVALID', 400, undef, 'PUT', '/v2/a/manifests/v2',
        body => '{', headers => \@oci],
    ['MANIFEST_UNKNOWN', 404, { tag => 'none' },
        'GET', '/v2/a/manifests/none'],
    ['MANIFEST_UNKNOWN', 404, { digest => $none },
        'GET', "/v2/a/manifests/$none"],
    ['MANIFEST_UNKNOWN', 404, { tag => 'none' },
        'DELETE', '/v2/a/manifests/none'],
    ['NAME_INVALID', 400, { name => 'UPPER' },
        'GET', '/v2/UPPER/tags/list'],
    ['NAME_UNKNOWN', 404, { name => 'none' },
        'GET', '/v2/none/tags/list'],
    ['SIZE_INVALID', 400, undef, 'PATCH', $session->(), body => 'four',
        headers => ['Content-Range' => '0-99']],
    ['SIZE_INVALID', 413, undef, 'PUT', '/v2/a/manifests/v2',
        body => ' ' x (4 * 1024 * 1024 + 1), headers => \@oci],
    ['UNAUTHORIZED', 401, undef, 'GET', '/v2/a/tags/list',
        headers => ['X-Test' => 'auth']],
    ['DENIED', 403, undef, 'GET', '/v2/a/tags/list',
        headers => ['X-Test' => 'deny']],
    ['UNSUPPORTED', 405, undef, 'POST', '/v2/a/manifests/v1', body => ''],
    ['UNSUPPORTED', 405, undef, 'PUT', '/v2/a/tags/list', body => ''],
    ['TOOMANYREQUESTS', 429, undef, 'GET', '/v2/a/tags/list',
        headers => ['X-Test' => 'limit']],
);

for my $case (@cases) {
    my ($code, $status, $detail, $method, $path, %opt) = @$case;
    my $title = "79: $code: $method " . $path =~ s/[0-9a-f]{30,}/.../gr;
    my $a = $r->request($method, $path, %opt);

    is($a->{status}, $status, "$title is $status") or diag($a);
    is($a->header('content-type'), 'application/json', "$title: JSON");
    is($a->header('content-length'), length $a->{body},
        "$title: Content-Length");

    my $json = $a->json;
    is_deeply([keys %{ $json // {} }], ['errors'], "$title: errors alone");
    for my $error ($a->errors) {
        is($error->{code}, $code, "$title: code");
        ok(length $error->{message}, "$title: message");
        is_deeply([grep { !/^(?:code|message|detail)$/ } keys %$error], [],
            "$title: nothing else");
    }
    is_deeply([map { $_->{detail} } $a->errors],
        ref $detail eq 'ARRAY' ? $detail : [$detail],
        "$title: detail names what it is about");
    unlike($a->{body}, qr/<html/, "$title: no page of nginx's");
}

my %seen = map { $_->[0] => 1 } @cases;
my @codes = qw(BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN
    DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID MANIFEST_UNKNOWN
    NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED
    TOOMANYREQUESTS);
is_deeply([sort keys %seen], [sort @codes], '79: that was every code');

error_is($r->request('GET', '/v2/a/manifests/sha256:totallywrong'), 400,
    'DIGEST_INVALID', '79: a 400 of a manifest has a code (older suite)');


# ---- 80

for my $path ("/v2/a/blobs/$none", '/v2/a/manifests/none',
    '/v2/none/tags/list', '/v2/a/blobs/sha256:junk')
{
    my $get = $r->request('GET', $path);
    my $head = $r->request('HEAD', $path);
    is($head->{status}, $get->{status}, '80: HEAD errors have the status');
    is($head->{body}, '', '80: and no body');
}
like($r->request('POST', '/v2/a/manifests/v1', body => '')->header('allow'),
    qr/\bGET\b.*\bPUT\b/, '80: 405 comes with Allow');
is($r->request('GET', '/v2/a/nothing/here')->{status}, 404,
    '80: an unknown path is 404');


# ---- 81

my $limited = Test::Registry->new(
    http     => 'limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;',
    location => 'limit_req zone=z burst=5 nodelay; limit_req_status 429;'
        . ' add_header Retry-After 60 always;');
my ($a) = grep { $_->{status} == 429 }
    map { $limited->request('GET', '/v2/') } 1 .. 20;
error_is($a, 429, 'TOOMANYREQUESTS', "81: nginx's limit_req speaks JSON");
is($a->header('retry-after'), 60, '81: with Retry-After');
like(($a->errors)[0]{message}, qr/limit_req/, '81: and says who limits');

# the same by nginx's own defaults, which are those of a worker that is away
$limited = Test::Registry->new(
    http     => 'limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;',
    location => 'limit_req zone=z burst=5 nodelay;');
($a) = grep { $_->{status} == 503 }
    map { $limited->request('GET', '/v2/') } 1 .. 20;
error_is($a, 503, 'TOOMANYREQUESTS', '81: limit_req with 503');
my $sentence = ($a->errors)[0]{message};
like($sentence, qr/limit_req/, '81: says who limits');

$limited = Test::Registry->new(
    http     => 'limit_conn_zone $binary_remote_addr zone=c:1m;',
    location => 'limit_conn c 1;');
my $location = $limited->start_upload('a');
my $busy = $limited->connect;
$busy->send_request('PATCH', $location, length => 10, body => 'five.');
ok(wait_until(20, sub { ($a = $limited->request('GET', '/v2/'))->{status}
    != 200 }), '81: limit_conn refuses a second request');
error_is($a, 503, 'TOOMANYREQUESTS', '81: in JSON');
is(($a->errors)[0]{message}, $sentence, '81: with the same sentence');
$busy->close;


# ---- 82

is($r->request('GET', '/v2/')->header('warning'),
    '299 - "maintenance at noon"', '82: Warning, by add_header');


# ---- 83

is_deeply($r->request('GET', '/v2/_catalog')->json, { repositories => ['a'] },
    '83: the catalog');
$r->push_image($_, 'v1') for qw(b c);
$a = $r->request('GET', '/v2/_catalog?n=2');
is_deeply($a->json, { repositories => ['a', 'b'] }, '83: a page of it');
is($a->header('link'), '</v2/_catalog?last=b&n=2>; rel="next"',
    '83: and its Link');

# ---- and what nginx says for a worker that is not there

$r->stop_worker;
$a = $r->request('GET', '/v2/a/tags/list');
error_is($a, 502, 'UNAVAILABLE', 'an absent worker');
unlike(($a->errors)[0]{message}, qr/limit/, 'and no limit is blamed for it');

done_testing;
