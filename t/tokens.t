# Our own token server: Docker's token protocol, by GET and by POST.

use Test::Registry;

use File::Temp ();
use JSON::PP qw(decode_json);
use MIME::Base64 qw(decode_base64);

my $dir = File::Temp->newdir;
my $users = "$dir/users";
my $state = "$dir/state";

accounts($users, alice => 'w&nder +land%', bob => 'b');

my $r = Test::Registry->new(
    worker => { state => $state },
    config => <<"YAML");
  tokens:
    enabled: true
    service: "my registry"
  access:
    rules:
      - { who: anonymous, repositories: "public/**", actions: pull }
      - { who: alice, repositories: "team/**", actions: "*" }
      - { who: alice, actions: catalog }
      - { who: bob, repositories: "team/**", actions: pull }
auth:
  htpasswd:
    path: $users
YAML

sub bearer { return (Authorization => "Bearer $_[0]") }

my @alice = basic('alice', 'w&nder +land%');

sub ask {
    my ($method, $path, @headers) = @_;

    return $r->request($method, $path, headers => \@headers,
        $method eq 'POST' ? (body => '') : ());
}

sub get_token {
    my ($query, @headers) = @_;

    my $a = ask('GET', "/v2/_token?service=my+registry&$query", @headers);
    die "no token: $a\n" if $a->{status} != 200;
    return $a->json;
}

sub payload {
    my ($token) = @_;

    my (undef, $middle) = split /\./, $token;
    return decode_json(decode_base64($middle =~ tr{-_}{+/}r));
}

sub form {
    my (%field) = @_;

    my $body = join '&', map {
        "$_=" . $field{$_} =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ger
    } sort keys %field;
    return $r->request('POST', '/v2/_token', body => $body,
        headers => ['Content-Type' => 'application/x-www-form-urlencoded']);
}


# ---- the challenge

my $a = ask('GET', '/v2/');
error_is($a, 401, 'UNAUTHORIZED', 'who is nobody is asked to log in');
my $base = 'http://registry.test';   # the Host that was sent
is($a->header('www-authenticate'),
    qq(Bearer realm="$base/v2/_token",service="my registry"),
    'at our token server, without a scope');
is(ask('GET', '/v2/team/app/tags/list')->header('www-authenticate'),
    qq(Bearer realm="$base/v2/_token",service="my registry",)
    . 'scope="repository:team/app:pull"', 'to read: pull');
