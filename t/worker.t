# registry-fcgi as a program: options, configuration, signals, and a socket
# that anybody may write nonsense to (SECURITY.md S16).

use Test::Registry;
use Test::Registry::Host qw(runs);
use Test::Registry::Process qw(daemon);

my $r = Test::Registry->new;
my $fcgi = $r->fcgi;
my $file = "$r->{dir}/other.yml";


# ---- options

my ($status, $out) = $r->run($fcgi, '--version');
is($status, 0, '--version');
like($out, qr/\d+\.\d+/, 'prints one');

($status, $out) = $r->run($fcgi, '--help');
is($status, 0, '--help');
like($out, qr/$_/, "names $_") for '--config', '--check', '--version', 'SIGHUP';

($status, $out) = $r->run($fcgi, '--help-config');
is($status, 0, '--help-config');
like($out, qr/\b$_\b/, "names $_")
    for 'rootdirectory', 'socket', 'threads', 'maxentries';

for my $wrong (['--nonsense'], ['stray'], ['--config']) {
    ($status, $out) = $r->run($fcgi, @$wrong);
    ok($status != 0 && $status < 126, "@$wrong is refused") or diag($out);
    like($out, qr/^registry-fcgi: /, 'with a word');
}


# ---- --check

($status, $out) = $r->run($fcgi, '--check', '--config', $r->config_file);
is($status, 0, '--check of a good file') or diag($out);

($status, $out) = $r->run($fcgi, '--check', '--config', "$r->{dir}/absent");
ok($status != 0, '--check of no file');
like($out, qr{absent.*No such file}s, 'says that it is not there');

my $good = "version: 0.1\nstorage:\n  filesystem:\n"
    . "    rootdirectory: $r->{root}\n";

# Another issuer, of whose files one is named.
sub issuer {
    return "auth:\n  token:\n    realm: https://id.example/t\n"
        . "    service: registry\n    issuer: id\n    $_[0]\n";
}

for my $case (
    ['bad YAML', "version: 0.1\nstorage: [\n", qr/other\.yml:\d+/],
    ['a tab',    "version: 0.1\n\tx: y\n",     qr/other\.yml:2/],
    ['a tab below a key',    "${good}log:\n\tlevel: info\n",
        qr/other\.yml:6: .*a tab\?/],
    ['a wrong indentation',  "$good  delete:\n     enabled: true\n   x: y\n",
        qr/other\.yml:7: .*indentation\?/],
    ['a star without quotes',
        "${good}nginx_registry:\n  access:\n    rules: [{who: *}]\n",
        qr/other\.yml:7: .*needs quotes/],
    ['a list where a map is', "version: 0.1\nstorage:\n  - a\n",
        qr/other\.yml:[23].*storage/],
    ['a word for a number',  "${good}nginx_registry:\n  threads: many\n",
        qr/other\.yml:6.*threads/],
    ['no threads',           "${good}nginx_registry:\n  threads: 0\n",
        qr/other\.yml:6.*threads/],
    ['a negative number',    "${good}catalog:\n  maxentries: -1\n",
        qr/other\.yml:6.*maxentries/],
    ['a word for a truth',   "${good}  delete:\n    enabled: perhaps\n",
        qr/other\.yml:6.*enabled/],
    ['an odd way in',        "${good}auth:\n  silly:\n    realm: x\n",
        qr/other\.yml:[567].*auth/],
    ['a way in that is none', "${good}auth:\n  htpasswd:\n    realm: x\n",
        qr/auth\.htpasswd\.path/],
    ['a misspelt way in',    "${good}auht:\n  htpasswd:\n    path: /x\n",
        qr/other\.yml:5.*auht.*did you mean auth/],
    ['misspelt rules', "${good}nginx_registry:\n  acess:\n    rules: []\n",
        qr/other\.yml:6.*acess.*did you mean nginx_registry\.access/],
    ['no file of accounts',
        "${good}auth:\n  htpasswd:\n    path: $r->{dir}/nobody\n",
        qr/auth\.htpasswd\.path: \S+nobody: No such file/],
    ['no certificates', $good . issuer("rootcertbundle: $r->{dir}/none.crt"),
        qr/auth\.token: \S+none\.crt: No such file/],
    ['keys that are none', $good . issuer("jwks: $file"),
        qr/auth\.token: \S+other\.yml: no JSON Web Key Set/],
    ['another driver',       "version: 0.1\nstorage:\n  s3:\n    bucket: x\n",
        qr/other\.yml:\d.*s3/],
)
{
    my ($title, $text, $says) = @$case;
    write_file($file, $text);
    ($status, $out) = $r->run($fcgi, '--check', '--config', $file);
    ok($status != 0 && $status < 126, "--check: $title is refused")
        or diag("$status $out");
    like($out, $says, 'file, line and key are named');
    ($status, $out) = $r->run($fcgi, '--config', $file, '--socket',
        "$r->{dir}/other.sock");
    ok($status != 0 && $status < 124, 'and it does not start with it')
        or diag("$status $out");
}

