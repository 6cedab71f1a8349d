# registryctl user and robot: accounts are made, changed and removed while the
# registry runs, and each change is felt at once.

use Test::Registry;

use File::Temp ();
use IPC::Open2 qw(open2);
use JSON::PP qw(decode_json);

my $ctl   = $ENV{REGISTRY_CTL} // 'build/registryctl';
my $state = File::Temp->newdir;

my $users = "$state/users";

# the first account is there before the registry starts
sub ctl {
    my ($input, @args) = @_;

    open my $in, '>', "$state/in" or die;
    print $in $input;
    close $in;
    # the test's own variables are none of the configuration
    local %ENV = %ENV;
    delete @ENV{ grep { /^REGISTRY_/ } keys %ENV };
    my $quoted = join ' ', map { (my $a = $_) =~ s/'/'\\''/g; "'$a'" } @args;
    my $out = qx($ctl $quoted < $state/in 2>&1);

    return ($? >> 8, $out);
}

my ($status, $out) = ctl("wonder:land\n", 'user', 'add', 'alice', '--file',
    $users, '--stdin', '--cost', '8');
is($status, 0, 'a first account') or diag($out);
is($out, '', 'without a word');
is((stat $users)[2] & 07777, 0640, 'in a file that not everybody can read');
system('chmod', '0644', $users);         # the worker may be somebody else

my $r = Test::Registry->new(
    config => "auth:\n  htpasswd:\n    realm: here\n    path: $users\n",
    worker => { state => "$state/state" },
);
my $config = $r->config_file;

sub as { return (headers => [basic(@_)]) }

sub login { return $r->request('GET', '/v2/', as(@_))->{status} }


# ---- before the first start

my $early = "$state/early.yml";
write_file($early, "storage:\n  filesystem:\n    rootdirectory: $state/none\n"
    . "auth:\n  htpasswd:\n    path: $state/early\n");
($status, $out) = ctl("wonder\n", 'user', 'add', 'alice', '--config', $early,
    '--stdin', '--cost', '8');
is($status, 0, 'an account for a tree that is not there yet') or diag($out);
like($out, qr{\Aregistryctl: see to it.*can read the new \Q$state\E/early .*\n\z},
    'whose owner is not known') if $> == 0;
is((ctl('', 'user', 'list', '--config', $early))[1], "alice\n", 'is made');


# ---- what is wrong (SECURITY.md S12)

is(login(alice => 'wonder:land'), 200, 'a password with a colon');
my $long = 'p' x 72;
for my $case (
    ['alice', 'wonder'], ['alice', ''], ['', 'wonder:land'], ['', ''],
    ['Alice', 'wonder:land'], ['bob', 'wonder:land'],
    ['alice', "wonder:land\0"], ['alice', "\xff"], ['alice', $long . 'x'],
    ['alice', 'x' x 4000], ["\xff", 'wonder:land'],
)
{
    my $answer = $r->request('GET', '/v2/', as(@$case));
    (my $title = "@$case") =~ s/[^ -~]/?/g;
    ok($answer->{status} == 401 || $answer->{status} == 429,
        'not in: ' . substr($title, 0, 40)) or diag($answer);
}


# ---- changed while it runs