is(ask('POST', '/v2/team/app/blobs/uploads/?mount=' . sha256('x')
    . '&from=team/base')->header('www-authenticate'),
    qq(Bearer realm="$base/v2/_token",service="my registry",scope=")
    . 'repository:team/app:pull,push repository:team/base:pull"',
    'to push and mount: both');
like(ask('GET', '/v2/_catalog')->header('www-authenticate'),
    qr/scope="registry:catalog:\*"/, 'to list: the catalog');


# ---- by GET

$a = ask('GET', '/v2/_token?scope=repository:team/app:pull,push', @alice);
is($a->{status}, 200, 'alice gets a token');
is($a->header('cache-control'), 'no-store', 'that nobody keeps');
my $json = $a->json;
is($json->{token}, $json->{access_token}, 'under both names');
is($json->{expires_in}, 300, 'for five minutes');
like($json->{issued_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'from now on');
is($json->{refresh_token}, undef, 'without a refresh token');
is(payload($json->{token})->{sub}, 'alice', 'for alice');
is_deeply(payload($json->{token})->{access}, [{ type => 'repository',
    name => 'team/app', actions => ['pull', 'push'] }],
    'with what was asked');

for my $n (63, 65) {
    $a = ask('GET', '/v2/_token?' . join('&', ('scope=repository:team/app:pull')
        x $n), @alice);
    is($a->{status}, $n < 64 ? 200 : 400, "$n scopes") or diag($a);
}
error_is(ask('GET', '/v2/_token?scope=repository:team/' . 'a' x 4100 . ':pull',
    @alice), 400, 'UNSUPPORTED', 'a scope of more than 4 KiB');

my $two = get_token('scope=repository:team/a:pull,push,delete'
    . '&scope=repository:team/b:pull+repository:other:pull,push'
    . '&scope=junk&scope=repository:public/x:pull', @alice);
is_deeply([map { "$_->{name}:@{ $_->{actions} }" }
    @{ payload($two->{token})->{access} }],
    ['team/a:pull push delete', 'team/b:pull', 'public/x:pull'],
    'several scopes, narrowed to what the rules give');
is($two->{scope}, 'repository:team/a:pull,push,delete repository:team/b:pull'
    . ' repository:public/x:pull', 'and said so');
is_deeply(payload(get_token('scope=repository:team/a:*', basic('bob', 'b'))
    ->{token})->{access}[0]{actions}, ['pull'], 'bob may only read');
is_deeply(payload(get_token('scope=repository:team/a:pull')->{token})
    ->{access}, [], 'nobody gets nothing of the team');
is_deeply(payload(get_token('scope=repository:public/x:pull,push')->{token})
    ->{access}[0]{actions}, ['pull'], 'and reads what is public');

$a = ask('GET', '/v2/_token', basic('alice', 'wrong'));
error_is($a, 401, 'UNAUTHORIZED', 'a wrong password');
like($a->header('www-authenticate'), qr/^Basic realm=/,
    'is no reason to ask for a token first');


# ---- use

my @token = bearer($json->{token});
is(ask('GET', '/v2/', @token)->{status}, 200, 'with it one comes in');
my $location = ask('POST', '/v2/team/app/blobs/uploads/', @token);
is($location->{status}, 202, 'and pushes');
$a = ask('POST', '/v2/team/other/blobs/uploads/', @token);
error_is($a, 401, 'UNAUTHORIZED', 'not where it was not for');
like($a->header('www-authenticate'), qr/error="insufficient_scope"/,
    'but could: with another token');
error_is(ask('DELETE', '/v2/team/app/manifests/x', @token), 401,
    'UNAUTHORIZED', 'nor more than it carries');
error_is(ask('POST', '/v2/other/blobs/uploads/', @token), 403, 'DENIED',
    'where alice may not, no other token helps');
is(ask('GET', '/v2/_catalog', bearer(get_token('scope=registry:catalog:*',
    @alice)->{token}))->{status}, 200, 'the catalog has a scope');
is(ask('GET', '/v2/team/app/tags/list', @alice)->{status}, 404,
    'a password without a token is good too');

my $digest = sha256('bytes');
is($r->request('PUT', with_digest($location->header('location'), $digest),
    body => 'bytes', headers => \@token)->{status}, 201, 'bytes go in');
is(ask('GET', "/v2/team/app/blobs/$digest", @token)->{body}, 'bytes',
    'and out');
my $mount = "/v2/team/b/blobs/uploads/?mount=$digest&from=team/app";
my @b = bearer(get_token('scope=repository:team/b:pull,push', @alice)
    ->{token});
$a = ask('POST', $mount, @b);
error_is($a, 401, 'UNAUTHORIZED', 'a mount needs a token for both');
like($a->header('www-authenticate'), qr/scope="repository:team\/b:pull,push
    \srepository:team\/app:pull",error="insufficient_scope"/x,
    'the challenge says so');
is(ask('POST', $mount, bearer(get_token('scope=repository:team/b:pull,push'
    . '&scope=repository:team/app:pull', @alice)->{token}))->{status}, 201,
    'with which it is done');
is(ask('POST', $mount =~ s/team\/app$/other/r, @b)->{status}, 202,
    'where alice may not read, no token helps: it is uploaded');

my @public = bearer(get_token('scope=repository:team/app:pull')->{token});
error_is(ask('GET', "/v2/team/app/blobs/$digest", @public), 401,
    'UNAUTHORIZED', 'not by a token of nobody');


# ---- by POST

my %login = (grant_type => 'password', username => 'alice',
    password => 'w&nder +land%', service => 'my registry',
    client_id => 'docker', scope => 'repository:team/app:pull,push'
        . ' repository:team/b:pull');
$a = form(%login, access_type => 'offline');
is($a->{status}, 200, 'a form logs in') or diag($a);
my $refresh = $a->json->{refresh_token};
ok($refresh, 'offline: with a refresh token');
is(scalar @{ payload($a->json->{access_token})->{access} }, 2,
    'and both scopes');
is(form(%login)->json->{refresh_token}, undef, 'else without');
error_is(form(%login, password => 'x'), 401, 'UNAUTHORIZED', 'not wrongly');
error_is(form(%login, grant_type => 'code'), 400, 'UNSUPPORTED', 'not oddly');
error_is(form(grant_type => 'password'), 400, 'UNSUPPORTED', 'not halfway');
is(form(%login, client_id => 'x' x 70_000)->{status}, 413,
    'nor endlessly');

my %again = (grant_type => 'refresh_token', service => 'my registry',
    scope => 'repository:team/app:pull');
$a = form(%again, refresh_token => $refresh);
is($a->{status}, 200, 'a refresh token gives a new one') or diag($a);
is(ask('GET', '/v2/team/app/tags/list',
    bearer($a->json->{access_token}))->{status}, 200, 'which is good');
error_is(ask('GET', '/v2/', bearer($refresh)), 401, 'UNAUTHORIZED',
    'a refresh token is good for nothing else');
error_is(form(%again, refresh_token => $json->{token}), 401, 'UNAUTHORIZED',
    'and no other token for refreshing');
error_is(form(%again, refresh_token => "$refresh-"), 401, 'UNAUTHORIZED',
    'nor a changed one');
ok(get_token('offline_token=true', @alice)->{refresh_token},
    'by GET it is called offline_token');
is(get_token('offline_token=true')->{refresh_token}, undef,
    'nobody gets none');


# ---- keys

sub keys_of { return @{ ask('GET', '/v2/_keys')->json->{keys} } }

my @keys = keys_of();
is(scalar @keys, 1, 'one key is published');
is($keys[0]{kty}, 'EC', 'of the default kind');
is($keys[0]{d}, undef, 'without what is secret');
is((stat $state)[2] & 0777, 0700, 'which is in a directory of our own');

my ($status, $out) = $r->run($ENV{REGISTRY_CTL} // 'build/registryctl',
    'keys', 'rotate', '--config', $r->config_file);
is($status, 0, 'registryctl keys rotate') or diag($out);
ok(wait_until(20, sub { keys_of() == 2 }), 'there are two then');
is(ask('GET', '/v2/', @token)->{status}, 200, 'tokens of the old one are good');
my $new = get_token('scope=repository:team/app:pull', @alice)->{token};
is(ask('GET', '/v2/', bearer($new))->{status}, 200, 'so are those of the new');

($status, $out) = $r->run($ENV{REGISTRY_CTL} // 'build/registryctl', 'keys',
    'remove', '--config', $r->config_file, $keys[0]{kid});
is($status, 0, 'registryctl keys remove') or diag($out);
ok(wait_until(20, sub { ask('GET', '/v2/', @token)->{status} == 401 }),
    'then the old one\'s are not');
is(ask('GET', '/v2/', bearer($new))->{status}, 200, 'the new one\'s are');
ok(wait_until(20, sub { ask('GET', "/v2/team/app/blobs/$digest", @token)
    ->{status} == 401 }), 'nor for what nginx had decided');
error_is(form(%again, refresh_token => $refresh), 401, 'UNAUTHORIZED',
    'the refresh token of that key is gone with it');

$r->restart_worker;
ok(wait_until(10, sub { ask('GET', '/v2/', bearer($new))->{status} == 200 }),
    'keys outlive the worker');


# ---- an account that changes

$refresh = form(%login, access_type => 'offline')->json->{refresh_token};
is(form(%again, refresh_token => $refresh)->{status}, 200, 'a login, offline');
accounts($users, alice => 'another', bob => 'b');
ok(wait_until(20, sub { ask('GET', '/v2/', bearer($new))->{status} == 401 }),
    'tokens die with the password');
error_is(form(%again, refresh_token => $refresh), 401, 'UNAUTHORIZED',
    'so do refresh tokens');
my $bob = get_token('scope=repository:team/app:pull', basic('bob', 'b'));
is(ask('GET', '/v2/team/app/tags/list', bearer($bob->{token}))->{status}, 200,
    'bob\'s is another\'s');
accounts($users, alice => 'another');
ok(wait_until(20, sub { ask('GET', '/v2/', bearer($bob->{token}))->{status}
    == 401 }), 'and dies with the account');


# ---- behind a proxy

for my $case (
    ['https', 'registry.example.org', 'https://registry.example.org'],
    ['https, http', 'a.example:8443, b', 'https://a.example:8443'],
    ['javascript', 'registry.example.org', 'http://registry.example.org'],
    ['https', 'evil"quote', 'https://registry.test'],
)
{
    my ($proto, $host, $wanted) = @$case;
    like(ask('GET', '/v2/', 'X-Forwarded-Proto' => $proto,
        'X-Forwarded-Host' => $host)->header('www-authenticate'),
        qr{realm="\Q$wanted\E/v2/_token"},
        "a proxy that says $proto and $host");
}

fsck_ok($r, 'the tree is sound');

done_testing;
