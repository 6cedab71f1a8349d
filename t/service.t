# The package's files where the package puts them: what systemd says of the unit,
# and the worker as systemd starts it, by the unit's own lines, as its user, with
# nothing to write to but what the unit gives it, behind the README's nginx.conf.
# All in namespaces of the test's own, for mounts and processes.

use Test::Registry;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Socket qw(SOCK_DGRAM);
use Test::Registry::Process qw(needs);

needs('systemd-analyze' => 'systemd', 'curl' => 'curl', 'man' => 'man-db');

my $dir = $ENV{REGISTRY_TEST_DIR};
if (!$dir) {
    plan(skip_all => 'name spaces are for root, where a container lets him')
        if system('unshare', '--mount', '--pid', '--fork', 'true') != 0;
    my $made = File::Temp->newdir;
    local $ENV{REGISTRY_TEST_DIR} = "$made";
    system('unshare', '--mount', '--pid', '--fork', '--kill-child',
        '--mount-proc', $^X, (map { "-I$_" } @INC), abs_path($0));
    exit($? == 0 ? 0 : 1);
}

my $top  = abs_path(dirname(__FILE__) . '/..');
my $inst = "$dir/installed";
my $conf = '/etc/nginx-registry/config.yml';
my $sock = '/run/nginx-registry/registry.sock';
my ($www, $group) = (getpwnam 'www-data')[2, 3];
chmod 0755, $dir;

sub must { system(@_) == 0 or die "@_: $?\n" }
sub said { my $out = qx{($_[0]) 2>&1}; return ($? >> 8, $out) }
sub slurp { local (@ARGV, $/) = @_; return <> }

