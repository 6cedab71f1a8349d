package Test::Registry::Responder;

# A FastCGI application that answers what it is told to: answers which our own
# worker never gives, or gives late.  What nginx makes of them is the test.
#
#     my $odd = Test::Registry::Responder->new("$dir/odd.sock");
#
#     $odd->says("Status: 204\r\nRegistry-Decision: allow\r\n\r\n");
#     $odd->says($odd->HOLD);         the next question waits for the next says
#     $odd->says($odd->HANG_UP);      the connection is closed instead
#     my @asked = $odd->asked;        { purpose, method, uri, body, connection }
#     $odd->stop;
#
# What nginx asks for itself (REGISTRY_PURPOSE is "decide") gets that.  A
# client's own request gets 401 with a body that says "refused by the odd one".

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();

use Test::Registry::Host;

use constant HOLD    => 'hold';
use constant HANG_UP => 'hang up';

my ($BEGIN, $ABORT, $END, $PARAMS, $STDIN, $STDOUT) = (1, 2, 3, 4, 5, 6);


sub new {
    my ($class, $path) = @_;

    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        or die "$path: $!\n";
    my $self = bless { path => $path, said => 0 }, $class;
    $self->says(HANG_UP);
    write_file("$path.asked", '');

    $self->{pid} = fork() // die "fork: $!";
    if ($self->{pid} == 0) {
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';
        setpgrp;                    # its connections end with it
        $SIG{CHLD} = 'IGNORE';
        $self->{parent} = getppid;
        my $n = 0;
        while (my $socket = $listener->accept) {
            $n++;
            next if fork() // die "fork: $!";
            close $listener;
            eval { $self->_serve($socket, $n) };
            POSIX::_exit(0);
        }
        POSIX::_exit(0);
    }

    return $self;
}


# Is whole when it is seen: the number is of the saying, not of the bytes.

sub says {
    my ($self, $answer) = @_;

    my $path = "$self->{path}.answer";
    write_file("$path.new", ++$self->{said} . "\n$answer");
    rename "$path.new", $path or die "$path: $!\n";
}


sub asked {
    my ($self) = @_;

    open(my $file, '<', "$self->{path}.asked") or die "asked: $!\n";
    return map { JSON::PP->new->decode($_) } <$file>;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    kill 'TERM', -$pid, $pid;
    waitpid($pid, 0);
}

sub DESTROY { $_[0]->stop if $_[0]{pid} && !$_[0]{parent} }


# ---- the process of one connection

sub _serve {
    my ($self, $socket, $n) = @_;

    for (;;) {
        my ($keep, %body) = (0);
        for (;;) {
            my ($type, $content) = _record($socket) or return;
            $keep = vec($content, 2, 8) & 1 if $type == $BEGIN;
            $body{$type} .= $content;
            last if $type == $STDIN && !length $content;
        }

        my %param = _pairs($body{$PARAMS} // '');
        my $decide = ($param{REGISTRY_PURPOSE} // '') eq 'decide';
        $self->_note({
            purpose => $param{REGISTRY_PURPOSE}, uri => $param{REGISTRY_URI},
            method => $param{REQUEST_METHOD}, connection => $n,
            body => length($body{$STDIN} // ''),
        });

        my $answer = $decide ? $self->_told : join "\r\n",
            'Status: 401', 'Content-Type: application/json',
            'Registry-User: odd', '', '{"errors":[{"code":"UNAUTHORIZED",'
                . '"message":"refused by the odd one"}]}';
        return if $answer eq HANG_UP;

        print $socket _records($STDOUT, $answer), _records($END, "\0" x 8);
        $socket->flush;
        return unless $keep;
    }
}


sub _told {
    my ($self) = @_;

    my $answer;
    my $look = sub {
        open(my $file, '<:raw', "$self->{path}.answer") or return 0;
        local $/;
        ($answer) = <$file> =~ /^\d+\n(.*)/s;
        return $answer ne HOLD;
    };

    wait_until(60, $look);
    return $answer;
}


sub _note {
    my ($self, $what) = @_;

    open(my $file, '>>', "$self->{path}.asked") or die "asked: $!\n";
    syswrite($file, JSON::PP->new->canonical->encode($what) . "\n");
}


sub _record {
    my ($socket) = @_;

    my (undef, $type, undef, $length, $padding)
        = unpack('CCnnC', _bytes($socket, 8) // return);
    my $content = _bytes($socket, $length) // return;
    _bytes($socket, $padding) // return;

    return ($type, $content);
}


sub _bytes {
    my ($socket, $length) = @_;

    my $bytes = '';
    while (length $bytes < $length) {
        sysread($socket, $bytes, $length - length $bytes, length $bytes)
            or return;
    }

    return $bytes;
}


sub _records {
    my ($type, $content) = @_;

    my $out = '';
    while (length $content) {
        my $part = substr($content, 0, 32_000, '');
        $out .= pack('CCnnCC', 1, $type, 1, length $part, 0, 0) . $part;
    }

    return $out;
}


sub _pairs {
    my ($bytes) = @_;

    my %pairs;
    while (length $bytes) {
        my @lengths = map {
            vec($bytes, 0, 8) & 0x80
                ? unpack('N', substr($bytes, 0, 4, '')) & 0x7fffffff
                : unpack('C', substr($bytes, 0, 1, ''))
        } 1, 2;
        my $name = substr($bytes, 0, $lengths[0], '');
        $pairs{$name} //= substr($bytes, 0, $lengths[1], '');
    }

    return %pairs;
}

1;
