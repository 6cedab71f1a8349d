package Test::Registry::Docker;

# A docker engine of the test's own, beside whatever engine the host may run.
#
#     my $docker = Test::Registry::Docker->new($dir);
#     my $out    = $docker->runs_ok('the image is pushed', 'push', $name);
#     my $id     = $docker->image_id($name);
#     $docker->stop;
#
# It has its own socket, data root, containerd and logins, stores layers as
# plain directories (vfs) and touches no network setting of the host.

use strict;
use warnings;

use Test::Registry::Process qw(daemon wait_until);


sub new {
    my ($class, $dir) = @_;

    my $self = bless {
        host   => "unix://$dir/docker.sock",
        config => "$dir/docker-config",
    }, $class;

    # It gives its containerd 15 seconds, which are not enough everywhere.
    for (1 .. 5) {
        return $self if $self->_starts($dir);
        $self->{daemon}->stop;
    }
    die "no docker engine: " . $self->{daemon}->log;
}


sub _starts {
    my ($self, $dir) = @_;

    $self->{daemon} = daemon($dir, 'dockerd', 'dockerd',
        '--host', $self->{host},
        '--data-root', "$dir/docker",
        '--exec-root', "$dir/docker-exec",
        '--pidfile', "$dir/docker.pid",
        '--storage-driver', 'vfs',
        '--iptables=false',
        '--bridge', 'none');

    # Of the clients in the path, the one that can talk to this engine.
    my @clients = grep { -x } map { "$_/docker" } '/usr/bin',
        split(/:/, $ENV{PATH});
    my $serves;
    wait_until(30, sub {
        return 1 unless $self->{daemon}->alive;
        for (@clients) {
            $self->{client} = $_;
            return 1 if $serves = ($self->run('version'))[0] == 0;
        }
        return 0;
    });
    return $serves;
}


sub stop   { return $_[0]{daemon}->stop }
sub logins { return "$_[0]{config}/config.json" }


sub command {
    my ($self, @arguments) = @_;

    return ($self->{client}, '--config', $self->{config},
        '--host', $self->{host}, @arguments);
}


sub run {
    my ($self, @arguments) = @_;

    return Test::Registry::Process::run($self->command(@arguments));
}


sub runs_ok {
    my ($self, $title, @arguments) = @_;

    return Test::Registry::Process::runs_ok($title,
        $self->command(@arguments));
}


# The digest of the image's configuration; undef when the engine has it not.

sub image_id {
    my ($self, $name) = @_;

    my ($status, $out) = $self->run(
        'image', 'inspect', '--format', '{{.Id}}', $name);

    return $status == 0 ? $out =~ s/\s+\z//r : undef;
}


# Forgets an image under all its names, and its layers with it.

sub forget {
    my ($self, $id) = @_;

    return $self->run('rmi', '--force', $id);
}

1;
