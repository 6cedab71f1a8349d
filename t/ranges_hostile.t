# Content-Range of bad will (SECURITY.md S8): the upload stays as it was.

use Test::Registry;

my $r = Test::Registry->new;

my $bytes = bytes('ranges', 1000);
my $location = $r->start_upload('a');
$r->expect(202, 'PATCH', $location, body => substr($bytes, 0, 500),
    headers => ['Content-Range' => '0-499']);
my $data = $r->tree->upload('a', uuid_of($location)) . '/data';


sub unchanged_ok {
    my ($title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $status = $r->request('GET', $location);
    ok($status->{status} == 204 && $status->header('range') eq '0-499'
        && $r->tree->content($data) eq substr($bytes, 0, 500),
        "$title: the upload is unchanged") or diag($status);
}

my $max = '9223372036854775807';
for my $case (
    # range                              size    status
    ['499-998',                          500,    416],
    ['0-499',                            500,    416],
    ['501-1000',                         500,    416],
    ['0-0',                              1,      416],
    ["$max-$max",                        1,      416],
    ["500-$max",                         10,     '400|416'],
    ['9223372036854775808-9223372036854775809', 2, 416],
    ['18446744073709551616-18446744073709551617', 2, 416],
    ['18446744073709552116-18446744073709552125', 10, 416],
    ['509-500',                          10,     416],
    ['500-499',                          0,      416],
    ['500-500',                          10,     400],
    ['500-999',                          10,     400],
    ['500-509',                          500,    400],
    ['-500-509',                         10,     416],
    ['500--509',                         10,     416],
    ['500-',                             10,     416],
    ['-509',                             10,     416],
    ['-',                                10,     416],
    ['500',                              10,     416],
    ['a-b',                              10,     416],
    ['0x1f4-0x1fd',                      10,     416],
    ['+500-+509',                        10,     416],
    ['500-509,510-519',                  10,     416],
    ['500 - 509',                        10,     416],
    ['items 500-509',                    10,     416],
    ['500-50900000000000000000000000',   10,     416],
    ['9' x 5000 . '-' . '9' x 1000,      10,     416],
)
{
    my ($range, $size, $status) = @$case;
    my $title = length $range > 60 ? substr($range, 0, 20) . '...' : $range;

    for my $how (['PATCH', $location],
        ['PUT', with_digest($location, sha256('x'))],
        ['PATCH', $location, chunked => 7])
    {
        my ($method, $target, @more) = @$how;
        # The length of a chunked body is known only when it has come: below.
        next if @more && $status =~ /400/;

        my $answer = $r->request($method, $target, body => 'x' x $size, @more,
            headers => ['Content-Range' => $range]);
        like($answer->{status}, qr/^(?:$status)$/,
            "$title with $size bytes, $method @more") or diag($answer);
        like($answer->code, qr/^(?:BLOB_UPLOAD_INVALID|SIZE_INVALID)$/,
            'in JSON');
        is($answer->header('range'), '0-499', 'Range says where to go on')
            if $answer->{status} == 416;
        unchanged_ok("$title, $method @more");
    }
}

# A chunked body of another length than its range: refused without a trace, and
# the upload can be completed.
for my $case (['500-999', 10], ['500-700000', 600_000], ['500-509', 500],
    ['500-509', 3_000_000])
{
    my ($range, $size) = @$case;
    my $where = $r->start_upload('a');
    $r->expect(202, 'PATCH', $where, body => substr($bytes, 0, 500));
    my $file = $r->tree->upload('a', uuid_of($where)) . '/data';

    my $answer = $r->request('PATCH', $where, body => 'y' x $size,
        chunked => 5000, headers => ['Content-Range' => $range]);
    like($answer->{status}, qr/^(?:400|416)$/,
        "$range with $size bytes, chunked") or diag($answer);
    is($answer->header('range'), '0-499', 'Range says where to go on');
    is(-s $file, 500, 'nothing of it was taken');
    my $all = substr($bytes, 0, 500) . 'rest';
    $answer = $r->request('PUT', with_digest($where, sha256($all)),
        body => 'rest');
    is($answer->{status}, 201, 'the upload can be completed') or diag($answer);
}

# What is too much is refused when it comes, not when it ends.
for my $size (20, 300_000) {
    my $where = $r->start_upload('a');
    my $c = $r->connect;
    $c->send_request('PATCH', $where, body => 'y' x $size, chunked => 5000,
        unfinished => 1, headers => ['Content-Range' => '0-9']);
    $c->send("1\r\ny\r\n");
    my $answer = eval { $c->response('PATCH') };
    is($answer && $answer->{status}, 400, "$size bytes of a chunk of 10")
        or diag($@ // $answer);
    $c->close;
    wait_until(20, sub { $r->request('DELETE', $where)->{status} == 204 },
        'the session is free');
}

# What came of a chunk that was cut off is kept, whatever its range.
my $cut = $r->start_upload('a');
my $c = $r->connect;
$c->send_request('PATCH', $cut, length => 1_000_000,
    body => bytes('cut', 600_000), headers => ['Content-Range' => '0-999999']);
$c->close;
ok(wait_until(20, sub {
    $r->request('GET', $cut)->header('range') eq '0-599999' }),
    'a chunk that was cut off is kept as far as it came');

my $answer = $r->raw("PATCH $location HTTP/1.1\r\nHost: x\r\n"
    . "Content-Length: 10\r\nContent-Range: 500-509\r\n"
    . "Content-Range: 0-9\r\n\r\n" . 'x' x 10);
like($answer->{status}, qr/^(?:202|400|416)$/, 'two Content-Ranges');
if ($answer->{status} == 202) {
    is(-s $data, 510, 'one of them held');
    $location = $r->start_upload('a');
    $r->expect(202, 'PATCH', $location, body => substr($bytes, 0, 500));
}

# A range of RFC 9110's form is understood or refused, never a failure.
$answer = $r->request('PATCH', $location, body => substr($bytes, 500, 100),
    headers => ['Content-Range' => 'bytes 500-599/1000']);
like($answer->{status}, qr/^(?:202|400|416)$/, 'bytes 500-599/1000');
my $next = $answer->{status} == 202 ? 600 : 500;

$answer = $r->request('PUT', with_digest($location, sha256($bytes)),
    body => substr($bytes, $next), headers =>
    ['Content-Range' => "$next-999"]);
is($answer->{status}, 201, 'after all that the upload ends well')
    or diag($answer);

fsck_ok($r, 'the tree is sound');

done_testing;
