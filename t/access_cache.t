# What nginx remembers of decisions, and for how long (SECURITY.md S13, S14).

use Test::Registry;

use File::Temp ();
use Test::Registry::Process qw(read_file);

my $dir = File::Temp->newdir;
my $users = "$dir/users";

accounts($users, alice => 'a', bob => 'b');

my $log_format = q{log_format registry '$request_method $uri}
    . q{ user=$registry_user repo=$registry_repository act=$registry_action}
    . q{ digest=$registry_digest cache=$registry_cache';};

my $r = Test::Registry->new(
    http     => "registry_auth_zone decisions:64k; $log_format",
    server   => 'access_log registry.log registry;',
    location => 'registry_auth_cache 5s;',
    config   => <<"YAML");
  access:
    rules:
      - { who: alice, repositories: "team/**", actions: "*" }
      - { who: bob, repositories: "team/app", actions: pull }
auth:
  htpasswd:
    path: $users
YAML

my ($alice, $bob) = ([basic(alice => 'a')], [basic(bob => 'b')]);

sub ask {
    my ($method, $path, $headers, %opt) = @_;

    return $r->request($method, $path, headers => $headers // [], %opt);
}

sub push_blob {
    my ($repo, $bytes, $headers) = @_;

    my $digest = sha256($bytes);
    my $location = ask('POST', "/v2/$repo/blobs/uploads/", $headers,
        body => '')->header('location');
    my $a = ask('PUT', with_digest($location, $digest), $headers,
        body => $bytes);
    return $a->{status} == 201 ? $digest : die "no push: $a\n";
}

# Of the log, whose line is written after the answer.

sub last_line_is {
    my ($want, $name) = @_;

    my $line = '';
    wait_until(10, sub {
        $line = (split /\n/, read_file($r->dir . '/registry.log'))[-1] // '';
        return $line =~ $want;
    });
    like($line, $want, $name);
}

my $bytes = bytes('blob', 4000);
my $digest = push_blob('team/app', $bytes, $alice);
push_blob('team/other', $bytes, $alice);
my $blob = "/v2/team/app/blobs/$digest";


# ---- a decision is used again, for what it was and for nothing else

is(ask('GET', $blob, $alice)->{body}, $bytes, 'alice reads');
is(ask('GET', $blob, $bob)->{body}, $bytes, 'bob reads');
is(ask('GET', $blob)->{status}, 401, 'nobody does not, with the same URL');
is(ask('GET', $blob, [basic(bob => 'a')])->{status}, 401,
    'nor bob with another\'s password');
is(ask('GET', "/v2/team/other/blobs/$digest", $bob)->{status}, 403,
    'nor bob in another repository');

my $location = ask('POST', '/v2/team/app/blobs/uploads/', $alice, body => '')
    ->header('location');
is(ask('PATCH', $location, $bob, body => 'x')->{status}, 403,
    'nor does he write because he may read');
is(ask('PATCH', $location, $alice, body => 'x')->{status}, 202,
    'alice writes');
is(ask('PATCH', $location, $alice, body => bytes('big', 3 << 20),
    headers => [@$alice, Expect => '100-continue'])->{status}, 202,
    'a body that waits for its 100');
is(ask('PATCH', $location, $alice, body => bytes('c', 70_000),
    chunked => 5000)->{status}, 202, 'a body in chunks');

my $all = 'x' . bytes('big', 3 << 20) . bytes('c', 70_000);
is(ask('PUT', with_digest($location, sha256($all)), $alice, body => '')
    ->{status}, 201, 'no byte was lost while the worker was asked');

$location = ask('POST', '/v2/team/app/blobs/uploads/', $alice, body => '')
    ->header('location');
sleep 6;                             # longer than registry_auth_cache
is(ask('PUT', with_digest($location, sha256($all)), $alice, body => $all)
    ->{status}, 201, 'a body that comes while the worker is asked');


# ---- how long

my $a;
for (1 .. 20) {
    ask('GET', $blob, $alice);
    $r->kill_worker;
    $a = ask('GET', $blob, $alice);
    last if $a->{status} == 200;               # else the 5 s are over already
    $r->start_worker;
}
is($a->{status}, 200, 'what was decided is served without the worker');
ok(wait_until(20, sub { ask('GET', $blob, $alice)->{status} >= 500 }),
    'until registry_auth_cache is over');
$a = ask('GET', $blob, $alice);
error_is($a, $a->{status}, 'UNAVAILABLE', 'then it says why');
$r->start_worker;
ok(wait_until(15, sub { ask('GET', $blob, $alice)->{status} == 200 }),
    'and it is back with the worker');


# ---- a password that was changed, an account that is no more

$r->{opt}{location} = 'registry_auth_cache 1h;';
$r->write_nginx_conf;
$r->restart_nginx;

is(ask('GET', $blob, $alice)->{status}, 200, 'alice once more, for an hour');
accounts($users, alice => 'new');
my ($status, $out) = $r->run($ENV{REGISTRY_CTL} // 'build/registryctl',
    'auth', 'flush', '--config', $r->config_file);
is($status, 0, 'registryctl auth flush') or diag($out);
ok(wait_until(10, sub { ask('GET', $blob, $alice)->{status} == 401 }),
    'makes nginx forget within a moment');
is(ask('GET', $blob, [basic(alice => 'new')])->{status}, 200,
    'the new password is good');

accounts($users, alice => 'a', bob => 'b');
kill 'HUP', $r->worker_pid;
ok(wait_until(10, sub {
    ask('GET', $blob, [basic(alice => 'new')])->{status} == 401 }),
    'a reload of the worker does too');


# ---- a reload of nginx keeps what it knows

is(ask('GET', $blob, $alice)->{status}, 200, 'alice, for an hour');
my ($old) = $r->nginx_workers;
kill 'HUP', $r->nginx_pid;
ok(wait_until(10, sub { my ($new) = $r->nginx_workers;
    $new && $new != $old }), 'nginx reloads');
$r->stop_worker;
is(ask('GET', $blob, $alice)->{status}, 200,
    'and still knows what was decided');
$r->start_worker;


# ---- what clients may say has no effect

for my $header (['Registry-Purpose' => 'decide'],
    ['Registry_Purpose' => 'decide'], ['Registry-Decision' => 'allow'],
    ['Registry-Root' => '/'], ['Proxy' => 'http://127.0.0.1:1'],
    ['X-Accel-Redirect' => $blob], ['X-Original-Uri' => '/v2/'],
    ['Remote-User' => 'alice'], ['Authorization' => 'Basic'])
{
    is(ask('GET', $blob, $header)->{status}, 401,
        "$header->[0]: has no effect");
    is(ask('GET', '/v2/team/app/tags/list', $header)->{status}, 401,
        "nor on what the worker answers");
}

for my $path ('/v2/_auth', '/_registry/auth', '/v2/_auth/epoch',
    '/v2/decide', '/token')
{
    like(ask('GET', $path, $alice)->{status}, qr/^40[04]$/,
        "there is no $path");
}

$a = ask('GET', '/v2/team/app/tags/list', $alice);
unlike($a->{head}, qr/registry-(?:user|decision|until)/i,
    'what the worker tells nginx is not told to clients');


# ---- the log

# a line is written after the answer
my $log;
wait_until(10, sub {
    $log = read_file($r->dir . '/registry.log');
    return $log =~ m{/tags/list user=alice};
});
like($log, qr{GET $blob user=alice repo=team/app act=pull digest=$digest cache=HIT},
    'the log says who had what, and from memory');
like($log, qr{GET $blob user=bob .* cache=MISS}, 'or by asking');
like($log, qr{GET $blob user=- .* cache=MISS}, 'or that nobody had it');
like($log, qr{PATCH \S+ user=alice repo=team/app act=push digest=- },
    'writing is another action');
like($log, qr{GET /v2/team/app/tags/list user=alice repo=team/app},
    'what the worker answers has its user too');


# ---- more decisions than the zone has room for

for my $n (1 .. 500) {
    ask('GET', "/v2/team/r$n/blobs/$digest", $alice);
}
is(ask('GET', $blob, $alice)->{status}, 200,
    'when the zone is full, the oldest goes and nobody is refused');
last_line_is(qr/cache=MISS/, 'the oldest was this one');
is(ask('GET', $blob, $alice)->{status}, 200, 'it is kept once more');
last_line_is(qr/cache=HIT/, 'in the place of another');

fsck_ok($r, 'the tree is sound');

# ---- a door that was open, and is closed

{
    my $open = Test::Registry->new(registry => 'registry_auth_cache 60s;');
    my $path = '/v2/a/blobs/' . $open->push_blob('a', 'for everybody once');
    is($open->request('GET', $path)->{status}, 200, 'everybody may')
        for 1 .. 3;

    accounts("$open->{dir}/users", alice => 'secret');
    $open->{opt}{config} = "auth:\n  htpasswd:\n    realm: x\n"
        . "    path: $open->{dir}/users\n";
    $open->write_config;
    kill 'HUP', $open->worker_pid;

    my $answer;
    ok(wait_until(20, sub {
        $answer = $open->request('GET', $path);
        return $answer->{status} == 401;
    }), 'and long before the minute is over nobody') or diag($answer);
    is($open->request('GET', $path, headers => [basic(alice => 'secret')])
        ->{status}, 200, 'but who has an account');
}

done_testing;
