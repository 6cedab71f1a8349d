package Test::Registry;

# The real thing for one test: nginx with the module, the worker behind it, and
# an empty tree, on a loopback port, in a directory of its own.
#
#     use Test::Registry;                       strict, warnings, Test::More
#
#     my $r = Test::Registry->new(workers => 2);
#
#     my $digest = $r->push_blob('team/app', $bytes);
#     my $a = $r->request('GET', "/v2/team/app/blobs/$digest");
#     is($a->{status}, 200, 'a blob that was pushed is served');
#     error_is($r->request('GET', '/v2/x/blobs/nonsense'),
#         400, 'DIGEST_INVALID', 'nonsense is no digest');
#     fsck_ok($r, 'the tree is sound');
#
#     done_testing;                             stops all, looks at the logs
#
# Options of new: workers (of nginx), worker => { threads => 4, ... } (the
# nginx_registry section), config (more YAML), env => { ... } (of the worker),
# delete => 0, location, server, http, main (more nginx directives), registry
# (more directives of the module), http2 => 1 and tls => 1 (ports beside the
# plain one: $r->port('http2'), $r->port('tls')), root (an existing tree).
#
# Environment: REGISTRY_NGINX, REGISTRY_MODULE, REGISTRY_FCGI name the programs,
# REGISTRY_PRELOAD what nginx runs with (libasan); REGISTRY_KEEP=1 leaves the
# directory.
#
# done_testing fails the test if a log holds an [alert], [emerg] or [crit] that
# was not announced by $r->expect_log(qr/.../), or a sanitizer's report, or if
# a process ended by a signal that the test did not send.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex sha512_hex sha512);
use Exporter ();
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More import => ['!done_testing'];
use Time::HiRes qw(sleep time);

use Test::Registry::Answer;
use Test::Registry::Connection;
use Test::Registry::Tree;

our @EXPORT = (
    grep({ $_ ne 'done_testing' } @Test::More::EXPORT),
    qw(%TYPE bytes children descriptor done_testing error_is fsck_ok
        image_manifest in_parallel index_manifest json rss rss_peak sanitized
        sha256 sha512sum uuid_of wait_until with_digest),
);

our %TYPE = (
    oci       => 'application/vnd.oci.image.manifest.v1+json',
    oci_index => 'application/vnd.oci.image.index.v1+json',
    docker    => 'application/vnd.docker.distribution.manifest.v2+json',
    list      => 'application/vnd.docker.distribution.manifest.list.v2+json',
    schema1   => 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    config    => 'application/vnd.oci.image.config.v1+json',
    layer     => 'application/vnd.oci.image.layer.v1.tar+gzip',
);

my $top   = abs_path(dirname(__FILE__) . '/../../..');
my $owner = $$;
my @running;

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };


sub import {
    strict->import;
    warnings->import;
    goto &Exporter::import;
}


# ---- small things that every test needs ------------------------------------

