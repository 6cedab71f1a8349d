package Test::Registry::Browser;

# A real browser with one page, asked over its DevTools pipe.
#
#     my $browser = Test::Registry::Browser->new($dir);
#     $browser->open('http://127.0.0.1:5000/');
#     $browser->shows('document.title');           its value
#     $browser->comes('document.links.length > 2') whether that becomes true
#     $browser->wide(360);                         its window, in pixels
#     $browser->stop;
#
# Whatever the page logs or throws is in $browser->complaints.

use strict;
use warnings;

use JSON::PP qw(decode_json encode_json);
use POSIX ();
use Time::HiRes qw(sleep time);


sub new {
    my ($class, $dir) = @_;

    pipe(my $ours_in, my $theirs_out) or die "pipe: $!";
    pipe(my $theirs_in, my $ours_out) or die "pipe: $!";
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        # descriptors 3 and 4 may be ends of the pipes themselves
        my $in = POSIX::dup2(fileno $theirs_in, 60);
        my $out = POSIX::dup2(fileno $theirs_out, 61);
        POSIX::dup2($in, 3);
        POSIX::dup2($out, 4);
        POSIX::close($_) for 5 .. 61;
        open STDERR, '>', "$dir/browser.log";
        open STDOUT, '>&', \*STDERR;
        $^F = 255;
        exec('chromium', '--headless', '--no-sandbox', '--disable-gpu',
            '--disable-dev-shm-usage', "--user-data-dir=$dir/browser",
            '--remote-debugging-pipe', 'about:blank') or POSIX::_exit(127);
    }

    $ours_out->autoflush(1);
    my $self = bless { pid => $pid, in => $ours_in, out => $ours_out,
        id => 0, buffer => '', complaints => [] }, $class;

    my $target = $self->_call('Target.createTarget',
        { url => 'about:blank' })->{targetId};
    $self->{session} = $self->_call('Target.attachToTarget',
        { targetId => $target, flatten => JSON::PP::true })->{sessionId};
    $self->_call($_) for 'Runtime.enable', 'Log.enable', 'Page.enable';

    return $self;
}


sub _call {
    my ($self, $method, $params) = @_;

    my %message = (id => ++$self->{id}, method => $method,
        params => $params // {});
    $message{sessionId} = $self->{session} if $self->{session};
    print { $self->{out} } encode_json(\%message) . "\0";

    while (1) {
        my $got = $self->_read;
        my $about = $got->{params};
        push @{ $self->{complaints} }, encode_json($about)
            if ($got->{method} // '') =~ /exceptionThrown|Log\.entryAdded/;
        next unless ($got->{id} // 0) == $self->{id};
        die "$method: $got->{error}{message}\n" if $got->{error};
        return $got->{result};
    }
}


sub _read {
    my ($self) = @_;

    my $end;
    until (($end = index $self->{buffer}, "\0") >= 0) {
        my $bits = '';
        vec($bits, fileno $self->{in}, 1) = 1;
        select($bits, undef, undef, 180) or die "the browser is silent\n";
        sysread($self->{in}, $self->{buffer}, 65536, length $self->{buffer})
            or die "the browser ended\n";
    }

    my $message = substr $self->{buffer}, 0, $end + 1, '';
    chop $message;

    return decode_json($message);
}


sub open {
    my ($self, $url) = @_;

    return $self->_call('Page.navigate', { url => $url });
}


sub shows {
    my ($self, $script) = @_;

    my $result = $self->_call('Runtime.evaluate', { expression => $script,
        awaitPromise => JSON::PP::true, returnByValue => JSON::PP::true });
    die "$script: " . encode_json($result->{exceptionDetails}) . "\n"
        if $result->{exceptionDetails};

    return $result->{result}{value};
}


sub comes {
    my ($self, $script) = @_;

    my $end = time + 180;
    until (eval { $self->shows($script) }) {
        return 0 if time > $end;
        sleep 0.05;
    }

    return 1;
}


sub wide {
    my ($self, $width) = @_;

    $self->_call('Emulation.setDeviceMetricsOverride', { width => $width,
        height => 800, deviceScaleFactor => 1, mobile => JSON::PP::false });
}


sub complaints { return @{ $_[0]{complaints} } }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    eval { $self->_call('Browser.close') };
    my $end = time + 10;
    until (waitpid($pid, POSIX::WNOHANG()) == $pid) {
        kill 'KILL', $pid if time > $end;
        sleep 0.05;
    }
}

sub DESTROY { local ($?, $@); $_[0]->stop }

1;
