package Test::Registry::Connection;

# One HTTP/1.1 connection, as close to the bytes as a test wants to be.
#
#     my $c = Test::Registry::Connection->new(port => $port);
#
#     my $a = $c->request('PUT', $path, body => $bytes, chunked => 100);
#     $a->{status}; $a->header('location'); $a->{body}; $a->code;
#
#     $c->send("GET / HTTP/1.1\r\n\r\nGET ...");     whatever bytes
#     my $first = $c->response('GET');               one answer at a time
#     $c->ended;                                     the server has closed
#
# Options of request():
#     headers   => [Name => value, ...]     sent as given, repeats allowed
#     body      => bytes, or a sub that returns the next piece, undef at end
#     chunked   => N        Transfer-Encoding: chunked, N bytes in each chunk
#     length    => N        the Content-Length to claim, whatever is sent
#     piece     => N, pause => S            N bytes, then a rest of S seconds
#     expect    => 1        waits for 100 Continue before the body
#     sink      => sub      is given the answer's body instead of {body}
#
# What the server says while we still send is kept, so that an early refusal
# is read even if the connection breaks right after it.  Whatever waits has a
# deadline and dies with a sentence.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

use Test::Registry::Answer;

$SIG{PIPE} = 'IGNORE';


sub new {
    my ($class, %opt) = @_;

    my $socket = $opt{unix}
        ? IO::Socket::UNIX->new(Peer => $opt{unix})
        : IO::Socket::INET->new(
            PeerAddr => $opt{host} // '127.0.0.1', PeerPort => $opt{port},
            Proto => 'tcp', Timeout => 60);
    die 'connect to ' . ($opt{unix} // $opt{port}) . ": $!\n" unless $socket;

    $socket->blocking(0);
    $socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1)
        unless $opt{unix};

    return bless {
        socket  => $socket,
        select  => IO::Select->new($socket),
        timeout => $opt{timeout} // 180,
        in      => '',
        eof     => 0,
        broken  => 0,
    }, $class;
}


sub close {
    my ($self) = @_;

    $self->{socket}->close if $self->{socket};
    delete $self->{socket};
}


# Closes so that the server sees a reset, as when a client is killed.

sub reset {
    my ($self) = @_;

    $self->{socket}->setsockopt(Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack('ii', 1, 0));
    $self->close;
}


# ---- sending ---------------------------------------------------------------

# False if the server closed or reset the connection before it took all.

sub send {
    my ($self, $bytes) = @_;

    my $sent = 0;
    my $end  = time() + $self->{timeout};

    while ($sent < length $bytes) {
        return 0 if $self->{broken};

        my ($read, $write) = IO::Select::select(
            $self->{eof} ? undef : $self->{select}, $self->{select}, undef, 1);
        die "the server takes no more bytes\n" if time() > $end;

        $self->_fill if $read && @$read;
        next unless $write && @$write;

        my $n = syswrite($self->{socket}, $bytes, length($bytes) - $sent,
            $sent);
        if (defined $n) {
            $sent += $n;
            $end = time() + $self->{timeout};
        } elsif ($! != EAGAIN && $! != EINTR) {
            $self->{broken} = 1;
        }
    }

    return 1;
}


