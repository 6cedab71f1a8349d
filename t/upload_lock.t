# One writer for each upload (SECURITY.md S10).

use Test::Registry;

my $r = Test::Registry->new(workers => 2);

# A writer that is known to be at it: its first bytes are on disk.

sub slow_writer {
    my ($location, $bytes, $size) = @_;

    my ($repo) = $location =~ m{^/v2/(.+?)/blobs/uploads/};
    my $data = $r->tree->upload($repo, uuid_of($location)) . '/data';
    my $before = -s $data // 0;
    my $c = $r->connect;
    $c->send_request('PATCH', $location, length => $size, body => $bytes);
    wait_until(20, sub { (-s $data // 0) > $before })
        or die "the writer does not get to write\n";

    return $c;
}


# ---- a second writer

my $bytes = bytes('two', 3_000_000);
my $location = $r->start_upload('a');
my $c = slow_writer($location, substr($bytes, 0, 2_500_000), length $bytes);

for my $method (qw(PATCH PUT)) {
    my $target = $method eq 'PUT'
        ? with_digest($location, sha256('intruder')) : $location;
    for my $how ([], [chunked => 3]) {
        my $a = $r->request($method, $target, body => 'intruder', @$how);
        error_is($a, 409, 'BLOB_UPLOAD_INVALID',
            "a second writer is told so ($method @$how)");
    }
}
error_is($r->request('PUT', with_digest($location, sha256('')), body => ''),
    409, 'BLOB_UPLOAD_INVALID', 'a PUT without a body as well');

$c->send(substr($bytes, 2_500_000));
is($c->response('PATCH')->{status}, 202, 'the first writer goes on');
$c->close;
my $a = $r->request('PUT', with_digest($location, sha256($bytes)), body => '');
is($a->{status}, 201, 'and its blob is whole') or diag($a);


# ---- a writer that went away leaves no lock behind

$location = $r->start_upload('a');
$c = slow_writer($location, bytes('gone', 2_000_000), 5_000_000);
$c->reset;
ok(wait_until(20, sub {
    $r->request('PATCH', $location, body => 'x')->{status} == 202 }),
    'after a reset the next writer gets the upload');


# ---- many at once, the same chunk: exactly one gets in

for my $round (1 .. 3) {
    $bytes = bytes("crowd $round", 2_000_000);
    $location = $r->start_upload('crowd');

    my @statuses = in_parallel(40, sub {
        my $answer = $r->request('PATCH', $location, body => $bytes,
            headers => ['Content-Range' => '0-1999999']);
        return {
            status => $answer->{status},
            json   => length $answer->code,
            range  => $answer->header('range'),
        };
    });

    my %count;
    $count{ $_->{status} // $_->{died} }++ for @statuses;
    is($count{202}, 1, "round $round: one of 40 writers gets in");
    is(($count{409} // 0) + ($count{416} // 0), 39,
        'the others are told: busy, or out of order')
        or diag(explain(\%count));
    is(scalar(grep { $_->{status} != 202 && !$_->{json} } @statuses), 0,
        'in JSON');

    $a = $r->request('PUT', with_digest($location, sha256($bytes)),
        body => '');
    is($a->{status}, 201, 'the blob verifies') or diag($a);
}


# ---- many at once, each adding: what was acknowledged is there, whole

$location = $r->start_upload('adders');
my @done = in_parallel(30, sub {
    my ($i) = @_;
    my $part = sprintf('%-1000s', "part $i") x 20;
    my $answer;
    wait_until(60, sub {
        $answer = $r->request('PATCH', $location, body => $part);
        return $answer->{status} != 409;
    });
    return $answer->{status} == 202 ? 'in' : "$answer";
});
is(scalar(grep { $_ eq 'in' } @done), 30, 'each of 30 gets its turn')
    or diag(explain(\@done));
my $data = $r->tree->content(
    $r->tree->upload('adders', uuid_of($location)) . '/data');
is(length $data, 600_000, 'no part is lost or doubled');
my $whole = grep {
    my $part = sprintf('%-1000s', "part $_") x 20;
    index($data, $part) >= 0 && index($data, $part) % 20_000 == 0
} 0 .. 29;
is($whole, 30, 'and none is torn');
$a = $r->request('PUT', with_digest($location, sha256($data)), body => '');
is($a->{status}, 201, 'the digest covers them all') or diag($a);


# ---- many PUTs at once: one publishes

$bytes = bytes('putters', 1_000_000);
$location = $r->start_upload('putters');
$r->expect(202, 'PATCH', $location, body => $bytes);
my %status;
$status{ref $_ ? $_->{died} : $_}++ for in_parallel(30, sub {
    $r->request('PUT', with_digest($location, sha256($bytes)), body => '')
        ->{status};
});
is($status{201}, 1, 'of 30 PUTs one publishes');
is(($status{404} // 0) + ($status{409} // 0), 29,
    'the others find it busy or done') or diag(explain(\%status));
ok($r->request('GET', '/v2/putters/blobs/' . sha256($bytes))->{body} eq $bytes,
    'the blob is whole');


# ---- a cancel while someone writes

$location = $r->start_upload('cancelled');
$c = slow_writer($location, bytes('cancel', 1_000_000), 2_000_000);
$a = $r->request('DELETE', $location);
like($a->{status}, qr/^(?:204|409)$/, 'a cancel during a write: done or busy')
    or diag($a);
$c->send(bytes('more', 1_000_000));
like($c->response('PATCH')->{status}, qr/^(?:202|404|409|5\d\d)$/,
    'the writer gets an answer');
$c->close;

fsck_ok($r, 'the tree is sound');

done_testing;
