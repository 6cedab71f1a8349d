# The specification line by line: pushing blobs whole.

use Test::Registry;

my $r = Test::Registry->new;
my $uploads = '/v2/a/blobs/uploads/';
my $a;


# ---- 24: the session

$a = $r->request('POST', $uploads, body => '');
is($a->{status}, 202, '24: POST is 202');
like($a->header('location'), qr{^${uploads}[0-9a-f-]{36}$},
    '24: Location with a session id');
is($a->header('range'), '0-0', '24: Range');
is($a->header('docker-upload-uuid'), uuid_of($a->header('location')),
    '24: Docker-Upload-UUID');
is($a->header('content-length'), 0, '24: Content-Length');
isnt($r->start_upload('a'), $r->start_upload('a'), '24: each is another one');


# ---- 25: PUT

my $bytes = bytes('put', 5000);
for my $digest (sha256($bytes), sha512sum($bytes)) {
    my ($alg) = $digest =~ /^(\w+)/;
    $a = $r->request('PUT', with_digest($r->start_upload('a'), $digest),
        body => $bytes);
    is($a->{status}, 201, "25: PUT by $alg is 201") or diag($a);
    is($a->header('docker-content-digest'), $digest,
        "25: $alg: the client's digest");
    ok($r->request('GET', $a->header('location'))->{body} eq $bytes,
        "25: $alg: Location has the bytes");
}


# ---- 26: mismatch

my %close = (
    monolithic => sub { [$_[0], 'right'] },
    stream     => sub {
        $r->expect(202, 'PATCH', $_[0], body => 'right', chunked => 3);
        return [$_[0], ''];
    },
    chunked    => sub {
        $r->expect(202, 'PATCH', $_[0], body => 'right',
            headers => ['Content-Range' => '0-4']);
        return [$_[0], ''];
    },
);
for my $how (sort keys %close) {
    my ($location, $rest) = @{ $close{$how}->($r->start_upload('a')) };
    error_is($r->request('PUT', with_digest($location, sha256('wrong')),
        body => $rest), 400, 'DIGEST_INVALID', "26: mismatch, $how");
    is($r->request('GET', '/v2/a/blobs/' . sha256('wrong'))->{status}, 404,
        "26: nothing is stored, $how");
}


# ---- 27: bad PUTs

for my $query ('', '?digest=', '?digest=junk', '?digest=sha256:junk',
    '?digest=md5:' . 'a' x 32, '?digest=' . 'sha256:' . 'A' x 64)
{
    error_is($r->request('PUT', $r->start_upload('a') . $query,
        body => 'x'), 400, 'DIGEST_INVALID',
        "27: PUT with '$query' is 400 DIGEST_INVALID");
}

my $done = $r->start_upload('a');
$r->expect(201, 'PUT', with_digest($done, sha256('x')), body => 'x');
my $foreign = $r->start_upload('b') =~ s{/b/}{/a/}r;
my $unknown = $uploads . '00000000-0000-4000-8000-000000000000';
for my $case (['an unknown', $unknown], ['a finished', $done],
    ["another repository's", $foreign])
{
    my ($what, $location) = @$case;
    for my $method (qw(GET PATCH PUT DELETE)) {
        $a = $r->request($method, $method eq 'PUT'
            ? with_digest($location, sha256('x')) : $location,
            $method =~ /^P/ ? (body => 'x') : ());
        error_is($a, 404, 'BLOB_UPLOAD_UNKNOWN',
            "27: $method of $what session is 404 BLOB_UPLOAD_UNKNOWN");
    }
}


# ---- 28: nothing

for my $empty (sha256(''), sha512sum('')) {
    $r->push_blob('empty', '', digest => $empty);
    $a = $r->request('GET', "/v2/empty/blobs/$empty");
    is($a->{status}, 200, '28: a zero-byte blob is stored');
    is($a->header('content-length'), 0, '28: and pulled');
}


# ---- 29: digest-algorithm

$a = $r->request('POST', "$uploads?digest-algorithm=sha512", body => '');
is($a->{status}, 202, '29: digest-algorithm=sha512 is 202');
$r->expect(202, 'PATCH', $a->header('location'), body => $bytes);
is($r->request('PUT', with_digest($a->header('location'),
    sha512sum($bytes)), body => '')->{status}, 201, '29: and ends so');
is($r->request('POST', "$uploads?digest-algorithm=crc32", body => '')
    ->{status}, 400, '29: an unknown one is 400');
$a = $r->request('PUT', with_digest($r->start_upload('a'), sha256($bytes)),
    body => $bytes);
is($a->{status}, 201, '30: a blob that is there is pushed again');


# ---- 30: in parallel

my $again = bytes('parallel', 200_000);
my @sessions = map { $r->start_upload('a') } 1 .. 4;
my @status = in_parallel(scalar @sessions, sub {
    return $r->request('PUT', with_digest($sessions[$_[0]], sha256($again)),
        body => $again)->{status};
});
is_deeply(\@status, [(201) x 4],
    '30: sessions with the same digest all end with 201');


# ---- 31: cut bodies

my $location = $r->start_upload('a');
my $connection = $r->connect;
$connection->send_request('PUT', with_digest($location, sha256('half of it')),
    body => 'half', length => 10);
$connection->close;
is($r->request('GET', '/v2/a/blobs/' . sha256('half of it'))->{status}, 404,
    '31: of a cut body nothing is committed');
is($r->request('GET', '/v2/a/blobs/' . sha256('half'))->{status}, 404,
    '31: under no name');


# ---- 33, 34: single POST

$bytes = bytes('single', 7000);
for my $digest (sha256($bytes), sha512sum($bytes)) {
    $a = $r->request('POST', "$uploads?digest=$digest", body => $bytes);
    is($a->{status}, 201, '33: POST with digest= and body is 201')
        or diag($a);
    is($a->header('docker-content-digest'), $digest, '33: its digest');
    ok($r->request('GET', $a->header('location'))->{body} eq $bytes,
        '33: Location has the bytes');
}
is($r->request('POST', "$uploads?digest=" . sha256($bytes), body => '')
    ->{status}, 202, '33: without a body it starts a session');
is($r->request('POST', "$uploads?digest=" . sha256('other'),
    body => $bytes)->{status}, 400, '34: a wrong digest is 400');

fsck_ok($r, 'the tree is sound');
done_testing;
