# make run: what it says, what it refuses, and that it leaves nothing behind.

use Test::Registry;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use HTTP::Tiny;
use POSIX qw(WNOHANG);

my $top = abs_path(dirname(__FILE__) . '/..');
my $dir = File::Temp->newdir;

my %program = (
    NGINX  => Test::Registry->nginx,
    WORKER => Test::Registry->fcgi,
    MODULE => Test::Registry->module,
);


# Starts it; gives its pid and the file that it writes to.

sub start {
    my (%env) = @_;

    my @as = @{ delete $env{as} // [] };
    my $out = "$dir/out";
    unlink $out;
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        my %preload = $ENV{REGISTRY_PRELOAD} ? (
            LD_PRELOAD   => $ENV{REGISTRY_PRELOAD},
            ASAN_OPTIONS => 'detect_leaks=0') : ();
        delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
        local %ENV = (%ENV, %program, ROOT => "$dir/root",
            RUNDIR => "$dir/run", CONFIG => '', REDIS => '', OPEN => '',
            %preload, %env);
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec(@as, 'sh', "$top/conf/run.sh") or POSIX::_exit(127);
    }

    return ($pid, $out);
}

sub said {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;
    return <$in> // '';
}

sub stop {
    my ($pid) = @_;

    my @all = ($pid, map { ($_, children($_)) } children($pid));
    kill 'TERM', $pid;
    ok(wait_until(20, sub { waitpid($pid, WNOHANG) == $pid }),
        'SIGTERM ends it');
    is($? >> 8, 0, 'with status 0');
    ok(wait_until(20, sub { !grep { kill 0, $_ } @all }),
        'and all that it started');
}

sub status {
    my ($url, @header) = @_;

    return HTTP::Tiny->new(timeout => 180)
        ->get($url, { headers => { @header } })->{status};
}

sub status_from {
    my ($address, $url) = @_;

    return HTTP::Tiny->new(timeout => 180, local_address => $address)
        ->get($url)->{status};
}


# ---- the first minute

my $port = Test::Registry->free_port;
my $url = "http://127.0.0.1:$port/v2/";
my ($pid, $out) = start(LISTEN => "127.0.0.1:$port");

ok(wait_until(20, sub { said($out) =~ /Stop with/ }), 'it starts')
    or diag(said($out));
like(said($out), qr/^ready: \Q$url\E$/m, 'says where it listens');
like(said($out), qr/access   open: everybody may pull, push and delete/,
    'and that it is open');
like(said($out), qr/docker push 127\.0\.0\.1:$port/, 'and what to try');
like(said($out), qr/user add alice --file \S+/, 'and how to ask for a login');
is(status($url), 200, 'it is open');
like(said($out), qr{^  page     http://127\.0\.0\.1:$port/$}m, 'and has a page');
like(HTTP::Tiny->new->get("http://127.0.0.1:$port/$_->[0]")->{headers}
    {'content-type'}, qr/^$_->[1]\b/, "/$_->[0]")
    for ['', 'text/html'], ['page.js', 'text/javascript'],
        ['page.css', 'text/css'];
is(status("http://127.0.0.1:$port/metrics"), 404, 'and has no metrics');
my ($second, $again) = start(LISTEN => '127.0.0.1:1');
waitpid $second, 0;
like(said($again), qr/another registry runs with RUNDIR/,
    'a second one in the same place is refused');
($second, $again) = start(LISTEN => "127.0.0.1:$port", RUNDIR => "$dir/run2");
waitpid $second, 0;
isnt($? >> 8, 0, 'and so is one on the same port');
like(said($again), qr/\Arun: something listens on 127\.0\.0\.1:$port already: .*\n\z/,
    'in one sentence that says what to do');
stop($pid);


# ---- what it cannot use

my $other = do { local (@ARGV, $/) = ($program{MODULE}); <> };
ok($other =~ s/\b(8,4,8,)([01])/$1 . (1 - $2)/e, 'a module says for what it is');
write_file("$dir/other.so", $other);
($second, $again) = start(LISTEN => "127.0.0.1:$port", MODULE => "$dir/other.so");
waitpid $second, 0;
isnt($? >> 8, 0, 'a module of another nginx is refused');
like(said($again), qr/run: \S+other\.so was built for another nginx .*NGINX_SRC=/,
    'with what to do');

# whoever is not root is refused by the kernel itself
chmod 0755, $dir;
mkdir "$dir/foreign";
chmod 0555, "$dir/foreign";
($second, $again) = start(RUNDIR => "$dir/foreign", ROOT => "$dir/foreign",
    LISTEN => "127.0.0.1:$port", as => $> != 0 ? [] : ['setpriv',
        '--reuid=65534', '--regid=65534', '--clear-groups']);
waitpid $second, 0;
like(said($again), qr/\Arun: \S+foreign is another user's: .*RUNDIR=.*\n\z/,
    'places that are not ours are refused in one sentence');


# ---- a path is a path, whatever is in it

for my $odd ('a b', 'a #b', 'a: b', q{it's "so" \\ & | ; {x}}) {
    my ($root, $run) = ("$dir/$odd/root", "$dir/$odd/run");
    mkdir "$dir/$odd" or die "$dir/$odd: $!\n";
    my ($pid, $out) = start(LISTEN => "127.0.0.1:$port", ROOT => $root,
        RUNDIR => $run);
    ok(wait_until(20, sub { said($out) =~ /Stop with/ }), "it runs in $odd")
        or diag(said($out));
    my $begin = HTTP::Tiny->new->post("${url}odd/blobs/uploads/");
    is($begin->{status}, 202, 'and takes an upload');
    ok(-d "$root/docker/registry/v2/repositories/odd/_uploads", 'into ROOT');
    stop($pid);

    accounts("$run/users", alice => 'secret');
    ($pid, $out) = start(LISTEN => "127.0.0.1:$port", ROOT => $root,
        RUNDIR => $run);
    ok(wait_until(20, sub { said($out) =~ /Stop with/ }), 'with accounts too')
        or diag(said($out));
    is(status($url), 401, 'which are found');
    stop($pid);
}


# ---- the world

for my $listen ("0.0.0.0:$port", "$port", "[::]:$port") {
    my ($pid, $out) = start(LISTEN => $listen);
    waitpid $pid, 0;
    isnt($? >> 8, 0, "LISTEN=$listen and no accounts: it does not start");
    like(said($out), qr/everybody could pull, push and delete/,
        'since everybody could come in');
    like(said($out), qr/user add alice.*OPEN=yes/s, 'it says what to do');
}

($pid, $out) = start(LISTEN => "0.0.0.0:$port", OPEN => 'yes',
    REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED => 'true');
ok(wait_until(20, sub { said($out) =~ /Stop with/ }), 'OPEN=yes means it')
    or diag(said($out));
is(status($url), 200, 'it is open to the world');
is(status_from($_->[0], "http://127.0.0.1:$port/metrics"), $_->[1],
    "metrics from $_->[0]: $_->[1]")
    for ['127.0.0.1', 200], ['127.0.0.2', 403];
stop($pid);


# ---- accounts

accounts("$dir/run/users", alice => 'secret');

($pid, $out) = start(LISTEN => "0.0.0.0:$port");
ok(wait_until(20, sub { said($out) =~ /Stop with/ }),
    'with accounts it serves the world') or diag(said($out));
like(said($out), qr/^  docker login 127\.0\.0\.1:$port$/m,
    'and says to log in, at an address that a client can reach');
is(status($url), 401, 'who does not is refused');
is(status($url, basic(alice => 'secret')), 200, 'who does comes in');
stop($pid);

done_testing;
