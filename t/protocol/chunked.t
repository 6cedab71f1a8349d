# The specification line by line: pushing a blob in chunks.

use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });

sub start { return $r->start_upload('a') }

sub patch {
    my ($location, $bytes, $range, @more) = @_;

    return $r->request('PATCH', $location, body => $bytes, @more, headers =>
        [defined $range ? ('Content-Range' => $range) : ()]);
}

sub status_is {
    my ($location, $range, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $a = $r->request('GET', $location);
    is($a->{status}, 204, "$title: 204");
    is($a->header('range'), $range, "$title: Range");
    is($a->header('content-length'), undef, "$title: no Content-Length");
    is($a->{body}, '', "$title: no body");
    return $a;
}

sub closes {
    my ($location, $bytes, $title, $rest, @headers) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $digest = sha256($bytes);
    my $a = $r->request('PUT', with_digest($location, $digest),
        body => $rest // '', headers => \@headers);
    is($a->{status}, 201, $title) or diag($a);
    ok($r->request('GET', "/v2/a/blobs/$digest")->{body} eq $bytes,
        "$title: the bytes");
}


# ---- 35

my $location = start();
my $a = patch($location, 'abcd', '0-3');
is($a->{status}, 202, '35: a chunk is 202');
is($a->header('range'), '0-3', '35: Range is what has arrived');
ok($a->header('location'), '35: Location');
$a = patch($a->header('location'), 'efgh', '4-7');
is($a->header('range'), '0-7', '35: and so for the next one');
closes($location, 'abcdefgh', '41: the last chunk by PATCH, an empty PUT');


# ---- 36

for my $range ('bytes 0-3', 'bytes=0-3', 'bytes 0-3/4', 'bytes 0-3/*') {
    like(patch(start(), 'abcd', $range)->{status}, qr/^(?:202|400|416)$/,
        "36: '$range' is taken or refused");
}
for my $range ('3-0', '0', '-3', 'x-y', '0-99999999999999999999') {
    like(patch(start(), 'abcd', $range)->{status}, qr/^(?:400|416)$/,
        "36: '$range' is refused");
}


# ---- 37

$location = start();
patch($location, 'stream ', undef, chunked => 3);
$a = patch($location, 'goes on', undef);
is($a->header('range'), '0-13', '37: without Content-Range it is appended');
closes($location, 'stream goes on', '37: and closes');


# ---- 38

$location = start();
error_is(patch($location, 'late', '10-13'), 416, 'BLOB_UPLOAD_INVALID',
    '38: a first chunk not at 0 is 416');
is(patch($location, 'abcd', '0-3')->{status}, 202, '38: the session lives');
for my $case (['a gap', '5-8'], ['an overlap', '3-6'],
    ['a return to 0', '0-3'])
{
    $a = patch($location, 'efgh', $case->[1]);
    is($a->{status}, 416, "38: $case->[0] is 416");
    status_is($location, '0-3', "38: nothing is written by $case->[0]");
}
is(patch($location, 'efgh', '4-7')->{status}, 202, '38: and it goes on');
closes($location, 'abcdefgh', '38: and closes');


# ---- 39, 40

$location = start();
patch($location, 'abcd', '0-3');
my $put = with_digest($location, sha256('abcdefgh'));
$a = $r->request('PUT', $put, body => 'efgh',
    headers => ['Content-Range' => '6-9']);
is($a->{status}, 416, '39: a PUT out of order is 416') or diag($a);
status_is($location, '0-3', '39: the session survives');
$a = status_is($put, '0-3', '40: with digest= in the URL');
ok($a->header('location'), '40: Location');
closes($location, 'abcdefgh', '41: the last chunk by PUT', 'efgh',
    'Content-Range' => '4-7');

like($r->request('GET', start())->header('range'), qr/^0-(?:0|-1)$/,
    '40: the Range of an empty session');


# ---- 42

$location = start();
error_is(patch($location, 'abcd', '0-9'), 400, 'SIZE_INVALID',
    '42: a length unlike the range is 400 SIZE_INVALID');
like($r->request('GET', $location)->header('range'), qr/^0-(?:0|-1)$/,
    '42: nothing is written');


# ---- 43

$a = $r->request('POST', '/v2/a/blobs/uploads/', body => '');
is($a->header('oci-chunk-min-length'), undef, '43: chunks have no minimum');
$location = $a->header('location');
my $at = 0;
for my $part (split //, 'letters') {
    $at++ if patch($location, $part, "$at-$at")->{status} == 202;
}
is($at, 7, '43: chunks of one byte are taken');
closes($location, 'letters', '43: and close');


# ---- 44

my $first = start();
my $second = patch($first, 'abcd', '0-3')->header('location');
is(patch($first, 'abcd', '0-3')->{status}, 416,
    '44: a first chunk sent again to the first Location is 416');
status_is($first, '0-3', '44: the first Location tells what is now');
is(patch($second, 'efgh', '4-7')->header('range'), '0-7',
    '44: the last Location goes on');
$a = status_is($first, '0-7', '44: and the first one knows');
closes($first, 'abcdefgh', '44: any Location closes');

fsck_ok($r, 'the tree is sound');
done_testing;