write_file($file, "${good}surprise: 1\nlog:\n  colour: blue\n");
($status, $out) = $r->run($fcgi, '--check', '--config', $file);
is($status, 0, 'unknown keys are warned about');
like($out, qr/other\.yml:5.*surprise/, 'by name and line');
like($out, qr/other\.yml:7.*colour/, 'each of them');

($status, $out) = $r->run('env', 'REGISTRY_STORAGE_DELETE_ENABLED=perhaps',
    $fcgi, '--check', '--config', $r->config_file);
ok($status != 0, 'a bad variable is refused');
like($out, qr/REGISTRY_STORAGE_DELETE_ENABLED/, 'by its name');

# A tree whose truth is in GitLab's metadata database.
my $gitlab = "$r->{dir}/gitlab";
mkdir $_ for $gitlab, map { "$gitlab/docker$_" } '', '/registry',
    '/registry/lockfiles';
write_file("$gitlab/docker/registry/lockfiles/database-in-use", '');
write_file($file, "version: 0.1\nstorage:\n  filesystem:\n"
    . "    rootdirectory: $gitlab\n");
($status, $out) = $r->run($fcgi, '--check', '--config', $file);
ok($status != 0, "a tree of GitLab's database is refused") or diag($out);
like($out, qr/database/i, 'and why');


# ---- --check makes nothing

my ($www, $group) = (getpwnam 'www-data')[2, 3];
my $new = "$r->{dir}/new";
my $root = "$new/root";
my $tokens = "auth:\n  htpasswd:\n    path: $r->{dir}/accounts\n"
    . "nginx_registry:\n  state: $new/state\n  tokens:\n    enabled: true\n";

sub everything_in { return join ' ', sort split /\n/, qx{find '$_[0]'} }

sub check_of {
    my ($text, @before) = @_;

    write_file($file, "version: 0.1\nstorage:\n  filesystem:\n"
        . "    rootdirectory: $root\n$text");
    return $r->run(@before, $fcgi, '--check', '--config', $file);
}

mkdir $new;
write_file("$r->{dir}/accounts", '');
($status, $out) = check_of($tokens);
is($status, 0, '--check of a tree that is not there') or diag($out);
like($out, qr{^a start makes: \Q$root\E$}m, 'says what will be made');
like($out, qr{^a start makes: \Q$new/state\E$}m, 'the place of keys as well');
is(everything_in($new), $new, 'and makes nothing');

($status, $out) = check_of("nginx_registry:\n  socket: $new/run/a.sock\n");
is($status, 0, 'a socket whose directory comes later') or diag($out);
like($out, qr{^a start needs: \Q$new/run\E, for nginx_registry\.socket$}m,
    'is said too');