sub make {
    must('make', '-s', '-C', $top, '-o', 'build', @_, "DESTDIR=$inst",
        'SAN=' . ($ENV{SAN} // ''));
}


# ---- what is installed, and what the unit says

{
    open my $stdout, '>&', \*STDOUT or die "dup: $!\n";
    open STDOUT, '>', "$dir/make.out" or die "$dir/make.out: $!\n";
    make('install');
    open STDOUT, '>&', $stdout or die "dup: $!\n";
}

my %unit;
my $unit = "$inst/usr/lib/systemd/system/nginx-registry.service";
my $lines = slurp($unit);
push @{ $unit{$1} }, $2 while $lines =~ /^(\w+)=(.*)$/mg;
my @write = ((map { "/var/lib/$_" } split ' ', $unit{StateDirectory}[0]),
    (map { "/var/log/$_" } split ' ', $unit{LogsDirectory}[0]),
    (map { "/run/$_" } split ' ', $unit{RuntimeDirectory}[0]));

# the README's server, with a certificate, on a socket instead of port 443
my ($site) = slurp("$top/README.md") =~ /^```nginx\n(upstream .*?)^```$/ms;
ok($site =~ s/listen +443 /listen unix:$dir\/https.sock /, 'the README has a'
    . ' nginx.conf');
make_path("$inst/etc/ssl", "$inst/etc/nginx/sites-enabled");
must("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
    . " -subj /CN=registry.example.com"
    . " -keyout $inst/etc/ssl/registry.example.com.key"
    . " -out $inst/etc/ssl/registry.example.com.crt 2> $dir/openssl.out");
write_file("$inst/etc/nginx/sites-enabled/registry", $site);
write_file("$inst/etc/group", slurp('/etc/group')
    . "registry-test:x:64321:www-data\n");

# conf/nginx.conf with that server beside its own, which is on a socket too
my $nginx = slurp("$top/conf/nginx.conf");
$nginx =~ s/^$_->[0]$/$_->[1]/ms or die "no $_->[0] in nginx.conf\n" for
    ['load_module [^\n]*', 'include modules-enabled/50-mod-http-registry.conf;'],
    ['pid [^\n]*', "pid $dir/nginx.pid;"],
    ['error_log [^\n]*', "error_log $dir/error.log;"],
    [' *access_log [^\n]*', 'access_log off; include mime.types;'],
    [' *listen [^\n]*', "listen unix:$dir/http.sock;"],
    [' *upstream .*?^ *}', 'include sites-enabled/registry;'];
write_file("$inst/etc/nginx/test.conf", $nginx);


# ---- as it is mounted for a service with ProtectSystem=strict

sub make_path { must('mkdir', '-p', @_) }

must('mount', '-t', 'overlay', '-o', "ro,lowerdir=$inst/$_:/$_", 'overlay',
    "/$_") for 'usr', 'etc';
# nothing of the host's is there, but what the test itself lives in
for my $place ('/run', '/var') {
    must('mkdir', "$dir$place");
    must('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', "$dir$place");
    for my $ours (grep { m{^$place/} } $top, $dir) {
        make_path("$dir$ours");
        must('mount', '--bind', $ours, "$dir$ours");
    }
    must('mount', '--rbind', "$dir$place", $place);
}
make_path(@write, '/var/lib/nginx', '/var/images');
chown $www, $group, @write, '/var/images';
must('mount', '--bind', $_, $_) for @write, '/var/lib/nginx', "$dir";
must('mount', '--bind', "$inst/etc/nginx-registry", '/etc/nginx-registry');

my ($status, $out) = said("systemd-analyze verify --man=yes $unit");
is($status, 0, 'systemd-analyze verify') or diag($out);
unlike($out, qr/nginx-registry/, 'has nothing to say about the unit');
($status, $out) = said("systemd-analyze security --offline=true"
    . " --threshold=20 --no-pager $unit");
is($status, 0, 'and security finds it closed') or diag($out);

must('mount', '-o', 'remount,bind,ro', $_) for '/', '/run', '/var';


# ---- a service manager of a few lines

my @as = ('setpriv', "--reuid=$unit{User}[0]", "--regid=$unit{Group}[0]",
    '--init-groups', '--bounding-set=-all', '--inh-caps=-all',
    '--no-new-privs');
my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify")
    or die "notify: $!\n";
chmod 0777, "$dir/notify";
my $pid;

# What it says next, but for the socket that it gives to be kept.
sub told {
    my $message = '';
    local $SIG{ALRM} = sub { die "nothing was told\n" };
    alarm 30;
    eval {
        do { $notify->recv($message, 4096) } while $message =~ /^FDSTORE/;
    };
    alarm 0;
    return $message || $@;
}

sub command_of {
    my ($line) = @_;

    $line =~ s/\$MAINPID/$pid/g;
    return (@as, split ' ', $line);
}

# The lines of one key, until one fails: the status, and what they said.
sub runs {
    my ($key) = @_;

    my $all = '';
    for (@{ $unit{$key} }) {
        my $command = join ' ', command_of($_);
        my ($status, $out) = said("INVOCATION_ID=1 $command");
        $all .= $out;
        return ($status, $all) if $status != 0;
    }

    return (0, $all);
}

sub start {
    my (%env) = @_;

    $pid = fork() // die "fork: $!";
    return if $pid != 0;

    open STDIN, '<', '/dev/null';
    open STDERR, '>>', "$dir/journal";
    my ($dev, $ino) = stat STDERR;
    local %ENV = (PATH => '/usr/sbin:/usr/bin', NOTIFY_SOCKET => "$dir/notify",
        JOURNAL_STREAM => "$dev:$ino", INVOCATION_ID => 1, %env);
    exec(command_of($unit{ExecStart}[0])) or POSIX::_exit(127);
}

sub nginx {
    my @preload = $ENV{REGISTRY_PRELOAD}
        ? ('env', 'ASAN_OPTIONS=detect_leaks=0',
            "LD_PRELOAD=$ENV{REGISTRY_PRELOAD}") : ();

    must(@preload, Test::Registry->nginx, '-c', '/etc/nginx/test.conf', '-e',
        "$dir/error.log", @_);
}

sub curl {
    my ($path, @options) = @_;

    open my $in, '-|', 'curl', '-sS', '-o', "$dir/body", '-w', '%{http_code}',
        '--unix-socket', "$dir/https.sock", '--cacert',
        "$inst/etc/ssl/registry.example.com.crt",
        @options, "https://registry.example.com$path" or die "curl: $!";
    local $/;
    return <$in>;
}


# ---- the first start

write_file("$dir/journal", '');
is($unit{ExecStartPre}, undef, 'nothing comes before the start that could fail:'
    . ' only what is started can let go of a socket that is kept');
start();
is(told(), "READY=1\nSTATUS=serving /var/lib/registry", 'it is ready');
ok(-S $sock, 'when it listens');
is_deeply([(stat $sock)[4, 5], sprintf '%o', (stat _)[2] & 07777],
    [$www, $group, '660'], 'for its user alone');
like(slurp("$dir/journal"), qr/^<6>info ready: /m,
    'the journal has a priority of each line, and a time of its own');

nginx();
is(curl('/v2/'), 200, 'nginx speaks to it');
is((said("curl -sS --unix-socket $dir/http.sock http://localhost/v2/"))[1], '{}',
    'so it does as conf/nginx.conf has it');
is(curl('/'), 200, 'and has the page');
my $blob = bytes('service', 100_000);
write_file("$dir/blob", $blob);
is(curl('/v2/team/app/blobs/uploads/?digest=' . sha256($blob),
    '--data-binary', "\@$dir/blob"), 201, 'a blob comes in');
is(curl('/v2/team/app/blobs/' . sha256($blob)), 200, 'and out');
ok(slurp("$dir/body") eq $blob, 'as it was');
my $manifest = json(index_manifest());
write_file("$dir/manifest", $manifest);
is(curl('/v2/team/app/manifests/v1', '-T', "$dir/manifest", '-H',
    "Content-Type: $TYPE{oci_index}"), 201, 'and a manifest');


# ---- a reload

write_file("$dir/good.yml", slurp($conf));
write_file($conf, slurp("$dir/good.yml")
    . "auth:\n  htpasswd:\n    path: /etc/nginx-registry/users\n");
($status, $out) = runs('ExecReload');
is($status, 1, 'a reload fails with a configuration that is wrong');
like($out, qr{users: No such file}, 'and says why');
is(curl('/v2/'), 200, 'and changes nothing');

($status, $out) = said("echo 's3cret' | registryctl user add alice --stdin");
is($status, 0, 'an account, as the README makes one') or diag($out);
($status, $out) = runs('ExecReload');
is($status, 0, 'and a reload') or diag($out);
is(told(), 'STATUS=serving /var/lib/registry', 'is told');
ok(wait_until(20, sub { curl('/v2/') == 401 }),
    'nobody comes in, when the processes before it have ended');
is(curl('/v2/team/app/manifests/v1', '-u', 'alice:s3cret'), 200, 'but alice');


# ---- after a kill, and another socket for what is told

# systemd waits for all of a service, and so does its first process here
my @all = ($pid, children($pid));
kill 'KILL', $pid;
waitpid $_, 0 for @all;
$notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "\0registry-$$")
    or die "notify: $!\n";
start(NOTIFY_SOCKET => "\@registry-$$");
like(told(), qr/^READY=1\n/, 'after SIGKILL it starts again');
is(curl('/v2/team/app/manifests/v1', '-u', 'alice:s3cret'), 200,
    'with what it had');


# ---- a tree elsewhere

write_file($conf, slurp("$dir/good.yml") =~ s{(rootdirectory:) .*}
    {$1 /var/images}r);
($status, $out) = runs('ExecReload');
is($status, 1, 'what the unit does not let it write to is refused');
like($out, qr{/var/images: Read-only file system, unless ReadWritePaths=},
    'with what would let it');


# ---- what root does by hand, he does with the groups of the worker's user

mkdir "$dir/shared" or die "shared: $!\n";
chown 0, 64321, "$dir/shared";
chmod 0770, "$dir/shared";
write_file("$dir/shared.yml", slurp("$dir/good.yml")
    =~ s{^nginx_registry:}{$&\n  audit:\n    path: $dir/shared/audit.log}mr);
($status, $out) = said("registry-fcgi --config $dir/shared.yml --check");
is($status, 0, 'so root has them too') or diag($out);


# ---- the end

kill 'TERM', $pid;
like(told(), qr/^STOPPING=1\n/, 'it says that it stops');
ok(wait_until(20, sub { waitpid($pid, WNOHANG) == $pid }), 'and does')
    or kill 'KILL', $pid;
is($?, 0, 'with status 0');
is("@{ $unit{FileDescriptorStoreMax} } @{ $unit{RuntimeDirectoryPreserve} }",
    '1 restart', 'and leaves its socket to systemd, which keeps it for a restart'
    . ' only');

nginx('-s', 'quit');
ok(wait_until(20, sub { !-e "$dir/nginx.pid" }), 'nginx too');
unlike(slurp("$dir/error.log"), qr/\[(?:emerg|alert|crit)\]/, 'in peace');

must('umount', '/etc/nginx-registry');
unlink "$inst/etc/nginx-registry/users", map { "$inst/etc/$_" }
    'ssl/registry.example.com.key', 'ssl/registry.example.com.crt',
    'nginx/sites-enabled/registry', 'nginx/test.conf', 'group';
make('uninstall');
is(join(' ', split /\n/, qx{cd $inst && find . -type f}),
    './etc/nginx-registry/config.yml',
    'what is taken away again leaves the configuration');

done_testing;
