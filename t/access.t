# Who may come in: accounts of a file, and rules (SECURITY.md S3, S12, S14).

use Test::Registry;

use File::Temp ();

my $dir = File::Temp->newdir;
my $users = "$dir/users";

accounts($users, alice => 'wonder:land', bob => 'builder', carol => 'x' x 72,
    map { $_ => $_ } qw(pull push delete catalog));

my $r = Test::Registry->new(
    worker => { trusted_proxies => '[127.0.0.1]' },
    config => <<"YAML");
  access:
    groups:
      builders: [bob]
    rules:
      - { who: anonymous, repositories: "public/**", actions: pull }
      - { who: alice, repositories: ["team/**", "public/**"], actions: "*" }
      - { who: "\@builders", repositories: "team/**", actions: [pull, push] }
      - { who: "*", repositories: "home/\${user}/**", actions: "*" }
      - { who: alice, actions: catalog }
      - { who: pull, repositories: one, actions: pull }
      - { who: push, repositories: one, actions: push }
      - { who: delete, repositories: one, actions: delete }
      - { who: catalog, actions: catalog }
auth:
  htpasswd:
    realm: our "registry"
    path: $users
YAML

my @alice = basic(alice => 'wonder:land');
my @bob   = basic(bob => 'builder');


sub ask {
    my ($method, $path, @headers) = @_;

    return $r->request($method, $path, headers => \@headers,
        $method eq 'POST' ? (body => '') : ());
}


# ---- the front door

my $a = ask('GET', '/v2/');
error_is($a, 401, 'UNAUTHORIZED', 'who is nobody is asked to log in');
is($a->header('www-authenticate'),
    'Basic realm="our \\"registry\\"", charset="UTF-8"',
    'by a Basic challenge, its realm quoted');
is($a->header('docker-distribution-api-version'), 'registry/2.0',
    'and this is a registry');
is(ask('GET', '/v2/', @alice)->{status}, 200, 'alice comes in');
is(ask('GET', '/v2/', basic(carol => 'x' x 72))->{status}, 200,
    'with 72 bytes of password too');

for my $case (
    ['a wrong password',      basic(alice => 'wonderland')],
    ['no such user',          basic(nobody => 'x')],
    ['an empty password',     basic(alice => '')],
    ['an empty user',         basic('' => 'x')],
    ['both empty',            basic('' => '')],
    ['a longer password',     basic(alice => 'wonder:land!')],
    ['a shorter one',         basic(alice => 'wonder')],
    ['more than bcrypt sees', basic(carol => 'x' x 73)],
    ['a NUL after it',        basic(bob => "builder\0x")],
    ['bytes that are no text', basic("\xff\xfe" => 'x')],
    ['no colon',              'Authorization', 'Basic YWxpY2U='],
    ['no base64',             'Authorization', 'Basic !!!!'],
    ['nothing',               'Authorization', 'Basic'],
    ['half of a block',       'Authorization', 'Basic YWx'],
    ['a token',               'Authorization', 'Bearer a.b.c'],
    ['an unknown scheme',     'Authorization', 'Digest username="alice"'],
    ['8 KiB of nothing',      basic(alice => 'x' x 6000)],
)
{
    my ($title, @header) = @$case;
    my $answer = ask('GET', '/v2/', @header);
    error_is($answer, 401, 'UNAUTHORIZED', "$title is 401");
    like($answer->header('www-authenticate') // '', qr/^Basic /,
        "$title: with a challenge");
}

is(ask('GET', '/v2/', map { @$_ } [@alice], [@bob])->{status}, 400,
    'two of the header are no request');


# ---- rules

sub push_as {
    my ($repo, @header) = @_;

    return ask('POST', "/v2/$repo/blobs/uploads/", @header);
}

is(push_as('team/app', @alice)->{status}, 202, 'alice pushes to the team');
is(push_as('team/app', @bob)->{status}, 202, 'so does the group');
is(push_as('home/bob/x', @bob)->{status}, 202, 'everybody at home');
error_is(push_as('home/alice/x', @bob), 403, 'DENIED', 'not at another\'s');
error_is(push_as('public/x', @bob), 403, 'DENIED', 'not where others read');
error_is(push_as('teams', @bob), 403, 'DENIED', 'not beside the team');