sub change {
    my ($title, $input, @args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($failed, $said) = ctl($input, @args, '--config', $config);
    is($failed, 0, $title) or diag($said);

    return $said;
}

change('add', "$long\n", 'user', 'add', 'bob', '--stdin', '--cost', '8');
is(login(bob => $long), 200, 'a password of 72 bytes is good at once');
change('passwd', "other\n", 'user', 'passwd', 'bob', '--stdin', '--cost', '8');
is(login(bob => $long), 401, 'the old password is wrong at once');
is(login(bob => 'other'), 200, 'the new one is right');
is(change('list', '', 'user', 'list'), "alice\nbob\n", 'both are listed');
change('del', '', 'user', 'del', 'bob');
is(login(bob => 'other'), 401, 'an account that is removed is wrong at once');

for my $case (
    ['there is one already', qr/already/, "x\n",
        'user', 'add', 'alice', '--stdin'],
    ['there is none', qr/no account/, "x\n",
        'user', 'passwd', 'nobody', '--stdin'],
    ['there is none to remove', qr/no account/, '', 'user', 'del', 'nobody'],
    ['no password', qr/empty/, "\n", 'user', 'add', 'x', '--stdin'],
    ['no line', qr/no line/, '', 'user', 'add', 'x', '--stdin'],
    ['no terminal', qr/no terminal/, "x\n", 'user', 'add', 'x'],
    ['a password of 73 bytes', qr/73 bytes.*bcrypt/, "${long}x\n",
        'user', 'add', 'x', '--stdin'],
    ['a password that is no text', qr/UTF-8/, "\xff\n",
        'user', 'add', 'x', '--stdin'],
    ['a name with a colon', qr/without ':'/, "x\n",
        'user', 'add', 'a:b', '--stdin'],
    ['a robot', qr/robot\$/, "x\n", 'user', 'add', 'robot$x', '--stdin'],
)
{
    my ($title, $like, $input, @args) = @$case;
    ($status, $out) = ctl($input, @args, '--config', $config);
    is($status, 1, "refused: $title");
    like($out, $like, 'with a reason');
}

for my $case (
    ['user'], ['user', 'add'], ['user', 'fly', 'x'], ['user', 'list'],
    ['user', 'add', 'x', '--cost', '31', '--file', $users],
    ['user', 'add', 'x', 'password', '--file', $users],
    ['robot'], ['robot', 'create', 'ci'], ['robot', 'list'],
    ['robot', 'create', 'ci', '--config', $config, '--repo', 'a'],
    ['robot', 'create', 'ci', '--config', $config, '--repo', 'a',
        '--actions', 'fly', '--expires', '1d'],
    ['robot', 'create', 'ci', '--config', $config, '--repo', 'a',
        '--actions', 'pull', '--expires', 'soon'],
)
{
    ($status, $out) = ctl('', @$case);
    is($status, 2, "usage: @$case") or diag($out);
}

for my $command ('user', 'robot') {
    ($status, $out) = ctl('', $command, '--help');
    is($status, 0, "$command --help");
    like($out, qr/^Usage: registryctl $command/, 'says how');
}

# on a terminal it is asked for twice
sub on_terminal {
    my ($name, @passwords) = @_;

    my $pid = open2(my $from, my $to, 'timeout', '300', 'script', '-qec',
        "$ctl user add $name --file $users --cost 8", '/dev/null');
    my $seen = '';
    for my $password (@passwords) {
        while ($seen !~ /assword: $/) {
            sysread($from, $seen, 100, length $seen) or last;
        }
        syswrite($to, "$password\n");
        $seen .= "|";
    }
    while (sysread($from, $seen, 100, length $seen)) { }
    waitpid $pid, 0;

    return $? >> 8;
}

isnt(on_terminal('tina', 'one way', 'another'), 0, 'two that differ are none');
is(login(tina => 'one way'), 401, 'and no account');
is(on_terminal('tina', 'one way', 'one way'), 0, 'twice the same is one');
is(login(tina => 'one way'), 200, 'which is good');
change('del', '', 'user', 'del', 'tina');

($status, $out) = ctl('', 'user', 'list', '--config', $config, '--json');
is_deeply(decode_json($out), { users => ['alice'], not_used => [] },
    'nothing of that has changed anything');

write_file($users, do { local (@ARGV, $/) = ($users); <> }
    . "old:\$apr1\$x\$yyyyyyyy\n");
($status, $out) = ctl('', 'user', 'list', '--config', $config);
like($out, qr/users:2: not used: an MD5 hash/, 'a bad line is named');
unlike($out, qr/apr1|yyyy/, 'its content is not shown');
is(login(old => 'x'), 401, 'and lets nobody in');


# ---- robots

my $robot = decode_json(change('create', '', 'robot', 'create', 'ci',
    '--repo', 'team/*,tools', '--actions', 'pull,push', '--expires', '90d',
    '--description', 'of pipelines', '--json'));
is($robot->{user}, 'robot$ci', 'a robot has a name');
like($robot->{secret}, qr/^nrr_[a-z2-7]{60}$/, 'and a secret');
cmp_ok(abs($robot->{expires} - time - 90 * 86400), '<', 60, 'and an end');
my $file = do { local (@ARGV, $/) = ("$state/state/robots.json"); <> };
unlike($file, qr/nrr_/, 'the secret is not kept');

my $list = decode_json(change('list', '', 'robot', 'list', '--json'));
is($list->{robots}[0]{user}, 'robot$ci', 'it is listed');
is_deeply($list->{robots}[0]{repositories}, ['team/*', 'tools'],
    'with its repositories');
unlike(json($list), qr/nrr_|sha256/, 'and without its secret');

my $blob = $r->request('POST', '/v2/team/app/blobs/uploads/',
    as($robot->{user}, $robot->{secret}), body => '');
is($blob->{status}, 202, 'it may push to what it was given');
is($r->request('POST', '/v2/team/app/deep/blobs/uploads/',
    as($robot->{user}, $robot->{secret}), body => '')->{status}, 403,
    'and to nothing else');
is($r->request('DELETE', '/v2/team/app/manifests/1',
    as($robot->{user}, $robot->{secret}))->{status}, 403,
    'and not delete');
is(login($robot->{user}, $robot->{secret} =~ tr/a-y/b-z/r), 401,
    'another secret is wrong');
is(login('ci', $robot->{secret}), 401, 'so is another name');

change('revoke', '', 'robot', 'revoke', 'robot$ci');
is(login($robot->{user}, $robot->{secret}), 401, 'revoked is wrong at once');
is(change('list', '', 'robot', 'list'), '', 'revoked');
($status, $out) = ctl('', 'robot', 'revoke', 'ci', '--config', $config);
is($status, 1, 'what is not there cannot be revoked');
like($out, qr/no robot/, 'and that is said');

# her wrong passwords may have to be waited for
my $pushed;
ok(wait_until(60, sub {
    $pushed = $r->request('POST', '/v2/team/app/blobs/uploads/?digest='
        . sha256('bytes'), as(alice => 'wonder:land'), body => 'bytes')->{status};
    return $pushed != 429 }), 'alice may try again');
is($pushed, 201, 'a blob');
my ($brief, @before);
for (1 .. 20) {
    $brief = decode_json(change('a short life', '', 'robot', 'create', 'brief',
        '--repo', '**', '--actions', 'pull', '--expires', '5s', '--json'));
    @before = (login($brief->{user}, $brief->{secret}), pull_blob());
    last if "@before" eq '200 200';             # else the 5 s were over already
    change('and a new one', '', 'robot', 'revoke', 'brief');
}
is($before[0], 200, 'before its end');
is($before[1], 200, 'a blob, of which nginx knows that it may be had');
sub pull_blob {
    return $r->request('GET', '/v2/team/app/blobs/' . sha256('bytes'),
        as($brief->{user}, $brief->{secret}))->{status};
}
ok(wait_until(20, sub { login($brief->{user}, $brief->{secret}) == 401 }),
    'and not after, remembered or not');
is(pull_blob(), 401, 'nor by nginx');
cmp_ok(Time::HiRes::time(), '>=', $brief->{expires}, 'nor before');
like(change('list', '', 'robot', 'list'), qr/^robot\$brief  EXPIRED /,
    'the list says so');


# ---- guessing is slow, and locks nobody out

change('add', "dave's\n", 'user', 'add', 'dave', '--stdin', '--cost', '8');

sub login_from {
    my ($address, $user, $password) = @_;

    my ($failed, $code) = $r->run('curl', '-s', '-o', '/dev/null', '-w',
        '%{http_code} %header{retry-after}', '--interface', $address, '-u',
        "$user:$password", 'http://127.0.0.1:' . $r->port . '/v2/');

    return $code;
}

my @codes = map { login_from('127.0.0.2', 'dave', "guess $_") } 1 .. 5;
is("@codes", join(' ', ('401 ') x 5), 'five guesses are answered');
# each wait is twice the one before, and one of them is long enough to ask again
my ($wait, $right);
ok(wait_until(60, sub {
    my $asked = Time::HiRes::time();
    ($wait) = login_from('127.0.0.2', 'dave', 'guess') =~ /^429 (\d+)$/
        or return 0;
    return 0 if $wait < 3;
    $right = login_from('127.0.0.2', 'dave', "dave's");
    return Time::HiRes::time() - $asked < $wait - 1;
}), 'then there is a wait') or diag($wait);
like($right, qr/^429 /, 'also for the right password from there');
is(login_from('127.0.0.3', 'dave', "dave's"), '200 ',
    'who comes from elsewhere does not wait');
ok(wait_until(20, sub { login_from('127.0.0.2', 'dave', "dave's") =~ /^200/ }),
    'and there the wait ends');


# who has no password has not guessed one
is(join(' ', map { login_from('127.0.0.4', @$_) } map { ['dave', ''], ['', ''] }
        1 .. 20),
    join(' ', ('401 ') x 40), 'an empty password is no guess');
is(login_from('127.0.0.4', 'dave', "dave's"), '200 ', 'the right one is good');


# ---- nothing of that is in a log

unlike($r->log_of_worker, qr/wonder|guess|dave's|nrr_|\$2y\$/,
    'no secret is in the log');

done_testing;
