# Uploads in parts: chunks in order and out of it, broken off and taken up
# again, by another process or after one has died.

use Test::Registry;

my $r = Test::Registry->new(workers => 2);


sub patch {
    my ($location, $bytes, $range, @more) = @_;

    return $r->request('PATCH', $location, body => $bytes, @more,
        headers => [defined $range ? ('Content-Range' => $range) : ()]);
}

sub status_is {
    my ($location, $range, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = $r->request('GET', $location);
    is("$answer->{status} " . ($answer->header('range') // 'no Range'),
        "204 $range", $title) or diag($answer);
    return $answer;
}

sub finished_ok {
    my ($location, $bytes, $title, $rest) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $digest = sha256($bytes);
    my ($repo) = $location =~ m{^/v2/(.+?)/blobs/uploads/};
    my $answer = $r->request('PUT', with_digest($location, $digest),
        body => $rest // '');
    is($answer->{status}, 201, "$title: the PUT") or diag($answer);
    ok($r->request('GET', "/v2/$repo/blobs/$digest")->{body} eq $bytes,
        "$title: the bytes");
}


# ---- chunks in order

my $bytes = bytes('chunks', 10_000);
my $first = $r->start_upload('a/b');

my $a = status_is($first, '0-0', 'nothing has arrived');
is($a->{body}, '', 'a status has no body');
is($a->header('content-length'), undef, '204 has no Content-Length');
is($a->header('docker-upload-uuid'), uuid_of($first), 'but the UUID');
like($a->header('location') // '', qr{^/v2/a/b/blobs/uploads/},
    'and a Location');

$a = patch($first, substr($bytes, 0, 4000), '0-3999');
is($a->{status}, 202, 'the first chunk') or diag($a);
is($a->header('range'), '0-3999', 'Range of all that has arrived');
my $location = $a->header('location');

$a = patch($location, substr($bytes, 4000, 1), '4000-4000');
is($a->{status}, 202, 'a chunk of one byte');
is($a->header('range'), '0-4000', 'Range again');


# ---- chunks out of order

for my $case (
    ['a gap',             '5000-5009', 10],
    ['an overlap',        '4000-4009', 10],
    ['a return to 0',     '0-3999',    4000],
    ['the last again',    '4000-4000', 1],
    ['a leap',            '9000000000-9000000009', 10],
)
{
    my ($what, $range, $size) = @$case;
    $a = patch($location, 'x' x $size, $range);
    error_is($a, 416, 'BLOB_UPLOAD_INVALID', "$what is refused");
    is($a->header('range'), '0-4000', "$what: Range says where to go on");
    status_is($location, '0-4000', "$what: the session is as it was");
}

$a = $r->request('PUT', with_digest($location, sha256($bytes)),
    headers => ['Content-Range' => '5000-9999'], body => 'x' x 5000);
error_is($a, 416, 'BLOB_UPLOAD_INVALID', 'a gap before the last chunk');
is($a->header('range'), '0-4000', 'Range says where to go on');
status_is(with_digest($location, sha256($bytes)), '0-4000',
    'a status asked with a digest in the query');

$a = patch($r->start_upload('a/b'), 'x' x 10, '5-14');
error_is($a, 416, 'BLOB_UPLOAD_INVALID', 'a first chunk that is not at 0');

$a = patch($location, 'x' x 10, '4001-4099');
error_is($a, 400, 'SIZE_INVALID', 'Content-Range unlike Content-Length');
status_is($location, '0-4000', 'writes nothing');


# ---- any Location that was handed out still works

status_is($first, '0-4000', 'the first Location says what there is now');
error_is(patch($first, substr($bytes, 0, 4000), '0-3999'), 416,
    'BLOB_UPLOAD_INVALID', 'the first chunk again, to the first Location');
$a = patch($first, substr($bytes, 4001, 2000), '4001-6000');
is($a->{status}, 202, 'the next chunk, to the first Location') or diag($a);
is($a->header('range'), '0-6000', 'has arrived');

$a = patch($location, substr($bytes, 6001, 1000), undef);
is($a->{status}, 202, 'a chunk without Content-Range goes to the end');
$a = patch($location, substr($bytes, 7001, 999), '7001-7999', chunked => 100);
is($a->{status}, 202, 'a chunk of chunks') or diag($a);
is($a->header('range'), '0-7999', 'has arrived');


# ---- the end

$a = $r->request('PUT', with_digest($location, sha256($bytes)),
    headers => ['Content-Range' => '8000-9999'], body => substr($bytes, 8000));
is($a->{status}, 201, 'the last chunk in the PUT, with its Content-Range')
    or diag($a);
ok($r->request('GET', '/v2/a/b/blobs/' . sha256($bytes))->{body} eq $bytes,
    'the blob');
error_is($r->request('GET', $location), 404, 'BLOB_UPLOAD_UNKNOWN',
    'then there is no status');
error_is(patch($location, 'x', undef), 404, 'BLOB_UPLOAD_UNKNOWN',
    'nor a PATCH');
error_is($r->request('DELETE', $location), 404, 'BLOB_UPLOAD_UNKNOWN',
    'nor a cancel');


# ---- the digest's state, in Distribution's form

$bytes = bytes('states', 300_000);
$location = $r->start_upload('a/states');
my $dir = $r->tree->upload('a/states', uuid_of($location));
like($r->tree->content("$dir/startedat") // '',
    qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/, 'startedat is a time');

my $offset = 262_144;
$r->expect(202, 'PATCH', $location, body => substr($bytes, 0, $offset));
is_deeply([glob "$dir/hashstates/*/*"], [],
    'none of 256 KiB: they are hashed again');
for my $size (1, 62, 1, 64, 10_000, 12_345) {
    $r->expect(202, 'PATCH', $location,
        body => substr($bytes, $offset, $size));
    $offset += $size;

    is(-s "$dir/data", $offset, "$offset bytes: the data file has them");
    my $state = $r->tree->content("$dir/hashstates/sha256/$offset") // '';
    is(length $state, 108, "$offset bytes: a state of 108 bytes") or next;

    my $partial = substr($bytes, $offset - $offset % 64, $offset % 64);
    is(substr($state, 0, 4), "sha\x03", 'its magic');
    ok(substr($state, 36, 64) eq $partial . "\0" x (64 - length $partial),
        'its partial block');
    is(unpack('Q>', substr($state, 100)), $offset, 'its length');
    ok(substr($state, 4, 32) eq substr(_state_of($bytes, $offset), 4, 32),
        'its words are the digest of the whole blocks');
}
finished_ok($location, $bytes, 'with saved states', substr($bytes, $offset));


# Digest::SHA can show its state as text: H is the chaining value.

sub _state_of {
    my ($all, $size) = @_;

    my $sha = Digest::SHA->new(256);
    $sha->add(substr($all, 0, $size - $size % 64));
    my ($words) = $sha->getstate =~ /^H:(\S+)/m;
    return 'sha.' . pack('H*', $words =~ tr/://dr);
}


# ---- a client that vanishes

for my $how ('closes', 'resets') {
    for my $kind ('length', 'chunked') {
        $bytes = bytes("vanish $how $kind", 700_000);
        $location = $r->start_upload('a/vanish');

        my $c = $r->connect;
        if ($kind eq 'length') {
            $c->send_request('PATCH', $location, length => length $bytes,
                body => substr($bytes, 0, 400_000));
        } else {
            $c->send_request('PATCH', $location, chunked => 50_000,
                unfinished => 1, body => substr($bytes, 0, 400_000));
        }
        # How much of it counts is the server's to say, but it is never less
        # than what was on disk while the client was still there.
        my $data = $r->tree->upload('a/vanish', uuid_of($location)) . '/data';
        ok(wait_until(20, sub { (-s $data // 0) > 0 }),
            "a client that $how ($kind): bytes get to the disk as they come");
        my $seen = -s $data;
        $how eq 'closes' ? $c->close : $c->reset;

        my $have;
        ok(wait_until(20, sub {
            my $answer = $r->request('PATCH', $location, body => '');
            $have = ($answer->header('range') // '') =~ /^0-(\d+)$/ ? $1 : -1;
            return $answer->{status} == 202;
        }), "a client that $how ($kind): the session is free again");
        $have = $have > 0 ? $have + 1 : 0;
        is(-s $data // 0, $have, "the status counts what is on disk: $have");
        ok($have >= $seen && $have <= 400_000, 'and nothing was lost');

        $a = patch($location, substr($bytes, $have),
            $have < 700_000 ? "$have-699999" : undef);
        is($a->{status}, 202, 'the rest is taken') or diag($a);
        finished_ok($location, $bytes, "a client that $how ($kind)");
    }
}

$bytes = bytes('in the PUT', 500_000);
$location = $r->start_upload('a/vanish');
my $c = $r->connect;
$c->send_request('PUT', with_digest($location, sha256($bytes)),
    length => length $bytes, body => substr($bytes, 0, 300_000));
$c->close;
my $data = $r->tree->upload('a/vanish', uuid_of($location)) . '/data';
ok(wait_until(20, sub { (-s $data // 0) > 0 }), 'a PUT brings its bytes');
$c->close;
ok(wait_until(20, sub {
    $a = $r->request('PATCH', $location, body => '');
    return $a->{status} == 202 }), 'a PUT that was broken off lets go');
ok(!-e $r->tree->blob(sha256($bytes)), 'and publishes nothing');
finished_ok($location, $bytes, 'after it', substr($bytes, -s $data));


# ---- other processes

$bytes = bytes('processes', 400_000);
$location = $r->start_upload('a/p');
for my $n (0 .. 7) {
    $a = patch($location, substr($bytes, $n * 50_000, 50_000),
        sprintf('%d-%d', $n * 50_000, $n * 50_000 + 49_999));
    is($a->{status}, 202, "chunk $n, whichever worker takes it") or diag($a);
}
finished_ok($location, $bytes, 'eight connections');

$bytes = bytes('restart', 200_000);
$location = $r->start_upload('a/p');
$r->expect(202, 'PATCH', $location, body => substr($bytes, 0, 100_000));
$r->restart_nginx;
$r->restart_worker;
status_is($location, '0-99999', 'a session outlives a restart of both');
finished_ok($location, $bytes, 'after a restart', substr($bytes, 100_000));

for my $round (1 .. 3) {
    $bytes = bytes("killed $round", 3_000_000);
    $location = $r->start_upload('a/killed');
    $r->expect(202, 'PATCH', $location, body => substr($bytes, 0, 1_000_000));

    $c = $r->connect;
    $c->send_request('PATCH', $location, length => 2_000_000,
        body => substr($bytes, 1_000_000, 1_000_000));
    my $data = $r->tree->upload('a/killed', uuid_of($location)) . '/data';
    wait_until(20, sub { (-s $data // 0) > 1_000_000 });
    # Whichever has it: both die.
    $r->crash_nginx_worker($_) for $r->nginx_workers;
    $c->close;

    $a = $r->request('GET', $location);
    is($a->{status}, 204, "round $round: a session outlives its nginx worker");
    my ($last) = ($a->header('range') // '') =~ /^0-(\d+)$/;
    ok(defined $last && $last >= 999_999 && $last < 2_000_000,
        "with what was acknowledged, and perhaps more ($last)");
    finished_ok($location, $bytes, "round $round", substr($bytes, $last + 1));
}


# ---- a state that is lost or damaged costs time, not the upload

for my $damage ('missing', 'truncated') {
    $bytes = bytes("state $damage", 500_000);
    $location = $r->start_upload('a/damage');
    $r->expect(202, 'PATCH', $location, body => substr($bytes, 0, 300_000));
    my $file = $r->tree->upload('a/damage', uuid_of($location))
        . '/hashstates/sha256/300000';
    ok(unlink($file), 'there was a state');
    write_file($file, 'sha') if $damage eq 'truncated';
    finished_ok($location, $bytes, "a state that is $damage",
        substr($bytes, 300_000));
}

fsck_ok($r, 'the tree is sound');

done_testing;
