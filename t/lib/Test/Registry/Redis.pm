package Test::Registry::Redis;

# A real Redis for one test, on a unix socket or a loopback port of its own.
#
#     my $redis = Test::Registry::Redis->new;             or port => 1, dir =>,
#                                                         config => ['a b', ...]
#     Test::Registry->new(config => $redis->yaml(db => 1), ...);
#
#     $redis->cli('GET', 'key')        what redis-cli says, without a line end
#     $redis->keys('nginx-registry:*')
#     $redis->stop, ->start            with its data, if config has it saved
#     $redis->kill                     SIGKILL
#     $redis->pause, ->resume          SIGSTOP, SIGCONT
#     my $pid = $redis->proxy($path, sub { $_[0] =~ s/this/that/ })
#                                      a socket that passes bytes on, and changes
#                                      those for the server if told how; a group
#                                      of processes
#
# Started with sentinel => { port => PORT, quorum => 2 }, it is a Sentinel that
# watches the master "registry" there.
#
# Whatever was started is ended by its pid when the test ends.

use strict;
use warnings;

use File::Temp qw(tempdir);
use File::Path qw(remove_tree);
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

use Test::Registry::Host;

my $owner = $$;
my @running;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        dir => tempdir('redis-XXXXXX', TMPDIR => 1), opt => \%opt,
    }, $class;
    push @running, $self;

    $self->{port} = free_port()
        if $opt{port} || $opt{sentinel};
    $self->_write_config;
    $self->start;

    return $self;
}


sub dir    { return $_[0]{dir} }
sub port   { return $_[0]{port} }
sub pid    { return $_[0]{pid} }
sub socket { return "$_[0]{dir}/redis.sock" }

sub address {
    my ($self) = @_;

    return $self->{port} ? "127.0.0.1:$self->{port}" : $self->socket;
}


# The redis section of a config.yml.

sub yaml {
    my ($self, %more) = @_;

    my %keys = (addr => $self->address, %more);
    return join '', "redis:\n", map { "  $_: $keys{$_}\n" } sort keys %keys;
}


sub _write_config {
    my ($self) = @_;

    my $opt = $self->{opt};
    my @lines = ("dir $self->{dir}", "logfile $self->{dir}/redis.log",
        $self->{port} ? ("port $self->{port}", 'bind 127.0.0.1')
                      : ('port 0', 'unixsocket ' . $self->socket));

    if (my $watched = $opt->{sentinel}) {
        push @lines,
            "sentinel monitor registry 127.0.0.1 $watched->{port} "
                . $watched->{quorum},
            'sentinel down-after-milliseconds registry 60000',
            'sentinel failover-timeout registry 3000';
    } else {
        push @lines, 'save ""', 'appendonly no';
    }

    write_file("$self->{dir}/redis.conf",
        join "\n", @lines, @{ $opt->{config} // [] }, '');
}


sub start {
    my ($self) = @_;

    my $program = $self->{opt}{sentinel} ? 'redis-sentinel' : 'redis-server';
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$self->{dir}/out.log";
        open STDERR, '>&', \*STDOUT;
        exec($program, "$self->{dir}/redis.conf") or POSIX::_exit(127);
    }
    $self->{pid} = $pid;

    wait_until(20, sub { $self->cli('PING') =~ /PONG|NOAUTH/ })
        or die "$program does not start: see $self->{dir}/redis.log\n";
}


sub cli {
    my ($self, @command) = @_;

    my @where = $self->{port} ? ('-p', $self->{port})
                              : ('-s', $self->socket);
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec('timeout', 60, 'redis-cli', @where, @command)
            or POSIX::_exit(127);
    }
    local $/;
    my $out = <$pipe> // '';
    close $pipe;
    $out =~ s/\n\z//;

    return $out;
}


sub keys {
    my ($self, $pattern) = @_;

    return sort split /\n/, $self->cli('--scan', '--pattern', $pattern);
}


sub _end {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return;
    CORE::kill('CONT', $pid);
    CORE::kill($signal, $pid);
    waitpid($pid, 0);
}

sub stop   { $_[0]->_end('TERM') }
sub kill   { $_[0]->_end('KILL') }
sub pause  { CORE::kill 'STOP', $_[0]{pid} }
sub resume { CORE::kill 'CONT', $_[0]{pid} }


sub proxy {
    my ($self, $path, $change) = @_;

    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        // die "$path: $!";
    my $pid = fork() // die;
    if ($pid) {
        setpgrp $pid, $pid;
        return $pid;
    }

    setpgrp 0, 0;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    $SIG{CHLD} = 'IGNORE';
    while (my $client = $listener->accept) {
        next if fork();
        my $server = IO::Socket::UNIX->new(Peer => $self->socket)
            or POSIX::_exit(1);
        my $select = IO::Select->new($client, $server);
        while (my @ready = $select->can_read) {
            for my $from (@ready) {
                sysread($from, my $bytes, 65536) or POSIX::_exit(0);
                $change->($bytes) if $change && $from == $client;
                syswrite($from == $server ? $client : $server, $bytes);
            }
        }
    }
    POSIX::_exit(0);
}


END {
    if ($$ == $owner) {
        my $status = $?;

        for my $self (@running) {
            $self->_end('KILL');
            remove_tree($self->{dir}, { error => \my $ignored });
        }

        $? = $status;
    }
}

1;
