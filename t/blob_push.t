# Blobs in: every way that the specification knows, and every size that might
# meet a buffer's edge.

use Test::Registry;

my $r = Test::Registry->new(workers => 2);


sub stored_ok {
    my ($repo, $digest, $bytes, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = $r->request('GET', "/v2/$repo/blobs/$digest");
    ok($answer->{status} == 200 && $answer->{body} eq $bytes
        && ($r->tree->content($r->tree->blob($digest)) // '') eq $bytes
        && ($r->tree->content($r->tree->layer($repo, $digest)) // '')
            eq $digest,
        "$title: on the wire and on the disk") or diag($answer);
}

sub gone_ok {
    my ($repo, $location, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(!-e $r->tree->upload($repo, uuid_of($location)),
        "$title: the session is gone");
}


# ---- POST, then all of it in the PUT

my $bytes  = bytes('monolithic', 70_000);
my $digest = sha256($bytes);

my $a = $r->request('POST', '/v2/team/app/blobs/uploads/', body => '');
is($a->{status}, 202, 'POST starts a session');
my $location = $a->header('location');
like($location, qr{^/v2/team/app/blobs/uploads/[0-9a-f-]{36}},
    'its Location is a path');
is($a->header('docker-upload-uuid'), uuid_of($location),
    'its UUID is in a header');
is($a->header('range'), '0-0', 'Range');
is($a->header('content-length'), 0, 'no body');
ok(-d $r->tree->upload('team/app', uuid_of($location)), 'it is on disk');

$a = $r->request('PUT', with_digest($location, $digest), body => $bytes);
is($a->{status}, 201, 'PUT with everything') or diag($a);
is($a->header('location'), "/v2/team/app/blobs/$digest",
    'Location is the blob');
is($a->header('docker-content-digest'), $digest, 'Docker-Content-Digest');
is($a->header('content-length'), 0, 'no body');
stored_ok('team/app', $digest, $bytes, 'monolithic');
gone_ok('team/app', $location, 'monolithic');

error_is($r->request('PUT', with_digest($location, $digest), body => $bytes),
    404, 'BLOB_UPLOAD_UNKNOWN', 'a session ends with its PUT');


# ---- POST, PATCH, PUT: as docker does

$bytes  = bytes('docker', 100_000);
$digest = sha256($bytes);
$location = $r->start_upload('team/app');
$a = $r->request('PATCH', $location, body => $bytes, chunked => 8000,
    headers => ['Content-Type' => 'application/octet-stream']);
is($a->{status}, 202, 'a streamed PATCH') or diag($a);
is($a->header('range'), '0-99999', 'Range says what has arrived');
is($a->header('docker-upload-uuid'), uuid_of($location), 'the same session');
like($a->header('location'), qr{^/v2/team/app/blobs/uploads/}, 'Location');
is($a->header('content-length'), 0, 'no body');
$a = $r->request('PUT', with_digest($a->header('location'), $digest),
    body => '');
is($a->{status}, 201, 'an empty PUT');
stored_ok('team/app', $digest, $bytes, 'PATCH and PUT');

$bytes  = bytes('in three', 90_000);
$digest = sha256($bytes);
$location = $r->start_upload('team/app');
for my $n (0, 1) {
    $location = $r->expect(202, 'PATCH', $location,
        body => substr($bytes, $n * 30_000, 30_000))->header('location');
}
$a = $r->request('PUT', with_digest($location, $digest),
    body => substr($bytes, 60_000));
is($a->{status}, 201, 'two PATCHes and the rest in the PUT') or diag($a);
stored_ok('team/app', $digest, $bytes, 'in three parts');


# ---- one POST for all

$bytes = bytes('single', 50_000);
$digest = sha256($bytes);
$a = $r->request('POST', "/v2/team/app/blobs/uploads/?digest=$digest",
    body => $bytes, headers => ['Content-Type' => 'application/octet-stream']);
is($a->{status}, 201, 'a single POST') or diag($a);
is($a->header('location'), "/v2/team/app/blobs/$digest", 'Location');
is($a->header('docker-content-digest'), $digest, 'Docker-Content-Digest');
stored_ok('team/app', $digest, $bytes, 'a single POST');

$a = $r->request('POST',
    '/v2/team/app/blobs/uploads/?digest=' . sha256('other'), body => $bytes);
error_is($a, 400, 'DIGEST_INVALID', 'a single POST of something else');
ok(!-e $r->tree->blob(sha256('other')), 'stores nothing');

$a = $r->request('POST',
    '/v2/team/app/blobs/uploads/?digest=' . sha256('later'), body => '');
is($a->{status}, 202, 'a POST with a digest and no body starts a session')
    or diag($a);
$a = $r->request('PUT',
    with_digest($a->header('location'), sha256('later')), body => 'later');
is($a->{status}, 201, 'that a PUT ends');

$a = $r->request('POST', '/v2/team/app/blobs/uploads/?digest=' . sha256(''),
    body => '');
like($a->{status}, qr/^20[12]$/, 'a single POST of zero bytes');

$a = $r->request('POST', '/v2/team/app/blobs/uploads/?digest=md5:00',
    body => 'x');
error_is($a, 400, 'DIGEST_INVALID', 'a single POST with no digest of ours');


# ---- zero bytes

for my $how ([], [chunked => 1]) {
    $location = $r->start_upload('empty');
    $a = $r->request('PUT', with_digest($location, sha256('')), body => '',
        @$how);
    is($a->{status}, 201, "zero bytes (@$how)") or diag($a);
}
stored_ok('empty', sha256(''), '', 'zero bytes');

$location = $r->start_upload('empty/two');
$a = $r->request('PATCH', $location, body => '');
is($a->{status}, 202, 'a PATCH of zero bytes') or diag($a);
$a = $r->request('PUT', with_digest($a->header('location'), sha256('')));
is($a->{status}, 201, 'a PUT without Content-Length') or diag($a);


# ---- digests that are wrong, absent, or of another algorithm

$bytes = bytes('wrong', 20_000);
$location = $r->start_upload('team/app');
$r->expect(202, 'PATCH', $location, body => $bytes);
error_is($r->request('PUT', with_digest($location, sha256('x')), body => ''),
    400, 'DIGEST_INVALID', 'another digest');
error_is($r->request('PUT', $location, body => ''),
    400, 'DIGEST_INVALID', 'no digest');
for my $junk ('sha256:123', 'sha256:' . 'G' x 64, 'md5:' . '0' x 32,
    'sha256', '', uc sha256($bytes))
{
    error_is($r->request('PUT', with_digest($location, $junk), body => ''),
        400, 'DIGEST_INVALID', "junk digest '$junk'");
}
$a = $r->request('GET', $location);
is($a->{status}, 204, 'the session remains');
is($a->header('range'), '0-19999', 'with what it had');
$a = $r->request('PUT', with_digest($location, sha256($bytes)), body => '');
is($a->{status}, 201, 'and the right digest ends it') or diag($a);
stored_ok('team/app', sha256($bytes), $bytes, 'after wrong digests');

$location = $r->start_upload('team/app');
error_is($r->request('PUT', with_digest($location, sha256('x')),
    body => 'all at once'), 400, 'DIGEST_INVALID', 'another digest, at once');
ok(!-e $r->tree->blob(sha256('x')), 'stores nothing under that name');
ok(!-e $r->tree->layer('team/app', sha256('x')), 'and links nothing');

$bytes = bytes('sha512', 40_000);
for my $how (qw(put patch)) {
    $location = $r->start_upload("long/$how");
    if ($how eq 'patch') {
        $location = $r->expect(202, 'PATCH', $location,
            body => substr($bytes, 0, 15_000))->header('location');
    }
    $a = $r->request('PUT', with_digest($location, sha512sum($bytes)),
        body => $how eq 'patch' ? substr($bytes, 15_000) : $bytes);
    is($a->{status}, 201, "sha512 at the end ($how)") or diag($a);
    is($a->header('docker-content-digest'), sha512sum($bytes),
        'the digest that the client chose');
    stored_ok("long/$how", sha512sum($bytes), $bytes, "sha512 ($how)");
}


# ---- again, and at once

$bytes = bytes('again', 30_000);
$r->push_blob('team/app', $bytes) for 1 .. 2;
stored_ok('team/app', sha256($bytes), $bytes, 'the same blob again');

my @sessions = map { $r->start_upload($_) } 'twin', 'twin', 'twin/other';
$r->expect(202, 'PATCH', $_, body => 'twins') for @sessions;
is($r->request('PUT', with_digest($_, sha256('twins')), body => '')->{status},
    201, 'sessions of the same content all end well') for @sessions;
stored_ok($_, sha256('twins'), 'twins', $_) for 'twin', 'twin/other';

my @answers = in_parallel(8, sub { $r->push_blob('race', bytes('race', 1e6)) });
is(scalar(grep { ref || $_ ne sha256(bytes('race', 1e6)) } @answers), 0,
    'eight pushes of one blob at a time') or diag(explain(\@answers));


# ---- spelling of the query

for my $case (
    ['escaped',       sub { $_[0] . '?digest=' . ($_[1] =~ s/:/%3A/r) }],
    ['escaped small', sub { $_[0] . '?digest=' . ($_[1] =~ s/:/%3a/r) }],
    ['others before', sub { $_[0] . "?a=b&digest=$_[1]" }],
    ['others after',  sub { $_[0] . "?digest=$_[1]&z=1" }],
)
{
    my ($how, $url) = @$case;
    $location = $r->start_upload('query');
    my ($plain, $state) = split /\?/, $location, 2;
    my $target = $url->($plain, sha256($how));
    $target .= "&$state" if defined $state;
    $a = $r->request('PUT', $target, body => $how);
    is($a->{status}, 201, "digest in the query: $how") or diag($a);
}


# ---- one connection for everything

my $c = $r->connect;
for my $n (1 .. 5) {
    my $part = bytes("kept $n", 40_000);
    $location = $c->request('POST', '/v2/kept/blobs/uploads/', body => '')
        ->header('location');
    $location = $c->request('PATCH', $location, body => $part,
        $n % 2 ? (chunked => 1000) : ())->header('location');
    is($c->request('PUT', with_digest($location, sha256($part)), body => '')
        ->{status}, 201, "push $n on one connection");
    ok($c->request('GET', '/v2/kept/blobs/' . sha256($part))->{body} eq $part,
        "and pull $n");
}
$c->close;

$c = $r->connect;
$location = $r->start_upload('kept');
$c->send("PUT " . with_digest($location, sha256('pipeline'))
    . " HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\npipeline"
    . "GET /v2/kept/blobs/" . sha256('pipeline')
    . " HTTP/1.1\r\nHost: x\r\n\r\n"
    . "HEAD /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
is($c->response('PUT')->{status}, 201, 'pipelined: the upload');
is($c->response('GET')->{body}, 'pipeline', 'the request right after it');
is($c->response('HEAD')->{status}, 200, 'and the one after that');
$c->close;

$c = $r->connect;
$location = $r->start_upload('kept');
$c->send("PATCH $location HTTP/1.1\r\nHost: x\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n4\r\npipe\r\n4\r\nline\r\n0\r\n\r\n"
    . "GET $location HTTP/1.1\r\nHost: x\r\n\r\n");
is($c->response('PATCH')->{status}, 202, 'pipelined: a chunked PATCH');
is($c->response('GET')->header('range'), '0-7', 'and its status');
$c->close;

# A chunked body is read in larger pieces than nginx keeps of what comes after
# it.  More than that is not answered: the connection ends, as HTTP allows.
for my $after (8000, 8192, 20_000, 200_000) {
    my $part = bytes("before $after", 1_500_000);

    $c = $r->connect;
    $location = $r->start_upload('kept');
    my $get = "GET $location HTTP/1.1\r\nHost: x\r\n\r\n";
    $c->send("PATCH $location HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"
        . join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
            unpack '(a32768)*', $part)
        . "0\r\n\r\n" . $get x ($after / length $get));
    is($c->response('PATCH')->{status}, 202, "$after bytes after a body");
    $c->close;

    is($r->request('GET', $location)->header('range'),
        '0-' . (length($part) - 1), 'do no harm to it');
}


# ---- Expect: 100-continue

$location = $r->start_upload('expect');
$c = $r->connect;
$c->send("PUT " . with_digest($location, sha256('patience'))
    . " HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n"
    . "Expect: 100-continue\r\n\r\n");
is($c->response('PUT', interim => 1)->{status}, 100, 'we are told to go on');
$c->send('patience');
is($c->response('PUT')->{status}, 201, 'and did');
$c->close;


# ---- sizes, in one piece and in many

for my $size (0, 1, 63, 64, 65, 16383, 16384, 16385, 1048575, 1048576,
    1048577, 3 * 1048576 + 7)
{
    my %how = (
        'in the PUT'      => sub { $r->push_blob('sizes', $bytes) },
        'in a PATCH'      => sub { $r->push_blob('sizes', $bytes, patch => 1) },
        'in HTTP chunks'  => sub {
            my $where = $r->start_upload('sizes');
            $where = $r->expect(202, 'PATCH', $where, body => $bytes,
                chunked => 10_007)->header('location');
            $r->expect(201, 'PUT', with_digest($where, sha256($bytes)),
                body => '');
        },
    );

    for my $name (sort keys %how) {
        $bytes = bytes("$size $name", $size);
        eval { $how{$name}->() } or diag($@);
        my $answer = $r->request('GET', '/v2/sizes/blobs/' . sha256($bytes));
        ok($answer->{status} == 200 && $answer->{body} eq $bytes,
            "$size bytes $name") or diag(substr "$answer", 0, 200);
    }
}

$bytes = bytes('tiny', 20_000);
$location = $r->start_upload('sizes');
$a = $r->request('PATCH', $location, body => $bytes, chunked => 1);
is($a->{status}, 202, '20,000 HTTP chunks of one byte');
$a = $r->request('PUT', with_digest($location, sha256($bytes)), body => '');
is($a->{status}, 201, 'make a blob');
stored_ok('sizes', sha256($bytes), $bytes, 'tiny chunks');

$bytes = bytes('slow', 2000);
$location = $r->start_upload('sizes');
$a = $r->request('PUT', with_digest($location, sha256($bytes)),
    body => $bytes, piece => 100, pause => 0.01);
is($a->{status}, 201, 'a slow client') or diag($a);


# ---- a body that is shorter than it claims

$location = $r->start_upload('short');
$c = $r->connect;
$c->send_request('PUT', with_digest($location, sha256('short')),
    body => 'short', length => 100);
$c->close;
ok(wait_until(10, sub {
    $a = $r->request('PATCH', $location, body => '');
    $a->{status} == 202 }), 'a body cut short leaves the session');
like($a->header('range'), qr/^0-[04]$/, 'with what had arrived');
ok(!-e $r->tree->blob(sha256('short')), 'and nothing is published');

fsck_ok($r, 'the tree is sound');

done_testing;
