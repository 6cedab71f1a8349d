# Where one request ends and the next begins (SECURITY.md S7): no byte of one
# reaches another's blob.

use Test::Registry;

my $r = Test::Registry->new;

my $location = $r->start_upload('a');
my $data = $r->tree->upload('a', uuid_of($location)) . '/data';
my $smuggled = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n";


# Sends bytes; the statuses of all answers until the server closes, which the
# last one said or not.

my $closed;

sub statuses {
    my ($bytes) = @_;

    my $c = $r->connect;
    $c->send($bytes);
    my @statuses;
    while (@statuses < 5) {
        my $answer = eval { $c->response('GET') };
        last if !$answer || !$answer->{status};
        push @statuses, $answer->{status};
        $closed = ($answer->header('connection') // '') eq 'close';
        last if $closed;
    }
    $c->close;
    return "@statuses";
}

# The lock goes with the request that had it.

sub let_go {
    wait_until(10, sub {
        $r->request('PATCH', $location, body => '')->{status} != 409;
    });
}

sub holds_ok {
    my ($bytes, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    let_go();
    is($r->tree->content($data), $bytes, "$title: the upload holds its own");
}

my $patch = "PATCH $location HTTP/1.1\r\nHost: x\r\n";
my $bye   = "Connection: close\r\n";

is(statuses("${patch}${bye}Content-Length: 3\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled"), '400',
    'two lengths are refused');
is(statuses("${patch}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    '400', 'two Content-Lengths as well');
is(statuses("${patch}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    '501', 'and codings that we have not');
is(statuses("${patch}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    '501', 'or that nobody has');
is(statuses("${patch}Content-Length: $_\r\n\r\nabc"), '400',
    "Content-Length: $_") for '-3', '3x', '99999999999999999999', '0x3', '+3';
holds_ok('', 'refused lengths');

is(statuses("${patch}Content-Length: 3\r\n\r\nabc"
    . "GET /v2/ HTTP/1.1\r\nHost: x\r\n$bye\r\n"), '202 200',
    'what follows the length is the next request');
holds_ok('abc', 'Content-Length');

is(statuses("${patch}Content-Length: 3\r\n\r\ndefGARBAGE\r\n\r\n"),
    '202 400', 'or none');
holds_ok('abcdef', 'trailing garbage');

is(statuses("${patch}Transfer-Encoding: chunked\r\n\r\n"
    . "3;ext=\"x\"\r\nghi\r\n0003\r\njkl\r\n0\r\nTrailer: x\r\n\r\n"
    . "GET /v2/ HTTP/1.1\r\nHost: x\r\n$bye\r\n"), '202 200',
    'chunks with extensions, zeros and trailers');
holds_ok('abcdefghijkl', 'chunks');

is(statuses("PATCH $location HTTP/1.0\r\nContent-Length: 1\r\n\r\nm"), '202',
    'HTTP/1.0 with a length');
holds_ok('abcdefghijklm', 'HTTP/1.0');
like(statuses("PATCH $location HTTP/1.0\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n1\r\nn\r\n0\r\n\r\n"), qr/^40\d$/,
    'HTTP/1.0 knows no chunks');
holds_ok('abcdefghijklm', 'HTTP/1.0 with chunks');

for my $bad ("zz\r\nabc\r\n", "ffffffffffffffff0\r\nabc\r\n", "-1\r\na\r\n",
    "\r\nabc\r\n", "8000000000000000\r\n")
{
    my $shown = $bad =~ s/\r\n.*//sr;
    is(statuses("${patch}Transfer-Encoding: chunked\r\n\r\n$bad"), '400',
        "a chunk of size '$shown'");
}
holds_ok('abcdefghijklm', 'chunks of no size');

# A bad chunk after good ones: what was good may stay, nothing else.
my $answer = statuses("${patch}Transfer-Encoding: chunked\r\n\r\n"
    . "1\r\nn\r\n1\r\noXX$smuggled");
is($answer, '400', 'a chunk that is longer than it says');
let_go();
like($r->tree->content($data), qr/^abcdefghijklmn?o?\z/,
    'nothing that was no chunk is in the upload');

my $content = $r->tree->content($data);
is($r->request('PUT', with_digest($location, sha256($content)), body => '')
    ->{status}, 201, 'the digest is that of the chunks');

# More of it than nginx has room for a header, behind a chunk of any size: it may
# end the connection instead of answering, and nothing else.
for my $size (1, 5000, 32_768, 700_000) {
    my $bytes = bytes("pipe $size", $size);
    $location = $r->start_upload('a');
    $data = $r->tree->upload('a', uuid_of($location)) . '/data';
    my $get = "GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 7000 . "\r\n";
    like(statuses("PATCH $location HTTP/1.1\r\nHost: x\r\n"
        . sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
            $size, $bytes) . "$get\r\n$get\r\n$get$bye\r\n"),
        qr/^202(?: 200){0,3}\z/, "three requests behind a chunk of $size bytes");
    ok($closed, 'who hears no answer hears that it was the last');
    holds_ok($bytes, "a chunk of $size bytes");
}


# ---- errors do not confuse what follows them

my $blob = $r->push_blob('a', 'after an error');
for my $first (
    "PATCH /v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000",
    "PUT /v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000"
        . '?digest=' . sha256('x'),
    'PUT /v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000',
    'POST /v2/a/blobs/uploads/?digest=' . sha256('x'),
    'POST /v2/a/blobs/uploads/?digest=junk',
    'PUT /v2/a/manifests/x', 'PUT /v2/UPPER/manifests/x', 'POST /v2/',
    "GET /v2/a/blobs/$blob", "DELETE /v2/a/blobs/" . sha256('x'),
    'GET /v2/nowhere',
)
{
    for my $framing ("Content-Length: " . length($smuggled) . "\r\n\r\n"
        . $smuggled, sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n"
        . "0\r\n\r\n", length $smuggled, $smuggled))
    {
        my $c = $r->connect;
        $c->send("$first HTTP/1.1\r\nHost: x\r\n$framing"
            . "GET /v2/a/blobs/$blob HTTP/1.1\r\nHost: x\r\n\r\n");
        my ($method) = $first =~ /^(\w+)/;
        my $one = $c->response($method);
        my $two = ($one->header('connection') // '') eq 'close' ? undef
            : $c->response('GET');
        ok($one->{status} && (!$two || $two->{body} eq 'after an error'),
            "$first: a body is not read as a request")
            or diag("$one, then " . ($two // 'nothing'));
        $c->close;
    }
}

fsck_ok($r, 'the tree is sound');

done_testing;
