package Test::Registry::Host;

# The machine as a test sees it: processes, files, and waiting with a deadline.
#
#     wait_until(10, sub { -e $path }) or fail('it comes');
#     my @results = in_parallel(8, sub { my ($i) = @_; ...; return $what });
#     rss($pid), rss_peak($pid)          KiB of memory
#     children($pid), runs($pid), command_line($pid)
#     write_file($path, $bytes)
#     free_port()                        one of 127.0.0.1

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
    children command_line free_port in_parallel rss rss_peak runs wait_until
    write_file
);


# SECONDS are plenty where nothing else runs.  A machine that is busy needs many
# times as long, and only what never comes is a failure.

sub wait_until {
    my ($seconds, $condition) = @_;

    my $end = time() + ($seconds < 180 ? 180 : $seconds);
    until ($condition->()) {
        return 0 if time() > $end;
        sleep 0.02;
    }

    return 1;
}


sub write_file {
    my ($path, $content) = @_;

    open(my $file, '>:raw', $path) or die "$path: $!";
    print $file $content;
    close($file) or die "$path: $!";
}


# Below those that the kernel gives to clients: until it is listened on, no
# connection of anybody's takes it.  Nor does another test: whose port it is, is
# told by a name that goes with the process.

my @taken;

sub free_port {
    for (1 .. 100) {
        my $port = 10_000 + int rand 20_000;
        my $name = IO::Socket::UNIX->new(
            Local => "\0registry-port-$port", Listen => 1) or next;
        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1,
            Proto => 'tcp', ReuseAddr => 1) or next;
        push @taken, $name;
        return $port;
    }

    die "no free port\n";
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
    my $end = time() + ($timeout // 600);
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
    while (my $line = <$file>) {        # $_ may be a caller's variable
        return $1 if $line =~ /^$field:\s+(\d+)/;
    }

    return 0;
}


# The living children of a process, oldest first.  Numbers of processes begin
# anew after the last, so it is not the number that tells.

sub children {
    my ($parent) = @_;

    my %begin;
    for my $path (glob '/proc/[0-9]*/stat') {
        open(my $file, '<', $path) or next;
        my $stat = <$file> // next;
        my ($pid, $rest) = $stat =~ /^(\d+) \(.*\) (.*)/s or next;
        my ($state, $of, $time) = (split ' ', $rest)[0, 1, 19];
        $begin{$pid} = $time if $of == $parent && $state ne 'Z';
    }

    return sort { $begin{$a} <=> $begin{$b} || $a <=> $b } keys %begin;
}


sub runs {
    my ($pid) = @_;

    open(my $file, '<', "/proc/$pid/stat") or return 0;
    return (<$file> // '') !~ /^\d+ \(.*\) [ZX] /s;
}


sub command_line {
    my ($pid) = @_;

    open(my $file, '<', "/proc/$pid/cmdline") or return '';
    local $/;
    return (<$file> // '') =~ tr/\0/ /r;
}

1;
