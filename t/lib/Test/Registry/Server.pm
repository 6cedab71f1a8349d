package Test::Registry::Server;

# nginx with the module, and the worker behind it: what starts them, hurts
# them, stops them, and reads their logs.  Test::Registry is built on this and
# says how to use it.
#
#     $r->stop_nginx, ->start_nginx, ->restart_nginx      the same for _worker
#     $r->nginx_pid, ->nginx_workers                      pids
#     $r->worker_pid, ->worker_pids
#     $r->kill_process($pid, 'KILL')      the logs may speak of it
#     $r->crash_nginx_worker, ->crash_worker, ->kill_worker
#     $r->nginx_log, ->log_of_worker, ->expect_log(qr/.../)
#     $r->write_config, ->write_nginx_conf
#     my ($status, $out) = $r->run(@command);
#     my $pid = $r->start_beside(@command);
#
# Whatever was started is stopped by its pid, also when a test dies.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Test::More import => ['!done_testing'];
use Time::HiRes qw(sleep time);

use Test::Registry::Host;
use Test::Registry::Tree;

my $top   = abs_path(dirname(__FILE__) . '/../../../..');
my $owner = $$;
my @running;

my %option = map { $_ => 1 } qw(config delete env http http2 location main
    registry root server tls worker workers);

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };


# ---- starting --------------------------------------------------------------

sub new {
    my ($class, %opt) = @_;

    # An option in the wrong place would do nothing, without a word.
    my @odd = ((grep { !$option{$_} } sort keys %opt),
        grep { ref $opt{worker}{$_} } sort keys %{ $opt{worker} // {} });
    die "$class has no option @odd\n" if @odd;

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
    $self->_start_nginx_onfree_ports;

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

    write_file($self->config_file, $text);
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

    # a machine may stand still for a minute
    fastcgi_read_timeout  600s;
    fastcgi_send_timeout  600s;
    client_header_timeout 600s;
    client_body_timeout   600s;
    send_timeout          600s;
    keepalive_timeout     600s;
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


# A port that was taken meanwhile is found out by nginx itself, which then is
# started on another.

sub _start_nginx_onfree_ports {
    my ($self) = @_;

    for my $try (1 .. 10) {
        my @kinds = ('plain', grep { $self->{opt}{$_} } qw(http2 tls));
        $self->{ports} = { map { $_ => free_port() } @kinds };
        $self->write_nginx_conf;

        return if eval { $self->start_nginx; 1 };

        my $why = $@;
        die $why . $self->nginx_log if $try == 10
            || $self->nginx_log !~ /bind\(\) to .* failed/;
        unlink $self->error_log;
        $self->{ended} = [];
    }
}


sub write_nginx_conf {
    my ($self) = @_;

    write_file("$self->{dir}/nginx.conf", $self->_nginx_conf);
}


sub _certificate {
    my ($self) = @_;

    my $dir = $self->{dir};
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
        . " -subj /CN=localhost"
        . " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        . " -keyout $dir/key.pem -out $dir/cert.pem"
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
        return $answer && $answer->{status} =~ /^(?:200|401)$/;
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
        exec('timeout', '-k', 1, 300, @command) or POSIX::_exit(127);
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

    return grep { my $line = command_line($_);
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


# kill -9 of one of nginx's workers, the oldest if none is named; returns when
# another has taken its place.

sub crash_nginx_worker {
    my ($self, $pid) = @_;

    $pid //= ($self->nginx_workers)[0];
    my $before = () = $self->nginx_workers;
    $self->kill_process($pid, 'KILL');
    wait_until(20, sub {
        my @now = $self->nginx_workers;
        return @now >= $before && !grep { $_ == $pid } @now;
    }) or die "nginx starts no new worker\n";
}


# kill -9 of the whole worker; and a new one.

sub kill_worker {
    my ($self) = @_;

    my $pid = $self->{worker};
    $self->expect_log(qr/connect\(\) to unix:/);
    my @all = (children($pid), $pid);
    $self->kill_process($_, 'KILL') for reverse @all;
    waitpid($pid, 0);
    delete $self->{worker};
    # A socket lives until the last thread of its process is gone.
    wait_until(10, sub {
        !$self->_worker_listens && !grep { runs($_) } @all });
}

sub crash_worker { my ($self) = @_; $self->kill_worker; $self->start_worker }


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

1;
