# What nginx asks of the worker before it serves a blob: only a clear word lets
# anybody in, and no trouble with it is the client's (SECURITY.md S3, S13, S14).

use Test::Registry;
use Test::Registry::Responder;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();

my $dir = File::Temp->newdir;
my $params = abs_path(dirname(__FILE__) . '/..') . '/conf/registry_params';
my $odd = Test::Registry::Responder->new("$dir/odd.sock");
my $strict = Test::Registry::Responder->new("$dir/strict.sock");

# The real worker is open.  Beside its location there are others of the same
# tree, whose worker is the odd one.

my $r = Test::Registry->new(
    root   => "$dir/root",
    server => 'add_header X-Cache $registry_cache always;',
    http   => <<"CONF");
    upstream odd {
        server    unix:$dir/odd.sock;
        keepalive 4;
    }
    server {
        listen     unix:$dir/http;
        listen     unix:$dir/http2 http2;
        root       $dir/root;
        add_header X-Cache \$registry_cache always;
        add_header X-User  \$registry_user always;
        fastcgi_next_upstream off;

        location /v2/ {
            registry      $dir/root;
            include       $params;
            fastcgi_pass  odd;

            location /v2/unasked/ {
                registry_auth off;
                include       $params;
                fastcgi_pass  odd;
            }

            location /v2/again/ {
                registry_auth_cache 0;
                include       $params;
                fastcgi_pass  odd;
            }

            # as careless as can be: what the answer says is done
            location /v2/steered/ {
                registry_auth_cache      0;
                fastcgi_pass             odd;
                fastcgi_param            REGISTRY_PURPOSE \$registry_purpose;
                fastcgi_intercept_errors on;
                error_page               401 502 /page;
                recursive_error_pages    on;
            }
        }

        location = /page {
            add_header Registry-Decision allow always;
            return 204;
        }
    }
    server {
        listen unix:$dir/strict;

        location /v2/ {
            registry      $dir/root;
            include       $params;
            fastcgi_pass  unix:$dir/strict.sock;
        }
    }
CONF

my %path;
my $bytes = bytes('blob', 5000);
for my $repo (qw(team/app again/app steered/app unasked/app)) {
    $path{$repo} = "/v2/$repo/blobs/" . $r->push_blob($repo, $bytes);
}