$a = push_as('public/x');
error_is($a, 401, 'UNAUTHORIZED', 'who is nobody is asked to log in');
like($a->header('www-authenticate') // '', qr/^Basic /, 'by a challenge');

like(push_as('public/x', @bob)->{body}, qr/bob may not.*push/,
    'the refusal says who may not what');

is(ask('GET', '/v2/public/x/tags/list')->{status}, 404,
    'anybody reads what is public');
is(ask('GET', '/v2/public/x/tags/list', @bob)->{status}, 404,
    'also who is logged in');
is(ask('GET', '/v2/team/app/tags/list')->{status}, 401,
    'not what is not');
is(ask('GET', '/v2/_catalog', @alice)->{status}, 200,
    'the catalog to whom it was given');
error_is(ask('GET', '/v2/_catalog', @bob), 403, 'DENIED', 'not to others');


# ---- each way asks for the right that it needs, and for no other

my $session = push_as('one', basic(push => 'push'))->header('location');
my $zeros = 'sha256:' . '0' x 64;

for my $case (
    ['pull',    '/v2/one/tags/list',           qw(GET HEAD)],
    ['pull',    '/v2/one/manifests/v1',        qw(GET HEAD)],
    ['pull',    "/v2/one/manifests/$zeros",    qw(GET HEAD)],
    ['pull',    "/v2/one/blobs/$zeros",        qw(GET HEAD)],
    ['pull',    "/v2/one/referrers/$zeros",    qw(GET HEAD)],
    ['push',    '/v2/one/manifests/v1',        qw(PUT)],
    ['push',    '/v2/one/blobs/uploads/',      qw(POST)],
    ['push',    $session,                      qw(GET HEAD PATCH PUT DELETE)],
    ['delete',  '/v2/one/manifests/v1',        qw(DELETE)],
    ['delete',  "/v2/one/manifests/$zeros",    qw(DELETE)],
    ['delete',  "/v2/one/blobs/$zeros",        qw(DELETE)],
    ['catalog', '/v2/_catalog',                qw(GET HEAD)],
)
{
    my ($right, $path, @methods) = @$case;
    for my $method (@methods) {
        my %refused = map { $_ => $r->request($method, $path, body => '',
            headers => [basic($_ => $_)])->{status} == 403 ? 1 : 0 }
            qw(pull push delete catalog);
        my $title = "$method $path" =~ s/[0-9a-f-]{36,}/.../r;
        is_deeply(\%refused, { map { $_ => $_ eq $right ? 0 : 1 }
            keys %refused }, "$title asks for $right")
            or diag(explain(\%refused));
        is($r->request($method, $path, body => '')->{status}, 401,
            'and for nobody unknown');
    }
}


# ---- what is there is told to nobody who may not know

my $bytes = bytes('secret', 3000);
my $digest = sha256($bytes);
my $location = push_as('team/secret', @alice)->header('location');
is($r->request('PUT', with_digest($location, $digest), body => $bytes,
    headers => \@alice)->{status}, 201, 'a blob of the team');

for my $path ("/v2/team/secret/blobs/$digest",
    '/v2/team/secret/blobs/' . sha256('none'))
{
    is(ask('GET', $path)->{status}, 401, "GET $path by anybody is 401");
    is(ask('HEAD', $path)->{status}, 401, "HEAD by anybody is 401");
    is(ask('GET', $path, basic(carol => 'x' x 72))->{status}, 403,
        "by carol 403");
}

is(ask('GET', "/v2/team/secret/blobs/$digest", @bob)->{body}, $bytes,
    'who may reads it');

my $mount = "mount=$digest&from=team/secret";
is(ask('POST', "/v2/home/bob/y/blobs/uploads/?$mount", @bob)->{status}, 201,
    'who reads it there mounts it');
is(ask('POST', "/v2/home/carol/y/blobs/uploads/?$mount",
    basic(carol => 'x' x 72))->{status}, 202,
    'who does not is told to upload it');
is(ask('POST', "/v2/home/carol/y/blobs/uploads/?mount=$digest",
    basic(carol => 'x' x 72))->{status}, 202, 'also without saying where from');
is(ask('POST', "/v2/home/alice/y/blobs/uploads/?mount=$digest",
    @alice)->{status}, 201, 'who reads it anywhere mounts it');


# ---- bytes of blobs pass nginx, not its door

$location = push_as('team/app', @alice)->header('location');
is($r->request('PATCH', $location, body => 'x')->{status}, 401,
    'bytes of nobody\'s are refused');
is($r->request('PATCH', $location, body => 'x',
    headers => [basic(carol => 'x' x 72)])->{status}, 403,
    'and of who may not');
is($r->request('GET', $location, headers => \@alice)->header('range'), '0-0',
    'nothing was written');
is($r->request('PATCH', $location, body => 'x', headers => \@bob)->{status},
    202, 'who may push goes on with it');


# ---- accounts change while all runs

accounts($users, alice => 'another');
ok(wait_until(20, sub { ask('GET', '/v2/', @alice)->{status} == 401 }),
    'the old password is gone');
is(ask('GET', '/v2/', basic(alice => 'another'))->{status}, 200,
    'the new one is good');
ok(wait_until(20, sub { ask('GET', '/v2/', @bob)->{status} == 401 }),
    'so is the account that is no more');

write_file($users, "alice:\$apr1\$x\$y\nbob:{SHA}x\ncarol:plain\n");
is(ask('GET', '/v2/', basic(carol => 'plain'))->{status}, 401,
    'what is no hash of ours is no account');
ok(wait_until(20, sub { $r->log_of_worker =~ /users:1: not used: an MD5 hash/ }),
    'and is named in the log');
unlike($r->log_of_worker, qr/wonder|builder|plain|apr1/,
    'no secret is in it');

done_testing;