sub sha256    { return 'sha256:' . sha256_hex($_[0]) }
sub sha512sum { return 'sha512:' . sha512_hex($_[0]) }
sub json      { return JSON::PP->new->utf8->canonical->encode($_[0]) }
sub sanitized { return ($ENV{SAN} // '') ne '' || !!$ENV{REGISTRY_PRELOAD} }


# Bytes that follow from SEED and do not repeat.

sub bytes {
    my ($seed, $size) = @_;

    my $out = '';
    for (my $n = 0; length $out < $size; $n++) {
        $out .= sha512("$seed/$n");
    }

    return substr($out, 0, $size);
}


sub wait_until {
    my ($seconds, $condition) = @_;

    my $end = time() + $seconds;
    until ($condition->()) {
        return 0 if time() > $end;
        sleep 0.02;
    }

    return 1;
}


# Status, code, and that the body is what the specification says.

sub error_is {
    my ($answer, $status, $code, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @errors = $answer->errors;
    my $good = $answer->{status} == $status
        && ($answer->header('content-type') // '') =~ m{^application/json\b}
        && @errors && !grep({ ref ne 'HASH' || ($_->{code} // '') ne $code
            || !length($_->{message} // '') } @errors);

    ok($good, $title)
        or diag("expected $status $code, got $answer\n$answer->{head}");

    return $good;
}


sub fsck_ok {
    my ($self, $title, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong = $self->fsck(%opt);
    ok(!@wrong, $title) or diag(join "\n", @wrong);
}


# Runs code in N processes at once; what each returned, or { died => why }.

sub in_parallel {
    my ($n, $code, $timeout) = @_;

    my @pipes;
    for my $i (0 .. $n - 1) {
        my $pid = open(my $pipe, '-|') // die "fork: $!";
        if ($pid == 0) {
            my $result = eval { $code->($i) } // { died => "$@" };
            print JSON::PP->new->allow_nonref->encode($result);
            close STDOUT;
            POSIX::_exit(0);
        }
        push @pipes, [$pipe, $pid];
    }

    my @results;
    my $end = time() + ($timeout // 120);
    for (@pipes) {
        my ($pipe, $pid) = @$_;
        my $select = IO::Select->new($pipe);
        my $text = '';
        for (;;) {
            my $left = $end - time();
            if ($left <= 0 || !$select->can_read($left)) {
                kill 'KILL', $pid;
                $text = '{"died":"took too long"}';
                last;
            }
            sysread($pipe, $text, 65536, length $text) or last;
        }
        close $pipe;
        push @results, eval {
            JSON::PP->new->allow_nonref->decode($text)
        } // { died => 'said nothing' };
    }

    return @results;
}


# Resident memory in KiB: now, and the most that it ever was.

sub rss      { return _status_field($_[0], 'VmRSS') }
sub rss_peak { return _status_field($_[0], 'VmHWM') }

sub _status_field {
    my ($pid, $field) = @_;

    open(my $file, '<', "/proc/$pid/status") or return 0;
    while (<$file>) {
        return $1 if /^$field:\s+(\d+)/;
    }

    return 0;
}


# The living children of a process, oldest first.

sub children {
    my ($parent) = @_;

    my @pids;
    for my $path (glob '/proc/[0-9]*/stat') {
        open(my $file, '<', $path) or next;
        my $stat = <$file> // next;
        $stat =~ /^(\d+) \(.*\) (\S) (\d+) /s or next;
        push @pids, $1 if $3 == $parent && $2 ne 'Z';
    }

    return sort { $a <=> $b } @pids;
}


sub _runs {
    my ($pid) = @_;

    open(my $file, '<', "/proc/$pid/stat") or return 0;
    return (<$file> // '') !~ /^\d+ \(.*\) [ZX] /s;
}


sub _command_line {
    my ($pid) = @_;

    open(my $file, '<', "/proc/$pid/cmdline") or return '';
    local $/;
    return (<$file> // '') =~ tr/\0/ /r;
}


# ---- starting --------------------------------------------------------------

sub new {
    my ($class, %opt) = @_;

    my $dir = abs_path(tempdir('registry-XXXXXX', TMPDIR => 1));
    my $self = bless {
        opt      => \%opt,
        dir      => $dir,
        root     => $opt{root} // "$dir/root",
        expected => [],
        ended    => [],
    }, $class;
    push @running, $self;

    make_path($self->{root}, map { "$dir/temp/$_" }
        qw(body fastcgi proxy uwsgi scgi));
    $self->{tree} = Test::Registry::Tree->new($self->{root});

    $self->_certificate if $opt{tls};
    $self->write_config;
    $self->start_worker;
    $self->_start_nginx_on_free_ports;

    return $self;
}


sub dir  { return $_[0]{dir} }
sub root { return $_[0]{root} }
sub tree { return $_[0]{tree} }
sub path { return $_[0]{tree}->path($_[1]) }
sub fsck { return (shift)->{tree}->fsck(@_) }
sub port { return $_[0]{ports}{ $_[1] // 'plain' } }
sub url  { return 'http://127.0.0.1:' . $_[0]->port }


sub _program {
    my ($variable, $default) = @_;

    my $path = $ENV{$variable} // $default;
    $path = "$top/$path" unless $path =~ m{^/};
    die "$path: not there; run make first\n" unless -e $path;

    return $path;
}

sub nginx  { return _program('REGISTRY_NGINX', '/usr/sbin/nginx') }
sub module { return _program('REGISTRY_MODULE',
                             'build/ngx_http_registry_module.so') }
sub fcgi   { return _program('REGISTRY_FCGI', 'build/registry-fcgi') }


sub _write {
    my ($path, $content) = @_;

    open(my $file, '>:raw', $path) or die "$path: $!";
    print $file $content;
    close($file) or die "$path: $!";
}


# Writes config.yml; with TEXT, that text instead.

sub write_config {
    my ($self, $text) = @_;

    my $opt = $self->{opt};
    my $delete = $opt->{delete} // 1 ? 'true' : 'false';
    my %worker = (socket => $self->socket, %{ $opt->{worker} // {} });

    $text //= <<"YAML" . ($opt->{config} // '');
version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: $self->{root}
  delete:
    enabled: $delete
nginx_registry:
@{[ join '', map { "  $_: $worker{$_}\n" } sort keys %worker ]}
YAML

    _write($self->config_file, $text);
}


sub socket      { return "$_[0]{dir}/worker.sock" }
sub config_file { return "$_[0]{dir}/config.yml" }
sub error_log   { return "$_[0]{dir}/error.log" }
sub worker_log  { return "$_[0]{dir}/worker.log" }


sub _location {
    my ($self) = @_;

    my $opt = $self->{opt};
    my $more = join "\n", map { $opt->{$_} // '' } qw(registry location);

    return <<"CONF";
            registry       $self->{root};
            include        $top/conf/registry_params;
            fastcgi_pass   registry;
            $more
CONF
}


sub _load { return 'load_module ' . module() . ";\n" }


sub _nginx_conf {
    my ($self) = @_;

    my $dir = $self->{dir};
    my %more = map { $_ => $self->{opt}{$_} // '' } qw(main http server);
    my $ports = $self->{ports};
    my $user = $> == 0 ? "user root;" : '';
    my $workers = $self->{opt}{workers} // 1;

    my $listen = "listen 127.0.0.1:$ports->{plain};";
    $listen .= " listen 127.0.0.1:$ports->{http2} http2;" if $ports->{http2};
    $listen .= " listen 127.0.0.1:$ports->{tls} ssl http2;"
        . " ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;"
        if $ports->{tls};

    return $self->_load . <<"CONF";
$user
daemon           off;
worker_processes $workers;
pid              $dir/nginx.pid;
error_log        $dir/error.log info;
$more{main}

events {
    worker_connections 1024;
}

http {
    access_log            $dir/access.log;
    client_body_temp_path $dir/temp/body;
    fastcgi_temp_path     $dir/temp/fastcgi;
    proxy_temp_path       $dir/temp/proxy;
    uwsgi_temp_path       $dir/temp/uwsgi;
    scgi_temp_path        $dir/temp/scgi;

    sendfile              on;
    open_file_cache       max=1000 inactive=60s;
    open_file_cache_valid 60s;
    $more{http}

    upstream registry {
        server    unix:@{[ $self->socket ]};
        keepalive 16;
    }

    server {
        $listen
        $more{server}

        location /v2/ {
@{[ $self->_location ]}
        }
    }
}
CONF
}


# Ports below those that the kernel gives to clients; taken ones are found out
# by nginx itself, which then is started on others.

sub _start_nginx_on_free_ports {
    my ($self) = @_;

    for my $try (1 .. 10) {
        my @kinds = ('plain', grep { $self->{opt}{$_} } qw(http2 tls));
        $self->{ports} = { map { $_ => _free_port() } @kinds };
        $self->write_nginx_conf;

        return if eval { $self->start_nginx; 1 };

        my $why = $@;
        die $why . $self->nginx_log if $try == 10
            || $self->nginx_log !~ /bind\(\) to .* failed/;
        unlink $self->error_log;
        $self->{ended} = [];
    }
}


sub _free_port {
    for (1 .. 100) {
        my $port = 10_000 + int rand 20_000;
        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1,
            Proto => 'tcp', ReuseAddr => 1);
        return $port if $socket;
    }

    die "no free port\n";
}


sub write_nginx_conf {
    my ($self) = @_;

    _write("$self->{dir}/nginx.conf", $self->_nginx_conf);
}


sub _certificate {
    my ($self) = @_;

    my $dir = $self->{dir};
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
        . " -subj /CN=localhost -keyout $dir/key.pem -out $dir/cert.pem"
        . " 2>$dir/openssl.log") == 0 or die "openssl: see $dir/openssl.log\n";
}


sub _spawn {
    my ($self, $log, $env, @command) = @_;

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        # What steers the tests is no override of the worker's configuration.
        delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
        local %ENV = (%ENV, %$env);
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec(@command) or POSIX::_exit(127);
    }

    return $pid;
}


sub _worker_command {
    my ($self) = @_;

    return (fcgi(), '--config', $self->config_file);
}


sub start_worker {
    my ($self) = @_;

    $self->{worker} = $self->_spawn($self->worker_log,
        $self->{opt}{env} // {}, $self->_worker_command);

    wait_until(20, sub { $self->_worker_listens || !$self->_alive('worker') })
        && $self->_alive('worker')
        or die "the worker does not start: " . $self->log_of_worker;
}


sub _worker_listens {
    my ($self) = @_;

    return -S $self->socket
        && IO::Socket::UNIX->new(Peer => $self->socket);
}


sub start_nginx {
    my ($self) = @_;

    my %env;
    if ($ENV{REGISTRY_PRELOAD}) {
        $env{LD_PRELOAD} = $ENV{REGISTRY_PRELOAD};
        $env{ASAN_OPTIONS} = join ':', grep { defined } $ENV{ASAN_OPTIONS},
            'detect_leaks=0';
    }

    $self->{nginx} = $self->_spawn("$self->{dir}/nginx.out", \%env,
        nginx(), '-p', $self->{dir}, '-e', $self->error_log,
        '-c', "$self->{dir}/nginx.conf");

    my $ready = wait_until(20, sub {
        return 1 unless $self->_alive('nginx');
        my $answer = eval { $self->request('GET', '/v2/', timeout => 5) };
        return $answer && $answer->{status} == 200;
    });
    die "nginx does not start:\n"
        unless $ready && $self->_alive('nginx');
}


# Runs a program to its end: (exit status, what it wrote).

sub run {
    my ($self, @command) = @_;

    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec('timeout', '-k', 1, 20, @command) or POSIX::_exit(127);
    }
    local $/;
    my $out = <$pipe> // '';
    close $pipe;

    return ($? >> 8 || $? & 127, $out);
}


# Another program, for as long as this one runs.

sub start_beside {
    my ($self, @command) = @_;

    my $pid = $self->_spawn("$self->{dir}/beside.log", {}, @command);
    push @{ $self->{others} }, $pid;
    return $pid;
}


# ---- stopping --------------------------------------------------------------

sub _alive {
    my ($self, $which) = @_;

    my $pid = $self->{$which} or return 0;
    return 1 if waitpid($pid, WNOHANG) == 0;

    push @{ $self->{ended} }, [$which, $pid, $?];
    delete $self->{$which};
    return 0;
}


sub _stop {
    my ($self, $which, $signal) = @_;

    return unless $self->_alive($which);

    kill $signal, $self->{$which};
    return if wait_until(30, sub { !$self->_alive($which) });

    push @{ $self->{ended} }, [$which, $self->{$which}, -1];
    kill 'KILL', children($self->{$which}), $self->{$which};
    waitpid($self->{$which}, 0);
    delete $self->{$which};
}


sub stop_nginx  { $_[0]->_stop('nginx', $_[1] // 'QUIT') }

# Without its worker, nginx complains at [crit]: that is announced here.
sub stop_worker {
    my ($self, $signal) = @_;

    $self->expect_log(qr/connect\(\) to unix:/);
    $self->_stop('worker', $signal // 'TERM');
}

sub restart_nginx  { my ($self) = @_; $self->stop_nginx; $self->start_nginx }
sub restart_worker { my ($self) = @_; $self->stop_worker; $self->start_worker }

sub nginx_pid  { return $_[0]{nginx} }
sub worker_pid { return $_[0]{worker} }


# nginx's worker processes, without those that are on their way out.

sub nginx_workers {
    my ($self) = @_;

    return grep { my $line = _command_line($_);
        $line =~ /worker process/ && $line !~ /shutting down/ }
        children($self->{nginx});
}


# The processes that serve FastCGI: the worker's children, or itself.

sub worker_pids {
    my ($self) = @_;

    my @pids = children($self->{worker});
    return @pids ? @pids : $self->{worker};
}


# Sends a signal to one process that a test may hurt, and expects its trace in
# the logs.

sub kill_process {
    my ($self, $pid, $signal) = @_;

    $signal //= 'KILL';
    $self->{killed}{$pid} = 1;
    $self->expect_log(qr/\b$pid exited on signal/);
    kill $signal, $pid;
}


# kill -9 of one of nginx's workers; returns when another has taken its place.

sub crash_nginx_worker {
    my ($self) = @_;

    my ($pid) = $self->nginx_workers;
    my $before = () = $self->nginx_workers;
    $self->kill_process($pid, 'KILL');
    wait_until(20, sub {
        my @now = $self->nginx_workers;
        return @now >= $before && !grep { $_ == $pid } @now;
    }) or die "nginx starts no new worker\n";
}


# kill -9 of the whole worker, and a new one.

sub crash_worker {
    my ($self) = @_;

    my $pid = $self->{worker};
    $self->expect_log(qr/connect\(\) to unix:/);
    my @all = (children($pid), $pid);
    $self->kill_process($_, 'KILL') for reverse @all;
    waitpid($pid, 0);
    delete $self->{worker};
    # A socket lives until the last thread of its process is gone.
    wait_until(10, sub {
        !$self->_worker_listens && !grep { _runs($_) } @all });
    $self->start_worker;
}


sub expect_log {
    my ($self, $pattern) = @_;

    push @{ $self->{expected} }, $pattern;
}


sub _slurp { return Test::Registry::Tree->content($_[0]) // '' }

sub nginx_log {
    my ($self) = @_;

    return _slurp($self->error_log) . _slurp("$self->{dir}/nginx.out");
}

sub log_of_worker { return _slurp($_[0]->worker_log) }


# What the logs and the exit codes say against us.

sub complaints {
    my ($self) = @_;

    my @bad;
    for my $end (@{ $self->{ended} }) {
        my ($which, $pid, $status) = @$end;
        push @bad, "$which did not stop in time" if $status == -1;
        push @bad, "$which ended by signal " . ($status & 127)
            if $status > 0 && $status & 127 && !$self->{killed}{$pid};
        push @bad, "$which exited with " . ($status >> 8)
            if $status > 0 && $status >> 8;
    }

    for my $line (split /\n/, $self->nginx_log . $self->log_of_worker) {
        push @bad, $line if $line =~ /\[(?:alert|emerg|crit)\]
            |level=(?:alert|emerg|crit|fatal|panic)
            |Sanitizer|runtime\ error:/x
            && !grep { $line =~ $_ } @{ $self->{expected} };
    }

    splice @bad, 20 if @bad > 20;
    return @bad;
}


sub _finish {
    my ($self) = @_;

    $self->stop_nginx;
    $self->_stop('worker', 'TERM');

    for my $pid (splice @{ $self->{others} // [] }) {
        kill 'TERM', $pid;
        waitpid($pid, 0);
    }
}


sub done_testing {
    for my $self (@running) {
        $self->_finish;
        my @bad = $self->complaints;
        ok(!@bad, 'the logs hold no alert and nobody crashed')
            or diag(join "\n", @bad);
    }

    Test::More::done_testing();
}


END {
    if ($$ == $owner) {
        my $status = $?;
        my $failed = $status != 0 || !Test::More->builder->is_passing;

        for my $self (@running) {
            $self->_finish;
            if ($failed) {
                my $log = $self->nginx_log;
                diag('nginx: ', substr($log, -2000)) if $ENV{REGISTRY_KEEP};
                diag('worker: ', substr($self->log_of_worker, -3000));
            }
            diag("kept: $self->{dir}"), next if $ENV{REGISTRY_KEEP};
            remove_tree($self->{dir}, { error => \my $ignored });
        }

        $? = $status;
    }
}


# ---- asking ----------------------------------------------------------------

sub connect {
    my ($self, %opt) = @_;

    return Test::Registry::Connection->new(port => $self->port, %opt);
}


# One request on a connection of its own.  The options are Connection's.

sub request {
    my ($self, $method, $path, %opt) = @_;

    $path =~ s{^https?://[^/]+}{};
    my $connection = $self->connect(
        defined $opt{timeout} ? (timeout => $opt{timeout}) : ());
    my $answer = $connection->request($method, $path, %opt,
        headers => [@{ $opt{headers} // [] }, Connection => 'close']);
    $connection->close;

    return $answer;
}


# Bytes as they are; the first answer to them.

sub raw {
    my ($self, $bytes) = @_;

    my $connection = $self->connect;
    $connection->send($bytes);
    my ($method) = $bytes =~ /^(\S+)/;

    return $connection->response($method // 'GET');
}


# What must succeed, or the test cannot go on.

sub expect {
    my ($self, $status, $method, $path, %opt) = @_;

    my $answer = $self->request($method, $path, %opt);
    die "$method $path: $answer\n" unless $answer->{status} == $status;

    return $answer;
}


# ---- pushing ---------------------------------------------------------------

sub start_upload {
    my ($self, $repo) = @_;

    return $self->expect(202, 'POST', "/v2/$repo/blobs/uploads/", body => '')
        ->header('location');
}


sub with_digest {
    my ($location, $digest) = @_;

    return $location . ($location =~ /\?/ ? '&' : '?') . "digest=$digest";
}


sub uuid_of {
    my ($location) = @_;

    return ($location =~ m{/uploads/([^/?]+)})[0];
}


# POST and PUT, or with patch => 1 POST, PATCH and PUT.  The digest.

sub push_blob {
    my ($self, $repo, $bytes, %opt) = @_;

    my $digest = $opt{digest} // sha256($bytes);
    my $location = $self->start_upload($repo);

    if ($opt{patch}) {
        $location = $self->expect(202, 'PATCH', $location, body => $bytes)
            ->header('location');
        $bytes = '';
    }
    $self->expect(201, 'PUT', with_digest($location, $digest), body => $bytes);

    return $digest;
}


sub push_manifest {
    my ($self, $repo, $reference, $bytes, $type) = @_;

    $type //= JSON::PP->new->utf8->decode($bytes)->{mediaType};
    $self->expect(201, 'PUT', "/v2/$repo/manifests/$reference",
        headers => ['Content-Type' => $type], body => $bytes);

    return sha256($bytes);
}


sub descriptor {
    my ($type, $bytes) = @_;

    return {
        mediaType => $type,
        digest    => sha256($bytes),
        size      => length $bytes,
    };
}


# An image's manifest as a structure; nothing is pushed.  more => { ... } adds
# to it or replaces what is there.

sub image_manifest {
    my (%opt) = @_;

    return {
        schemaVersion => 2,
        mediaType     => $TYPE{ $opt{type} // 'oci' },
        config        => descriptor($TYPE{config}, $opt{config} // '{}'),
        layers        => [map { descriptor($TYPE{layer}, $_) }
            @{ $opt{layers} // [] }],
        %{ $opt{more} // {} },
    };
}


sub index_manifest {
    my (%opt) = @_;

    return {
        schemaVersion => 2,
        mediaType     => $TYPE{ $opt{type} // 'oci_index' },
        manifests     => [map { {
            mediaType => $_->{type}, digest => $_->{digest},
            size => length $_->{bytes},
            $_->{platform} ? (platform => $_->{platform}) : (),
        } } @{ $opt{children} // [] }],
        %{ $opt{more} // {} },
    };
}


# Pushes config, layers and manifest: { digest, bytes, type, blobs }.

sub push_image {
    my ($self, $repo, $reference, %opt) = @_;

    $opt{config} //= json({ architecture => 'amd64', seed => $reference // '' });
    my @blobs = ($opt{config}, @{ $opt{layers} // [] });
    $self->push_blob($repo, $_) for @blobs;

    my $bytes = json(image_manifest(%opt));
    my $type = $TYPE{ $opt{type} // 'oci' };
    $reference = sha256($bytes) unless defined $reference;
    $self->push_manifest($repo, $reference, $bytes, $type);

    return {
        digest => sha256($bytes), bytes => $bytes, type => $type,
        blobs => [map { sha256($_) } @blobs],
    };
}

1;
