package Test::Registry::Containers;

# skopeo, podman and buildah, away from the settings, logins and images of the
# host.
#
#     my $tools = Test::Registry::Containers->new($dir);
#     runs_ok('an image is copied', $tools->skopeo('copy'), ...);
#     runs_ok('an image is pushed', $tools->podman('push'), ...);
#     runs_ok('a manifest is made', $tools->buildah('manifest', 'create'), ...);
#
# Each returns the beginning of a command.  Images live below DIR as plain
# directories (vfs), so that neither mounts nor a kernel's features are needed.

use strict;
use warnings;

use File::Path qw(make_path);

use Test::Registry::Process qw(write_file);


sub new {
    my ($class, $dir) = @_;

    make_path("$dir/home/.config/containers");
    write_file("$dir/home/.config/containers/policy.json",
        '{"default":[{"type":"insecureAcceptAnything"}]}');

    my $self = bless { dir => $dir }, $class;
    write_file($self->logins, '{}');

    return $self;
}


# Without this they all share one file below /run, and two programs that log in
# at once forget one another's.

sub logins { return "$_[0]{dir}/home/auth.json" }


sub skopeo {
    my ($self, @arguments) = @_;

    return ($self->_home, 'skopeo', @arguments);
}


sub buildah {
    my ($self, @arguments) = @_;

    return ($self->_home, 'buildah', $self->_storage, @arguments);
}


sub podman {
    my ($self, @arguments) = @_;

    return ($self->_home, 'podman', $self->_storage,
        '--tmpdir', "$self->{dir}/podman-tmp",
        '--cgroup-manager', 'cgroupfs', '--events-backend', 'none',
        @arguments);
}


sub _home {
    my ($self) = @_;

    return ('env', "HOME=$self->{dir}/home",
        'REGISTRY_AUTH_FILE=' . $self->logins);
}


sub _storage {
    my ($self) = @_;

    return ('--storage-driver', 'vfs', '--root', "$self->{dir}/storage",
        '--runroot', "$self->{dir}/run");        # 50 characters at most
}

1;