mkdir $root;
($status, $out) = check_of('');
is($status, 0, 'of an empty one') or diag($out);
like($out, qr{^a start makes: \Q$root/docker\E$}m, 'says so too');
is(() = $out =~ /^a start makes/mg, 1, 'once');
is(everything_in($new), "$new $root", 'and makes nothing');

($status, $out) = $r->run($fcgi, '--check', '--config', $r->config_file);
unlike($out, qr/a start makes/, 'of one in use there is nothing to make');

# a place that cannot be used, and the word that says which
sub bad_place {
    my ($title, $text, $says, @before) = @_;

    ($status, $out) = check_of($text, @before);
    is($status, 1, "--check: $title") or diag($out);
    like($out, $says, 'says which place');
}

my $audit = "nginx_registry:\n  audit:\n    path";
bad_place('an audit without a directory', "$audit: $new/none/audit.log\n",
    qr{nginx_registry\.audit\.path: \Q$new\E/none/audit\.log: No such file});
bad_place('an audit that is a directory', "$audit: $new\n",
    qr{nginx_registry\.audit\.path: \Q$new\E: Is a directory});
bad_place('keys where a file is', $tokens =~ s{state: \S+}{state: $file}r,
    qr{nginx_registry\.state: \Q$file\E: Not a directory});
is((check_of("$audit: $new/audit.log\n"))[0], 0, 'an audit that can be made');
ok(!-e "$new/audit.log", 'is not made');

write_file("$root/docker", '');
bad_place('a file where the tree would be', '',
    qr{the tree cannot be used: \Q$root/docker\E.*: Not a directory});
unlink "$root/docker";

SKIP_ROOT: {
    # whoever is not root is refused by the kernel itself
    my @as = $> == 0
        ? ('setpriv', "--reuid=$www", "--regid=$group", '--clear-groups') : ();

    chmod 0555, $root;
    chmod 0555, $new;
    chmod 0755, $r->{dir};
    bad_place('a tree that nobody may write to', '',
        qr{the tree cannot be used: \Q$root\E: Permission denied}, @as);
    chmod 0777, $root;
    bad_place('an audit that nobody may make', "$audit: $new/audit.log\n",
        qr{audit\.path: \Q$new\E/audit\.log: Permission denied}, @as);

    last SKIP_ROOT if $> != 0;

    # root looks as the owner, who will be the worker's user
    chown $www, $group, $root;
    chmod 0755, $root;
    is((check_of(''))[0], 0, 'root looks at a tree of www-data');
    is((check_of("$audit: $root/audit.log\n"))[0], 0, 'and at its audit');
    chmod 0755, $new;
    bad_place('where root may write and the owner may not',
        "$audit: $new/audit.log\n",
        qr{audit\.path: \Q$new\E/audit\.log: Permission denied});
    is(everything_in($new), "$new $root", 'nothing was made as root');
}


# ---- the socket

my $mode = (stat $r->socket)[2];
ok(!($mode & 0002), 'the socket is not for everybody')
    or diag(sprintf '%o', $mode);

($status, $out) = $r->run($fcgi, '--config', $r->config_file);
ok($status != 0 && $status < 124, 'two workers do not share a socket unasked')
    or diag("$status $out");
is($r->request('GET', '/v2/')->{status}, 200, 'the first one still serves');


# ---- a log that nobody reads

my $mute = daemon($r->{dir}, 'mute', 'bash', '-c',
    'exec "$@" 2> >(:)', 'bash', $fcgi, '--config', $r->config_file,
    '--socket', "$r->{dir}/mute.sock");
ok(wait_until(300, sub { -S "$r->{dir}/mute.sock" }), 'its socket is there');
kill 'HUP', $mute->pid;                         # which it says something of
my $unheard = eval { Test::Registry::Connection->new(
    unix => "$r->{dir}/mute.sock", timeout => 180) };
ok($mute->alive && $unheard, 'a worker lives on when its log is gone');
$mute->stop;


# ---- FastCGI, spoken by hand

