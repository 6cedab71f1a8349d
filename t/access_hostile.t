# Odd ways to the door: headers as deep as a parser takes them, and a name that
# two issuers know (SECURITY.md S3, S11).

use File::Temp ();
use Test::Registry;

use JSON::PP;
use MIME::Base64 qw(encode_base64url);

use Test::Registry::Issuer qw(libtrust_id sign_token);
use Test::Registry::Process qw(needs scratch);

needs(openssl => 'openssl');

my $dir    = scratch();
my $issuer = Test::Registry::Issuer->new($dir);
my $users  = "$dir/users";
accounts($users, alice => 'a');
my $accounts = $issuer->config;
$accounts =~ s/^auth:\n/auth:\n  htpasswd:\n    realm: us\n    path: $users\n/m
    or die $accounts;

my $r = Test::Registry->new(http => 'large_client_header_buffers 4 64k;',
    config => <<"YAML" . $accounts);
  access:
    rules:
      - { who: anonymous, repositories: "home/\${user}/**", actions: "*" }
      - { who: "*", repositories: "team/**", actions: "*" }
YAML
my $alice = [basic(alice => 'a')];
my ($pid) = $r->worker_pids;

sub bearer { return [Authorization => "Bearer $_[0]"] }

sub status {
    my ($path, $headers) = @_;

    return $r->request('GET', $path, headers => $headers // [])->{status};
}


# ---- a name is one issuer's

is($r->request('POST', '/v2/home/alice/x/blobs/uploads/', headers => $alice,
    body => '')->{status}, 202, 'alice has a place of her own');
is($r->request('POST', '/v2/home/alice/x/blobs/uploads/', body => '',
    headers => bearer($issuer->token(sub => 'alice', access => [])))->{status},
    401, 'whom another issuer calls alice has not');


# ---- headers as deep as they can be

my $kid = libtrust_id($issuer->key);
my $deep = 2000;
for my $of (['[', ']'], ['{"a":', '}']) {
    my $nest = $of->[0] x $deep . '1' . $of->[1] x $deep;
    $nest = $of->[0] x 1500 . '1' . $of->[1] x 1500 if length $nest > 11000;

    for my $header (
        qq({"alg":"RS256","kid":"$kid","jwk":$nest}),
        qq({"alg":"RS256","kid":"$kid","x5c":$nest}),
        qq({"alg":"RS256","kid":"$kid","jwk":{"x5c":[$nest]}}),
        qq({"alg":"RS256","kid":"$kid","jwk":{"kty":"RSA","e":"AQAB","n":$nest}}),
        qq({"alg":"RS256","kid":"$kid","x":$nest}),
        qq({"alg":$nest,"kid":"$kid"}),
        $nest,
    ) {
        my $t = join '.', encode_base64url($header),
            encode_base64url('{}'), encode_base64url('x' x 256);
        is(status('/v2/a/tags/list', bearer($t)), 401,
            'a header with ' . substr($header, 0, 60));
    }
}
is(($r->worker_pids)[0], $pid, 'the worker lives');

# ---- an operator who caches what the worker says: what it allowed one is not
# taken for what it allows another

{
    my $dir = File::Temp->newdir;
    accounts("$dir/users", alice => 'secret');
    my $cached = Test::Registry->new(
        config   => "auth:\n  htpasswd:\n    realm: x\n    path: $dir/users\n",
        http     => "fastcgi_cache_path $dir/cache keys_zone=decisions:1m;",
        location => 'fastcgi_cache decisions; fastcgi_cache_valid 204 1m;'
            . ' fastcgi_cache_key "$request_method $uri $registry_purpose";');
    $cached->expect_log(qr/nginx did not serve it/);
    my @alice = (headers => [basic(alice => 'secret')]);
    my $digest = sha256('a blob');
    my $path = "/v2/a/blobs/$digest";
    $cached->expect(201, 'POST', "/v2/a/blobs/uploads/?digest=$digest",
        body => 'a blob', @alice);
    unlike($cached->request('GET', $path, @alice)->{status}, qr/^40/,
        'alice may') for 1 .. 2;
    error_is($cached->request('GET', $path), 401, 'UNAUTHORIZED',
        'and nobody else by that');
}

done_testing;
