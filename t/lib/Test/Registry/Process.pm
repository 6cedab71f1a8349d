package Test::Registry::Process;

# Programs that a test runs, and the daemons that it must not leave behind.
#
#     needs('skopeo' => 'skopeo', 'dockerd' => 'docker.io');
#     my $dir    = scratch();
#     my $daemon = daemon($dir, 'engine', 'dockerd', @options);
#     wait_until(30, sub { -S "$dir/engine.sock" }) or fail('engine is up');
#     my $out    = runs_ok('the image is pushed', 'skopeo', 'copy', ...);
#     $daemon->stop;
#
# Whatever is still running when the test ends is stopped by its pid, newest
# first; then each scratch directory is unmounted and removed.  That holds as
# well for a test that dies or is interrupted.

use strict;
use warnings;

use Cwd qw(realpath);
use Exporter qw(import);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep);

use Test::Registry::Host qw(free_port wait_until write_file);

our @EXPORT_OK = qw(
    daemon free_port needs read_file run runs_ok runs_together scratch
    wait_until write_file
);

my $owner = $$;
my (@daemons, @scratch);

$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# Daemons live where a plain user's path does not lead.
$ENV{PATH} .= ':/usr/sbin:/sbin';


# Fails the whole test when a tool is missing, naming the Debian package that
# has it: a skipped client would look like a client that works.

sub needs {
    my (%package_of) = @_;

    my @missing = grep { !_in_path($_) } sort keys %package_of;
    return unless @missing;

    my %packages = map { $package_of{$_} => 1 } @missing;
    plan tests => 1;
    fail("tools are missing: @missing");
    diag('apt-get install ' . join(' ', sort keys %packages));
    exit 1;
}


sub _in_path {
    my ($name) = @_;

    return grep { -x "$_/$name" } split(/:/, $ENV{PATH});
}


sub scratch {
    my $dir = realpath(tempdir('registry-client-XXXXXX', TMPDIR => 1));

    push @scratch, $dir;
    return $dir;
}


# Runs a command to its end, at most ten minutes: (exit status, its output).

sub run {
    my (@command) = @_;

    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec('timeout', '-k', '5', '600', @command) or POSIX::_exit(127);
    }

    local $/;
    my $out = <$pipe> // '';
    close $pipe;

    return ($? >> 8 || $? & 127, $out);
}


sub runs_ok {
    my ($title, @command) = @_;

    my ($status, $out) = run(@command);
    ok($status == 0, $title) or diag("@command: exit $status\n$out");

    return $out;
}


# Runs commands side by side: the output of each that failed.

sub runs_together {
    my (@commands) = @_;

    my @running = map {
        my @command = @$_;
        my $pid = open(my $pipe, '-|') // die "fork: $!";
        if ($pid == 0) {
            open STDERR, '>&', \*STDOUT;
            exec('timeout', '-k', '5', '600', @command) or POSIX::_exit(127);
        }
        [$pipe, "@command"];
    } @commands;

    my @failures;
    for (@running) {
        my ($pipe, $name) = @$_;
        local $/;
        my $out = <$pipe> // '';
        push @failures, "$name: $out" unless close $pipe;
    }

    return @failures;
}


# Starts a program whose output goes to DIR/NAME.log.

sub daemon {
    my ($dir, $name, @command) = @_;

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$dir/$name.log";
        open STDERR, '>&', \*STDOUT;
        exec(@command) or POSIX::_exit(127);
    }

    my $self = bless { pid => $pid, log => "$dir/$name.log" }, __PACKAGE__;
    push @daemons, $self;

    return $self;
}


sub pid { return $_[0]{pid} }
sub log { return -e $_[0]{log} ? read_file($_[0]{log}) : '' }


sub alive {
    my ($self) = @_;

    delete $self->{pid} if $self->{pid} && waitpid($self->{pid}, WNOHANG) != 0;
    return defined $self->{pid};
}


sub stop {
    my ($self) = @_;

    return unless $self->alive;

    kill 'TERM', $self->{pid};
    my $end = time + 15;
    while ($self->alive) {
        kill 'KILL', $self->{pid} if time > $end;
        sleep 0.02;
    }
}


sub read_file {
    my ($path) = @_;

    open(my $file, '<:raw', $path) or die "$path: $!";
    local $/;
    return scalar(<$file>) // '';
}


# A storage driver may have left mounts in a scratch directory: the deepest
# goes first, and nothing is removed through a mount that stays.

sub _unmount_below {
    my ($dir) = @_;

    open(my $mounts, '<', '/proc/self/mounts') or return;
    my @below = grep { index($_, "$dir/") == 0 }
        map { (split ' ')[1] } <$mounts>;

    system('umount', '-l', $_) for reverse sort @below;
}


END {
    if ($$ == $owner) {
        my $status = $?;

        $_->stop for reverse @daemons;
        for my $dir (@scratch) {
            _unmount_below($dir);
            remove_tree($dir, { error => \my $ignored });
        }

        $? = $status;
    }
}

1;
