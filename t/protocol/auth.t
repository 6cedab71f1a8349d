# The specification line by line: who may not come in, said by nginx and by the
# worker.

use Test::Registry;

use File::Temp ();

my $dir   = File::Temp->newdir;
my @alice = basic(alice => 'secret');
my @bob   = basic(bob => 'secret');

# Each time somebody else: who fails again and again waits (t/accounts.t).

my $stranger = 0;

sub wrong {
    return [basic('stranger' . ++$stranger, 'wrong')];
}
my $zero  = 'sha256:' . '0' x 64;
my $uuid  = '00000000-0000-4000-8000-000000000000';

my @reads = (
    ['GET',    '/v2/'],
    ['GET',    '/v2/_catalog'],
    ['GET',    '/v2/a/tags/list'],
    ['GET',    '/v2/a/manifests/v1'],
    ['GET',    "/v2/a/blobs/$zero"],
    ['GET',    "/v2/a/referrers/$zero"],
    ['GET',    "/v2/a/blobs/uploads/$uuid"],
);
my @writes = (
    ['PUT',    '/v2/a/manifests/v1', '{}'],
    ['POST',   '/v2/a/blobs/uploads/', ''],
);
my @bytes = (
    ['POST',   "/v2/a/blobs/uploads/?digest=$zero", 'x'],
    ['PATCH',  "/v2/a/blobs/uploads/$uuid", 'x'],
    ['PUT',    "/v2/a/blobs/uploads/$uuid?digest=$zero", 'x'],
);
my @deletes = map { ['DELETE', "/v2/a/$_"] }
    'manifests/v1', "blobs/$zero", "blobs/uploads/$uuid";


# Nobody, and somebody with a wrong password, hear a whole 401 everywhere.

sub challenges {
    my ($r, $who, $challenge, @requests) = @_;

    for my $request (@requests) {
        my ($method, $path, $body) = @$request;
        my @body = defined $body ? (body => $body) : ();
        my $title = "84: $who: $method " . $path =~ s/[0-9a-f-]{30,}/.../r;

        for my $headers ([], wrong()) {
            my $a = $r->request($method, $path, @body, headers => $headers);
            error_is($a, 401, 'UNAUTHORIZED', "$title is 401"
                . (@$headers ? ' with a wrong password too' : ''));
            like($a->header('www-authenticate') // '', $challenge,
                "$title: with a challenge");
        }

        my $a = $r->request('HEAD', $path, headers => []);
        is($a->{status}, 401, "$title: HEAD too") if $method eq 'GET';
    }
    is_deeply([grep { !/^_/ } $r->tree->files], [],
        "84: $who: nothing was written");
}


# ---- nginx's auth_basic and deny

write_file("$dir/nginx", "alice:{PLAIN}secret\nbob:{PLAIN}secret\n");
my $r = Test::Registry->new(location => <<"CONF");
            auth_basic            "the team's registry";
            auth_basic_user_file  $dir/nginx;
            limit_except GET HEAD POST PUT PATCH { deny all; }
CONF

challenges($r, 'nginx', qr/^Basic realm="the team's registry"$/,
    @reads, @writes, @bytes);

is($r->request('GET', '/v2/', headers => \@alice)->{status}, 200,
    '84: nginx: with the password all is open');
my $a = $r->request('DELETE', '/v2/a/manifests/v1', headers => \@alice);
error_is($a, 403, 'DENIED', '84: nginx: deny is 403 DENIED');
is($a->header('www-authenticate'), undef, '84: nginx: without a challenge');


# ---- the worker's accounts and rules

accounts("$dir/users", alice => 'secret', bob => 'secret');

$r = Test::Registry->new(config => <<"YAML");
  access:
    rules:
      - { who: alice, repositories: "**", actions: "*" }
      - { who: bob, repositories: "b/**", actions: pull }
auth:
  htpasswd:
    realm: registry
    path: $dir/users
YAML

my @all = (@reads, @writes, @bytes, @deletes);
challenges($r, 'worker', qr/^Basic realm="registry"/, @all);

is($r->request('GET', '/v2/', headers => \@alice)->{status}, 200,
    '84: worker: with the password all is open');
for my $request (grep { $_->[1] =~ m{/a/} } @all) {
    my ($method, $path, $body) = @$request;
    $a = $r->request($method, $path, headers => \@bob,
        defined $body ? (body => $body) : ());
    error_is($a, 403, 'DENIED', "84: worker: $method $path is not bob's");
    is_deeply(($a->errors)[0]{detail}, { name => 'a' },
        '84: worker: detail names the repository');
}

done_testing;