use constant {
    BEGIN_REQUEST => 1, ABORT_REQUEST => 2, PARAMS => 4, STANDARD_IN => 5,
};

sub record {
    my ($type, $content, $id) = @_;
    return pack('CCnnCC', 1, $type, $id // 1, length $content, 0, 0)
        . $content;
}

sub pairs {
    my (@pairs) = @_;
    my $out = '';
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $out .= join '', map { $_ < 128 ? pack('C', $_)
            : pack('N', $_ | 1 << 31) } length $name, length $value;
        $out .= $name . $value;
    }
    return $out;
}

my $begin = record(BEGIN_REQUEST, pack('nCx5', 1, 1));

sub head {
    my ($method, $uri, %more) = @_;
    return $begin . record(PARAMS, pairs(REQUEST_METHOD => $method,
        REGISTRY_URI => $uri, REQUEST_URI => $uri, QUERY_STRING => '',
        REGISTRY_ROOT => $r->root, REMOTE_ADDR => '127.0.0.1', %more))
        . record(PARAMS, '');
}

sub connections {
    my ($pid) = @_;

    return scalar grep { (readlink // '') =~ /^socket:/ } glob "/proc/$pid/fd/*";
}

sub worker {
    return Test::Registry::Connection->new(unix => $r->socket, timeout => 180);
}

my $c = worker();
$c->send(head('GET', '/v2/') . record(STANDARD_IN, ''));
like($c->receive(qr/\x01\x03\x00\x01\x00\x08/), qr/Status: 200/,
    'a request by hand is answered');
$c->close;

my $params = pairs(REQUEST_METHOD => 'GET', REGISTRY_URI => '/v2/',
    REGISTRY_ROOT => $r->root, HTTP_USER_AGENT => 'x' x 300);
my $cut = join '', map { pack('CCnnCC', 1, PARAMS, 1, 1, 3, 0) . $_ . "\0" x 3 }
    split //, $params;
my $again = record(BEGIN_REQUEST, pack('nCx5', 1, 0));
$c = worker();
$c->send($begin . $cut . record(PARAMS, '') . record(STANDARD_IN, '')
    . $again . record(PARAMS, $params) . record(PARAMS, '')
    . record(STANDARD_IN, ''));
like($c->receive(qr/(?!)/), qr/^(.*Status: 200.*?\x01\x03\x00\x01\x00\x08){2}/s,
    'parameters that records cut anywhere; another request right behind, which'
    . ' is the last one');
$c->close;

my $start = pairs(REQUEST_METHOD => 'POST', QUERY_STRING => '',
    REGISTRY_URI => '/v2/cut/blobs/uploads/', REGISTRY_ROOT => $r->root);
for my $rest ("\x05", "\x80", "\x80\0\0", "\x05\x02", "\x05\x02abcd",
    "\x05\x02abcdefg\0", "\x05\x7fabc", pack('NN', 5, 0xffffffff) . 'x' x 9,
    pack('NN', 0xffffffff, 0xffffffff) . 'x' x 10)
{
    $c = worker();
    $c->send($begin . record(PARAMS, $start . $rest) . record(PARAMS, '')
        . record(STANDARD_IN, ''));
    is($c->receive(qr/(?!)/), '', 'a request whose last parameter is cut off'
        . ' is none: ' . unpack('H*', substr($rest, 0, 8)));
    $c->close;
}
ok(!-e $r->path('repositories/cut'), 'and nothing came of it');

$c = worker();
$c->send($begin . record(PARAMS, $start) . record(PARAMS, '')
    . record(STANDARD_IN, ''));
like($c->receive(qr/\x01\x03\x00\x01\x00\x08/), qr/Status: 202/,
    'the same without that');
$c->close;

my @before = $r->worker_pids;
my $rss = rss($before[0]);
my @nonsense = (
    'GET / HTTP/1.0' . "\r\n\r\n", "\0" x 1000, "\xff" x 100_000, "\x01",
    substr($begin, 0, 5), $begin, substr($begin, 0, 8),
    $begin . record(PARAMS, ''),
    # lengths that promise more than there is
    $begin . record(PARAMS, pack('NN', 0xffffffff, 0xffffffff) . 'x' x 10)
        . record(PARAMS, ''),
    $begin . record(PARAMS, pack('NN', 0xffffffff, 0xffffffff)),
    $begin . record(PARAMS, pack('NC', 0x80000000 | 1 << 30, 0) . 'x' x 60_000)
        . record(PARAMS, ''),
    $begin . record(PARAMS, "\x05\x7fabc") . record(PARAMS, ''),
    pack('CCnnCC', 1, 1, 1, 65535, 255, 0),
    pack('CCnnCC', 1, 4, 1, 65535, 255, 0) x 10,
    # other versions, ids, roles, types
    pack('CCnnCC', 9, 1, 1, 8, 0, 0) . pack('nCx5', 1, 1),
    record(BEGIN_REQUEST, pack('nCx5', 1, 1), 0),
    record(BEGIN_REQUEST, pack('nCx5', 2, 1)),
    record(BEGIN_REQUEST, pack('nCx5', 99, 1)), record(BEGIN_REQUEST, 'short'),
    record(9, pairs(FCGI_MAX_CONNS => '', FCGI_MPXS_CONNS => ''), 0),
    record(99, 'x' x 100), record(99, 'x' x 100, 0), record(ABORT_REQUEST, ''),
    $begin . record(ABORT_REQUEST, ''), $begin . $begin . $begin,
    head('GET', '/v2/') . record(ABORT_REQUEST, ''),
    record(PARAMS, pairs(A => 'b')), record(STANDARD_IN, 'x'),
    # a head that goes on and on
    $begin . record(PARAMS, pairs(map { ("N$_" => 'x' x 1000) } 1 .. 60)) x 20,
    # a body that is not what was said
    head('PUT', '/v2/a/manifests/x', CONTENT_LENGTH => 1000)
        . record(STANDARD_IN, 'short'),
    head('PUT', '/v2/a/manifests/x', CONTENT_LENGTH => 5)
        . record(STANDARD_IN, 'x' x 60_000) x 20 . record(STANDARD_IN, ''),
    head('PUT', '/v2/a/manifests/x', CONTENT_LENGTH => '9' x 30)
        . record(STANDARD_IN, 'x') . record(STANDARD_IN, ''),
    head('PUT', '/v2/a/manifests/x', CONTENT_LENGTH => -1)
        . record(STANDARD_IN, 'x') . record(STANDARD_IN, ''),
    # parameters that nginx would never pass
    head('GET', '../../etc/passwd') . record(STANDARD_IN, ''),
    head("G\0T", "/v2/\0/tags/list") . record(STANDARD_IN, ''),
    head('GET', '') . record(STANDARD_IN, ''),
    $begin . record(PARAMS, '') . record(STANDARD_IN, ''),
    $begin . record(PARAMS, pairs('' => '', '' => 'x')) . record(PARAMS, '')
        . record(STANDARD_IN, ''),
);

for my $round (1, 2) {
    my @open;
    for my $bytes (@nonsense) {
        my $c = worker();
        $c->send($bytes);
        # Half of them go away at once, half stay.
        $round == 1 ? $c->close : push @open, $c;
    }
    my $answer = $r->request('GET', '/v2/', timeout => 180);
    is($answer->{status}, 200, "round $round: others are served");
    my @all = in_parallel(30, sub {
        $r->request('POST', '/v2/a/blobs/uploads/', body => '')->{status} });
    is(scalar(grep { $_ ne '202' } @all), 0, 'many of them') or diag("@all");
    $_->close for @open;
}
is_deeply([$r->worker_pids], \@before, 'the same processes live');
SKIP: {
    skip 'memory is not bounded under a sanitizer', 1 if sanitized();
    cmp_ok(rss($before[0]) - $rss, '<', 16_384, 'and have not grown');
}

my @idle = map { worker() } 1 .. 100;
is($r->request('GET', '/v2/', timeout => 180)->{status}, 200,
    'a hundred silent connections keep nobody from being served');
$_->close for @idle;


# ---- SIGHUP

my $image = $r->push_image('a', 'v1');
is($r->request('DELETE', '/v2/a/manifests/v1')->{status}, 202,
    'deletes are allowed');
$r->push_manifest('a', 'v1', $image->{bytes});

my $text = $r->tree->content($r->config_file);
$r->write_config($text =~ s/enabled: true/enabled: false/r);
kill 'HUP', $r->worker_pid;
ok(wait_until(300, sub {
    $r->request('DELETE', '/v2/a/manifests/absent')->{status} == 405 }),
    'SIGHUP: the new configuration holds');
error_is($r->request('DELETE', '/v2/a/manifests/v1'), 405, 'UNSUPPORTED',
    'deletes are off');

$r->write_config("version: 0.1\nlog:\n  level: [\n");
my $log = length $r->log_of_worker;
kill 'HUP', $r->worker_pid;
ok(wait_until(300, sub {
    substr($r->log_of_worker, $log) =~ /config\.yml:\d+/ }),
    'SIGHUP with a bad file: the log says where');
error_is($r->request('DELETE', '/v2/a/manifests/v1'), 405, 'UNSUPPORTED',
    'the old configuration still holds');
is($r->request('GET', '/v2/a/manifests/v1')->{status}, 200,
    'and everything works');

$r->write_config($text =~ s/enabled: true/enabled: false/r
    =~ s/worker\.sock/another.sock/r);
kill 'HUP', $r->worker_pid;
ok(wait_until(300, sub {
    $r->log_of_worker =~ /warn reload: another socket needs a restart/ }),
    'SIGHUP with another socket: the log says what it takes');
ok(!-e "$r->{dir}/another.sock", 'and there is none');

$r->write_config($text =~ s/enabled: true/enabled: false/r
    . "  audit:\n    path: $r->{dir}/nowhere/audit.log\n");
kill 'HUP', $r->worker_pid;
ok(wait_until(300, sub {
    $r->log_of_worker =~ m{error reload: .*audit\.path: .*No such file.*before} }),
    'SIGHUP with a place that no worker could use: the log names it');
is($r->request('GET', '/v2/a/manifests/v1')->{status}, 200,
    'and those go on who have a better one');

$r->write_config($text);
kill 'HUP', $r->worker_pid;
ok(wait_until(300, sub {
    $r->request('DELETE', '/v2/a/manifests/absent')->{status} == 404 }),
    'SIGHUP with a good one again');

# A terminal that hangs up tells all of them.
ok(wait_until(300, sub { (@before = $r->worker_pids) == 1 }),
    'those with the old ones have gone');
kill 'HUP', @before;
is($r->request('GET', '/v2/')->{status}, 200, 'SIGHUP is none of a worker\'s');
is_deeply([$r->worker_pids], \@before, 'it goes on');


# ---- a process that dies is replaced

my ($pid) = $r->worker_pids;
SKIP: {
    skip 'there is one process only', 1 if $pid == $r->worker_pid;
    $r->kill_process($pid, 'KILL');
    ok(wait_until(300, sub {
        my ($new) = $r->worker_pids;
        return $new != $pid && $new != $r->worker_pid
            && $r->request('GET', '/v2/')->{status} == 200;
    }), 'another takes its place');
}


# ---- a body is what its own request says

my $manifest = json(image_manifest(config => '{}'));
$r->push_blob('a', '{}');
for my $rest (record(STANDARD_IN, substr($manifest, 50), 2),
    record(PARAMS, substr($manifest, 50)))
{
    my $c = worker();
    $c->send(head('PUT', '/v2/a/manifests/odd', CONTENT_TYPE => $TYPE{oci},
        CONTENT_LENGTH => length $manifest)
        . record(STANDARD_IN, substr($manifest, 0, 50)) . $rest
        . record(STANDARD_IN, ''));
    like($c->receive(qr/(?!)/), qr/Status: 400/,
        'what another record says is no part of it');
    $c->close;
}
is($r->request('GET', '/v2/a/manifests/odd')->{status}, 404,
    'nothing of it is stored');


# ---- SIGTERM lets a request finish

$c = worker();
$c->send(head('PUT', '/v2/a/manifests/drained', CONTENT_TYPE => $TYPE{oci},
    CONTENT_LENGTH => length $manifest)
    . record(STANDARD_IN, substr($manifest, 0, 50)));
ok(wait_until(300, sub { $c->unread == 0 }), 'a request is under way');
kill 'TERM', $r->worker_pid;
ok(wait_until(300, sub {
    my $answer = eval { $r->request('GET', '/v2/', timeout => 2) };
    return !$answer || $answer->{status} != 200;
}), 'a worker that drains takes no more');
ok(kill(0, $r->worker_pid), 'and is still there');
$c->send(record(STANDARD_IN, substr($manifest, 50)) . record(STANDARD_IN, ''));
like($c->receive(qr/\x01\x03\x00\x01\x00\x08/), qr/Status: 201/,
    'but what was under way is finished');
$c->close;
$r->stop_worker;
$r->start_worker;
is($r->request('GET', '/v2/a/manifests/drained')->{body}, $manifest,
    'and was stored');


# ---- whatever else is signalled meanwhile

# Waits until a process has taken the signals that it was sent.
sub has_heard {
    my ($pid) = @_;

    return wait_until(300, sub {
        $r->tree->content("/proc/$pid/status") !~ /^S[ih]\w*Pnd:\s*0*[1-9a-f]/m });
}

sub half_a_put {
    my ($tag) = @_;

    my $c = worker();
    $c->send(head('PUT', "/v2/a/manifests/$tag", CONTENT_TYPE => $TYPE{oci},
        CONTENT_LENGTH => length $manifest)
        . record(STANDARD_IN, substr($manifest, 0, 50)));
    wait_until(300, sub { $c->unread == 0 }) or die "nobody reads\n";
    return $c;
}

$c = half_a_put('again');
my $before = $r->log_of_worker;
for my $signal (qw(TERM TERM INT HUP USR2)) {
    kill $signal, $r->worker_pid;
    ok(has_heard($r->worker_pid), "SIG$signal is heard");
}
$c->send(record(STANDARD_IN, substr($manifest, 50)) . record(STANDARD_IN, ''));
like($c->receive(qr/\x01\x03\x00\x01\x00\x08/), qr/Status: 201/,
    'a second signal changes nothing while the worker drains');
$c->close;
$r->stop_worker;
unlike(substr($r->log_of_worker, length $before), qr/reload|upgrade/,
    'and none is taken for a reload or an upgrade');


# ---- a request that lasts too long

$r->{opt}{worker}{drain_timeout} = 1;
$r->write_config;
$r->start_worker;
$c = half_a_put('late');
$before = $r->log_of_worker;
$r->stop_worker;
$before = substr($r->log_of_worker, length $before);
like($before, qr/warn drain_timeout is over: 1 requests are cut off/,
    'drain_timeout: what lasts longer is cut off, and the log says so');
like($before, qr/worker \d+ ended with status 1\n.*stopped$/m,
    'by the worker itself') or diag($before);
is($c->receive(qr/(?!)/), '', 'who waits hears the end');
$c->close;

# who cannot end by himself is ended, however often it is asked for
$r->start_worker;
my ($frozen) = $r->worker_pids;
kill 'STOP', $frozen;
my $asked = 0;
ok(wait_until(300, sub {
    kill 'TERM', $r->worker_pid;
    return $asked++ > 100 && !runs($frozen);
}), 'a worker that stands still is killed soon after it');
$r->stop_worker;
like($r->log_of_worker, qr/worker $frozen was ended by signal 9/,
    'and the log says so');
delete $r->{opt}{worker}{drain_timeout};
$r->write_config;
$r->start_worker;
is($r->request('GET', '/v2/a/manifests/late')->{status}, 404,
    'of what was cut off nothing is there');


# ---- and one that is about to be asked: nginx has connected, and writes next

# A worker waits ten seconds for that: if this machine stood still for so long, all
# is done once more.
sub soon_ok {
    my ($title, $do) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($answer, $began);
    for (1 .. 10) {
        $began = time;
        $answer = $do->();
        last if $answer =~ /Status: 200/ || time - $began < 8;
    }
    like($answer, qr/Status: 200/, $title);
}

my @slow = (LD_PRELOAD => join(' ', grep { length } $ENV{REGISTRY_PRELOAD},
    $ENV{REGISTRY_SLOW_OPEN} // 'build/slow_open.so'));

# Connects, ends the worker, and asks when `then` says so: the answer.
sub asked_late {
    my ($registry, $then) = @_;

    my ($pid) = $registry->worker_pids;
    my $before = connections($pid);
    my $late = Test::Registry::Connection->new(unix => $registry->socket);
    wait_until(10, sub { connections($pid) > $before }) or die "no connection\n";
    kill 'TERM', $registry->worker_pid;
    wait_until(10, sub { $then->($pid) });
    $late->send(head('GET', '/v2/a/manifests/drained')
        . record(STANDARD_IN, ''));
    my $answer = $late->receive(qr/(?!)/);
    $late->close;
    $registry->stop_worker;
    $registry->start_worker;
    return $answer;
}

soon_ok('the first request of a connection is answered still, and is its last',
    sub { asked_late($r, sub { !eval { worker() } }) });

# nor is one lost that a thread has just accepted, and not looked at yet
{
    my $slow = Test::Registry->new(root => $r->root,
        env => { @slow, SLOW_ACCEPT_US => 1_000_000 });
    soon_ok('so is that of one that was just accepted', sub {
        # long enough for who would not wait for it
        my $end = time + 3;
        return asked_late($slow, sub { time > $end || !runs($_[0]) });
    });
    $slow->stop_nginx;
    $slow->stop_worker;
}

# nor one of which the kernel has told only a process that drains, though there is
# another one, which it would have told
{
    my $slow = Test::Registry->new(root => $r->root, env => { @slow,
        SLOW_WAKE_US => 3_000_000, SLOW_SIGNAL_US => 2_000_000 });
    soon_ok('and of one that waits while processes change', sub {
        my ($old) = $slow->worker_pids;
        kill 'HUP', $slow->worker_pid;
        wait_until(10, sub {
            my ($new) = grep { $_ != $old } $slow->worker_pids;
            return $new && grep { 1 < (() = ($r->tree->content($_) // '')
                =~ /^tfd:/mg) } glob "/proc/$new/fdinfo/*";
        }) or die "no other process\n";
        my $late = Test::Registry::Connection->new(unix => $slow->socket);
        $late->send(head('GET', '/v2/') . record(STANDARD_IN, ''));
        my $answer = $late->readable(60)
            ? $late->receive(qr/\x01\x03\x00\x01\x00\x08/) : '';
        $late->close;
        return $answer;
    });
    $slow->stop_nginx;
    $slow->stop_worker;
}


# ---- a master that is killed takes its workers with it

my @orphans = $r->worker_pids;
$r->kill_process($r->worker_pid, 'KILL');
ok(wait_until(30, sub { !grep { runs($_) } @orphans }),
    'nobody is left who serves') or diag("@orphans");
$r->crash_worker;
is($r->request('GET', '/v2/a/manifests/drained')->{body}, $manifest,
    'and another can begin');

fsck_ok($r, 'the tree is sound');

done_testing;
