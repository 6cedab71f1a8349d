# What is refused keeps its reason, whatever else is wrong with the request.

use Test::Registry;

my $r = Test::Registry->new(
    http     => 'map $arg_ask $realm { default off; yes registry; }',
    location => 'auth_basic $realm; auth_basic_user_file /dev/null;');


# ---- nginx's own refusals keep their headers

my $a = $r->request('GET', '/v2/?ask=yes');
error_is($a, 401, 'UNAUTHORIZED', 'auth_basic refuses in JSON');
like($a->header('www-authenticate') // '', qr/^Basic realm="registry"/,
    'and its challenge stays');

$a = $r->request('GET', '/v2/');
is($a->{status}, 200, 'without it the door is open');


# ---- a large body hides no other mistake

my $large = bytes('large', 6 << 20);

error_is($r->request('PATCH', '/v2/Bad/blobs/uploads/x', body => $large),
    400, 'NAME_INVALID', 'a bad name with a large body');
error_is($r->request('PATCH', '/v2/good/blobs/uploads/x', body => $large),
    404, 'BLOB_UPLOAD_UNKNOWN', 'a bad session with a large body');
error_is($r->request('PUT', '/v2/good/manifests/x', body => $large,
    headers => ['Content-Type' => 'application/json']),
    413, 'SIZE_INVALID', 'a manifest of 6 MiB');

# Refused before it comes, or, where nobody told how long it is, with the byte
# that is too much.
for my $case (['PUT', '/v2/good/manifests/x', 4 << 20],
    ['POST', '/v2/_token', 64 << 10])
{
    my ($method, $path, $max) = @$case;
    for my $how ([length => $max + 1, body => ''],
        [chunked => 16_384, unfinished => 1,
            body => substr($large, 0, $max + 1)])
    {
        my $c = $r->connect;
        $c->send_request($method, $path, @$how, headers => ['Content-Type'
            => 'application/x-www-form-urlencoded']);
        my $answer = eval { $c->response($method) };
        is($answer && $answer->{status}, 413, "$method $path, $how->[0]")
            or diag($@ // $answer);
        $c->close;
    }
}

is($r->request('POST', '/v2/good/blobs/uploads/?mount=' . sha256('x')
    . '&from=other', body => $large)->{status}, 202,
    'a mount that brings a body starts a session all the same');


# ---- a session that somebody writes to is not cancelled

my $location = $r->start_upload('good');
my $writer = $r->connect;

$writer->send("PATCH $location HTTP/1.1\r\nHost: x\r\n"
    . "Content-Length: 1000000\r\n\r\n" . bytes('slow', 600_000));

ok(wait_until(10, sub {
    $r->request('GET', $location)->header('range') ne '0-0'
}), 'some of it has arrived');

error_is($r->request('DELETE', $location), 409, 'BLOB_UPLOAD_INVALID',
    'a cancel while it is written to');

$writer->close;

ok(wait_until(10, sub { $r->request('DELETE', $location)->{status} == 204 }),
    'it is cancelled when the writer has gone');
is($r->request('GET', $location)->{status}, 404, 'and gone');

done_testing;