sub send_request {
    my ($self, $method, $path, %opt) = @_;

    my @headers = @{ $opt{headers} // [] };
    my $body = $opt{body};
    my $has_host = grep { lc eq 'host' } @headers;

    unshift @headers, Host => 'registry.test' unless $has_host;
    push @headers, Expect => '100-continue' if $opt{expect};

    if ($opt{chunked}) {
        push @headers, 'Transfer-Encoding' => 'chunked';
    } elsif (defined $opt{length}) {
        push @headers, 'Content-Length' => $opt{length};
    } elsif (defined $body) {
        push @headers, 'Content-Length' => length $body;
    }

    my $head = "$method $path HTTP/1.1\r\n";
    while (my ($name, $value) = splice(@headers, 0, 2)) {
        $head .= "$name: $value\r\n";
    }

    # A small request leaves in one packet.
    my $whole = defined $body && !ref $body && !$opt{chunked}
        && !$opt{piece} && !$opt{expect} && length $body < 65536;
    $self->send($head . "\r\n" . ($whole ? $body : '')) or return;
    return if $whole || !defined $body;

    if ($opt{expect}) {
        my $go = $self->response($method, interim => 1);
        if ($go->{status} != 100) {
            $self->{answer} = $go;
            return;
        }
    }

    $self->_send_body($body, %opt);
}


sub _send_body {
    my ($self, $body, %opt) = @_;

    my $next = $body;
    if (!ref $body) {
        my $size = $opt{piece} || $opt{chunked} || length($body) || 1;
        my $at = 0;
        $next = sub {
            return if $at >= length $body;
            my $part = substr($body, $at, $size);
            $at += $size;
            return $part;
        };
    }

    my $batch = '';
    while (defined(my $part = $next->())) {
        $part = sprintf("%x\r\n%s\r\n", length $part, $part) if $opt{chunked};
        $batch .= $part;
        next if !$opt{pause} && length $batch < 65536;

        $self->send($batch) or return;
        $batch = '';
        sleep $opt{pause} if $opt{pause};
    }

    $batch .= "0\r\n\r\n" if $opt{chunked} && !$opt{unfinished};
    $self->send($batch);
}


sub request {
    my ($self, $method, $path, %opt) = @_;

    $self->send_request($method, $path, %opt);
    return $self->response($method, %opt);
}


# ---- receiving -------------------------------------------------------------

# True if bytes came or the connection ended; false when there is nothing yet.

sub _fill {
    my ($self) = @_;

    my $n = sysread($self->{socket}, $self->{in}, 1 << 20,
        length $self->{in});
    return 1 if $n;
    return 0 if !defined $n && ($! == EAGAIN || $! == EINTR);

    $self->{eof} = 1;
    return 1;
}


# Waits until more has come; false at the end of the stream.

sub _more {
    my ($self) = @_;

    return 0 if $self->{eof};

    my $end = time() + $self->{timeout};
    until ($self->{select}->can_read(1) && $self->_fill) {
        die "no answer within $self->{timeout} s"
            . (length $self->{in} ? ", only: $self->{in}\n" : "\n")
            if time() > $end;
    }

    return !$self->{eof} || length $self->{in};
}


sub _line {
    my ($self) = @_;

    my $at;
    while (($at = index($self->{in}, "\r\n")) < 0) {
        $self->_more or return;
        return if $self->{eof} && index($self->{in}, "\r\n") < 0;
    }

    my $line = substr($self->{in}, 0, $at);
    substr($self->{in}, 0, $at + 2) = '';
    return $line;
}


# The next answer.  status 0 if the connection ended without one; {cut} is
# true if it ended within the body.

sub response {
    my ($self, $method, %opt) = @_;

    return delete $self->{answer} if $self->{answer};

    my $answer = Test::Registry::Answer->new;

    for (;;) {
        my $line = $self->_line;
        return $answer unless defined $line;

        $line =~ m{^HTTP/1\.[01] (\d{3})} or die "not HTTP: $line\n";
        $answer->{status} = $1;
        $answer->{head} = "$line\r\n";
        $answer->{headers} = {};

        while (defined($line = $self->_line) && length $line) {
            $answer->{head} .= "$line\r\n";
            my ($name, $value) = $line =~ /^([^\s:]+):[ \t]*(.*?)[ \t]*$/
                or die "not a header: $line\n";
            push @{ $answer->{headers}{ lc $name } }, $value;
        }

        last if $answer->{status} >= 200 || $opt{interim};
    }

    return $answer if $answer->{status} < 200;
    $self->_read_body($answer, $method, $opt{sink});

    return $answer;
}


sub _read_body {
    my ($self, $answer, $method, $sink) = @_;

    $sink //= sub { $answer->{body} .= $_[0] };
    return if $method eq 'HEAD' || $answer->{status} =~ /^(?:204|304)$/;

    if (($answer->header('transfer-encoding') // '') =~ /chunked/i) {
        for (;;) {
            my $line = $self->_line;
            $answer->{cut} = 1, return unless defined $line;

            my $size = hex(($line =~ /^([0-9a-fA-F]+)/)[0]
                // die "not a chunk: $line\n");
            if ($size == 0) {
                while (defined($line = $self->_line) && length $line) { }
                return;
            }

            $self->_take($size, $sink) or $answer->{cut} = 1, return;
            $self->_line;
        }
    }

    my $length = $answer->header('content-length');
    if (defined $length) {
        $answer->{cut} = 1 unless $self->_take($length, $sink);
        return;
    }

    do {
        $sink->(substr($self->{in}, 0, length $self->{in}, ''));
    } while ($self->_more);
}


sub _take {
    my ($self, $size, $sink) = @_;

    while ($size > 0) {
        if (!length $self->{in}) {
            $self->_more or return 0;
            next;
        }

        my $n = length $self->{in};
        if ($n <= $size) {
            my $all = $self->{in};
            $self->{in} = '';
            $sink->($all);
        } else {
            $n = $size;
            $sink->(substr($self->{in}, 0, $n, ''));
        }
        $size -= $n;
    }

    return 1;
}


# True once the server has closed, having said nothing more.

sub ended {
    my ($self) = @_;

    1 while !$self->{eof} && $self->_more;
    return !length $self->{in};
}


# What has come so far, once it matches PATTERN or the connection has ended.
# For talking something else than HTTP.

sub receive {
    my ($self, $pattern) = @_;

    1 while $self->{in} !~ $pattern && !$self->{eof} && $self->_more;
    return $self->{in};
}


# Bytes that we have sent and the server has not taken up yet.

sub unread {
    my ($self) = @_;

    my $bytes = pack('i', 0);
    ioctl($self->{socket}, 0x5411, $bytes) or die "SIOCOUTQ: $!\n";
    return unpack('i', $bytes);
}


# True if there is an answer to read, or the connection has ended, by then.

sub readable {
    my ($self, $seconds) = @_;

    return 1 if length $self->{in} || $self->{eof};
    return !!$self->{select}->can_read($seconds);
}

1;