sub ask {
    my ($method, $path, %opt) = @_;

    my $c = Test::Registry::Connection->new(
        unix => "$dir/" . ($opt{server} // 'http'));
    my $answer = $c->request($method, $path, %opt,
        headers => [@{ $opt{headers} // [] }, Connection => 'close']);
    $c->close;
    return $answer;
}

sub allow {
    my (@headers) = @_;

    return join "\r\n", 'Status: 204', 'Registry-Decision: allow', @headers,
        '', '';
}

# The questions since the last call.
my $seen = 0;
sub questions {
    my @all = grep { $_->{purpose} eq 'decide' } $odd->asked;
    my @new = @all[$seen .. $#all];
    $seen = @all;
    return @new;
}

sub waits {
    my ($n) = @_;

    return wait_until(20, sub {
        grep({ $_->{purpose} eq 'decide' } $odd->asked) >= $seen + $n });
}


# ---- what one worker says is nothing to another's location

is($r->request('GET', $path{'team/app'})->{status}, 200,
    'where everybody may, anybody does');
is($r->request('GET', $path{'team/app'})->header('x-cache'), 'OPEN',
    'without asking again');
$odd->says("Status: 401\r\n\r\n");
is(ask('GET', $path{'team/app'})->{status}, 401,
    'another location of the same tree has its own worker');

$odd->says(allow());
is(ask('GET', $path{'team/app'})->{body}, $bytes, 'which allows it then');
is(ask('GET', $path{'team/app'})->header('x-cache'), 'HIT', 'once');
$strict->says("Status: 401\r\n\r\n");
is(ask('GET', $path{'team/app'}, server => 'strict')->{status}, 401,
    'nor is what it allows good for the next one');
is(ask('GET', $path{'again/app'})->header('x-cache'), 'MISS',
    'and not for a location inside it that has its own');


# ---- only an allow is one

my $soon = time + 3600;
my $past = time - 1;

for my $case (
    ['allow',              allow(), 200],
    ['and a user',         allow('Registry-User: robot%24ci'), 200],
    ['until then',         allow("Registry-Until: $soon"), 200],
    ['open',               "Status: 204\r\nRegistry-Decision: open\r\n\r\n",
        200],
    ['any case of names',  "Status: 204\r\nREGISTRY-DECISION: allow\r\n\r\n",
        200],
    ['with a body',        allow() . 'body', 200],

    ['no decision',        "Status: 204\r\nX: y\r\n\r\n"],
    ['an empty one',       "Status: 204\r\nRegistry-Decision:\r\n\r\n"],
    ['another word',       "Status: 204\r\nRegistry-Decision: yes\r\n\r\n"],
    ['more than it',       "Status: 204\r\nRegistry-Decision: allowed\r\n\r\n"],
    ['two of them',        allow('Registry-Decision: allow')],
    ['one of each',        allow('Registry-Decision: deny')],
    ['until now',          allow("Registry-Until: $past")],
    ['until never',        allow('Registry-Until: never')],
    ['until -1',           allow('Registry-Until: -1')],
    ['until beyond time',  allow('Registry-Until: 99999999999999999999')],
    ['until two times',    allow("Registry-Until: $soon",
        "Registry-Until: $soon")],
    ['an impossible user', allow('Registry-User: a%0ab')],
    ['a user too long',    allow('Registry-User: ' . 'x' x 500)],
    ['two users',          allow('Registry-User: a', 'Registry-User: b')],
    ['200',                "Status: 200\r\nRegistry-Decision: allow\r\n\r\n"],
    ['no status',          "Registry-Decision: allow\r\n\r\n"],
    ['201',                "Status: 201\r\nRegistry-Decision: allow\r\n\r\n"],
    ['302',                "Status: 302\r\nLocation: $path{'unasked/app'}\r\n"
        . "Registry-Decision: allow\r\n\r\n"],
    ['Location alone',     "Location: $path{'unasked/app'}\r\n"
        . "Registry-Decision: allow\r\n\r\n"],
    ['304',                "Status: 304\r\nRegistry-Decision: allow\r\n\r\n"],
    ['401',                "Status: 401\r\nRegistry-Decision: allow\r\n\r\n"],
    ['404 with a page',    "Status: 404\r\n\r\n" . 'page' x 50_000],
    ['500',                "Status: 500\r\nRegistry-Decision: allow\r\n\r\n"],
    ['X-Accel-Redirect',   allow("X-Accel-Redirect: $path{'unasked/app'}")],
    ['a 204 behind one',   allow('X-Accel-Redirect: /page')],
    ['a named one',        allow('X-Accel-Redirect: @nowhere')],
    ['no HTTP at all',     "\0\1\2 nonsense"],
    ['nothing',            ''],
    ['a broken connection', $odd->HANG_UP],
)
{
    my ($title, $answer, $status) = @$case;
    $status //= 401;

    $odd->says($answer);
    for my $repo ('again/app', 'steered/app') {
        for my $method ('GET', 'HEAD') {
            my $a = ask($method, $path{$repo});
            $a->{status} = 401          # the page of a careless location
                if $repo eq 'steered/app' && $status == 401
                && $a->{status} == 204 && !length $a->{body};
            is($a->{status}, $status, "$title: $status ($method $repo)")
                or diag($a->{head});
            next if $method eq 'HEAD' || $repo eq 'steered/app';

            if ($status == 200) {
                ok($a->{body} eq $bytes, "$title: the blob and nothing else");
            } else {
                like($a->{body}, qr/^\{"errors".*odd one"\}\]\}$/,
                    "$title: the worker's own word and nothing else");
            }
            unlike($a->{head}, qr/^Registry-/mi, "$title: no header of ours");
        }
    }
}

is(ask('GET', $path{'unasked/app'})->header('x-cache'), 'OFF',
    'registry_auth off asks nobody');

$odd->says(allow('Registry-User: robot%24ci'));
is(ask('GET', $path{'again/app'})->header('x-user'), 'robot$ci',
    'the user is known by its name');
$odd->says("Status: 401\r\n\r\n");
is(ask('GET', $path{'again/app'})->header('x-user'), 'odd',
    'also of what the worker answers');


# ---- until

# again if three seconds were over before the second answer
my ($repo, $end, @cache);
for my $n (1 .. 20) {
    $repo = "team/until$n";
    $path{$repo} = "/v2/$repo/blobs/" . $r->push_blob($repo, $bytes);
    $end = time + 3;
    $odd->says(allow("Registry-Until: $end"));
    @cache = map { ask('GET', $path{$repo})->header('x-cache') } 1, 2;
    last if "@cache" eq 'MISS HIT';
}
is("@cache", 'MISS HIT', 'asked, and remembered');
$odd->says("Status: 401\r\n\r\n");
ok(wait_until(10, sub { ask('GET', $path{$repo})->{status} == 401 }),
    'until the end that the worker named');
cmp_ok(Time::HiRes::time(), '>=', $end, 'and not before');
cmp_ok(time, '<', $end + 50, 'nor the minute of the cache after');


# ---- whatever the request, the question has its method and no body

sub start {
    my ($repo) = @_;

    return $r->start_upload($repo);
}

$odd->says(allow());
my $big = bytes('big', 1_500_000);
questions();

for my $case (
    ['whole',       body => $big],
    ['chunked',     body => $big, chunked => 9000],
    ['waiting for 100', body => $big, expect => 1],
    ['in pieces',   body => $big, piece => 300_000, pause => 0.01],
    ['small',       body => 'small'],
    ['none',        body => ''],
)
{
    my ($title, %opt) = @$case;
    my $digest = sha256($opt{body});

    my $location = start('again/push');
    is(ask('PATCH', $location, %opt)->{status}, 202, "PATCH, $title");
    is(ask('PUT', with_digest($location, $digest), body => '')->{status}, 201,
        "PATCH, $title: every byte of it");

    $location = start('again/push');
    is(ask('PUT', with_digest($location, $digest), %opt)->{status}, 201,
        "PUT, $title");

    is(ask('POST', "/v2/again/push/blobs/uploads/?digest=$digest", %opt)
        ->{status}, 201, "POST, $title");
}

my @asked = questions();
is(join(' ', map { $_->{method} } @asked[0 .. 3]), 'PATCH PUT PUT POST',
    'the question has the request\'s method');
is(scalar(grep { $_->{body} } @asked), 0, 'and no byte of its body');
is(scalar(grep { $_->{uri} !~ m{^/v2/again/push/blobs/uploads/} } @asked), 0,
    'and its URI');
my %connections = map { $_->{connection} => 1 } @asked;
cmp_ok(scalar(keys %connections), '<=', 2,
    'all went over a connection that was kept');

$odd->says("Status: 401\r\n\r\n");
my $location = start('again/push');
for my $opt ([body => $big], [body => $big, chunked => 9000],
    [body => $big, expect => 1])
{
    is(ask('PATCH', $location, @$opt)->{status}, 401, 'a refused upload');
}
is(-s $r->tree->upload('again/push', uuid_of($location)) . '/data' // 0, 0,
    'not a byte is on disk');


# ---- several requests of one connection

sub statuses {
    my ($c, $n) = @_;

    return join ' ', map { $c->response('GET')->{status} } 1 .. $n;
}

my $get = sub { "GET $path{$_[0]} HTTP/1.1\r\nHost: x\r\n\r\n" };
my $c = Test::Registry::Connection->new(unix => "$dir/http");
$odd->says(allow());
$c->send($get->('again/app') x 5);
is(statuses($c, 5), '200 200 200 200 200', 'five at once are asked in turn');
$c->send("PATCH $location HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfives"
    . $get->('again/app') . $get->('unasked/app'));
is(statuses($c, 3), '202 200 200', 'also behind a body');
$odd->says("Status: 401\r\n\r\n");
$c->send("PATCH $location HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfives"
    . $get->('again/app') . $get->('unasked/app'));
is(statuses($c, 3), '401 401 200', 'or when they are refused');
$c->close;
is(-s $r->tree->upload('again/push', uuid_of($location)) . '/data', 5,
    'the refused body is nowhere');


# ---- a worker that takes its time

$odd->says($odd->HOLD);
questions();

my @waiting = map {
    Test::Registry::Connection->new(unix => "$dir/http") } 1 .. 10;
$_->send($get->('again/app')) for @waiting;
ok(waits(10), 'ten requests wait for a slow worker');
is(ask('GET', $path{'unasked/app'})->{status}, 200, 'nobody else does');
my $other = $r->request('GET', $path{'team/app'});
is($other->{status}, 200, 'whoever\'s worker it is not');
$odd->says(allow());
is(scalar(grep { $_->response('GET')->{body} eq $bytes } @waiting), 10,
    'all are served in the end');
$_->close for @waiting;

$odd->says($odd->HOLD);
questions();
$c = Test::Registry::Connection->new(unix => "$dir/http");
$c->send("PATCH $location HTTP/1.1\r\nHost: x\r\n"
    . "Content-Length: 1500000\r\n\r\n" . substr($big, 0, 50_000));
ok(waits(1), 'a body comes while the worker thinks');
$odd->says(allow());
$c->send(substr($big, 50_000));
is($c->response('PATCH')->header('range'), '0-1500004', 'and arrives whole');
$c->close;


# ---- a client that goes away meanwhile

for my $round (1 .. 3) {
    for my $bye (qw(close reset)) {
        $odd->says($odd->HOLD);
        questions();
        my @gone = map {
            Test::Registry::Connection->new(unix => "$dir/http") } 1 .. 6;
        $gone[$_]->send($get->('again/app')) for 0, 1;
        $gone[$_]->send("PATCH $location HTTP/1.1\r\nHost: x\r\n"
            . "Content-Length: 1500000\r\n\r\n" . 'x' x 100_000) for 2, 3;
        $gone[4]->send("PUT $location HTTP/1.1\r\nHost: x\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        $gone[5]->send($get->('again/app') . $get->('again/app'));
        ok(waits(6), "six ask, round $round");
        $_->$bye for @gone;
        $odd->says(allow());
        is(ask('GET', $path{'again/app'})->{status}, 200,
            "$bye: the next is served");
    }
}

for my $kill (0, 1) {
    $odd->says($odd->HOLD);
    questions();
    my $pid = open(my $pipe, '-|', 'curl', '-s', '-o', "$dir/out", '-w',
        '%{http_version} %{http_code}', '--http2-prior-knowledge',
        '--unix-socket', "$dir/http2", '-X', 'PATCH', '--data-binary',
        '@' . do { write_file("$dir/big", $big); "$dir/big" },
        "http://x" . start('again/h2')) or die "curl: $!";
    ok(waits(1), 'an HTTP/2 upload waits for a slow worker');
    kill 'KILL', $pid if $kill;
    $odd->says(allow());
    my $said = do { local $/; <$pipe> } // '';
    close $pipe;
    is($said, '2 202', 'and arrives') unless $kill;
    is(ask('GET', $path{'again/app'})->{status}, 200, 'all goes on');
}

for my $repo ('again/app', 'unasked/app') {
    my $got = `curl -s --http2-prior-knowledge --unix-socket $dir/http2 http://x$path{$repo}`;
    ok($got eq $bytes, "an HTTP/2 download of $repo");
}


# ---- a worker that goes away

$odd->says(allow());
is(ask('GET', $path{'team/app'})->{status}, 200, 'asked while it is there');
$odd->stop;
unlink "$dir/odd.sock";
$r->expect_log(qr/connect\(\) to unix:.*odd\.sock/);
is(ask('GET', $path{'team/app'})->{body}, $bytes,
    'what was allowed is served without the worker');
for my $method ('GET', 'HEAD') {
    my $a = ask($method, $path{'again/app'});
    is($a->{status}, 502, "$method: what is asked each time is not");
    error_is($a, 502, 'UNAVAILABLE', 'in JSON') if $method eq 'GET';
}
error_is(ask('PATCH', $location, body => $big), 502, 'UNAVAILABLE',
    'nor is a body taken');

fsck_ok($r, 'the tree is sound');

done_testing;
