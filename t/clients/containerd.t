#!/usr/bin/perl

# containerd's own client pushes to us and pulls back.

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Image;
use Test::Registry::Process
    qw(daemon needs run runs_ok scratch write_file);

needs(containerd => 'containerd', ctr => 'containerd');

my $dir      = scratch();
my $registry = Test::Registry->new;
my $address  = '127.0.0.1:' . $registry->port;
my $client   = Test::Registry::Client->new($address);

write_file("$dir/config.toml", <<"TOML");
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$dir/containerd.sock"
[ttrpc]
  address = "$dir/containerd.sock.ttrpc"
TOML
my $containerd = daemon($dir, 'containerd',
    'containerd', '--config', "$dir/config.toml");
my @images = ('ctr', '--address', "$dir/containerd.sock", 'images');
ok(wait_until(30, sub { (run(@images, 'list'))[0] == 0 }),
    'containerd is up') or diag($containerd->log);


my @platforms = map {
    Test::Registry::Image->new(name => "multi-$_", architecture => $_)
} qw(amd64 arm64);
Test::Registry::Image::write_index("$dir/multi.oci", '1', @platforms);
run('tar', '-C', "$dir/multi.oci", '-cf', "$dir/multi.tar",
    'blobs', 'index.json', 'oci-layout');

my $name = "$address/team/multi:1";
runs_ok('an index is imported', @images, 'import', '--all-platforms',
    '--digests', '--index-name', $name, '--no-unpack', "$dir/multi.tar");
runs_ok('ctr images push', @images, 'push', '--plain-http', $name);
is_deeply([$client->faults('team/multi', '1')], [], 'every digest verifies');
my $digest = digest_of($name);
is($client->resolve('team/multi', '1'), $digest,
    'the tag has the digest that containerd knows');

runs_ok('ctr images push again', @images, 'push', '--plain-http', $name);

runs_ok('the image is removed', @images, 'remove', '--sync', $name);
run(@images, 'remove', '--sync', split ' ', (run(@images, 'list', '-q'))[1]);
is((run('ctr', '--address', "$dir/containerd.sock", 'content', 'list', '-q'))
    [1], '', 'and all its content');

runs_ok('ctr images pull', @images, 'pull', '--plain-http',
    '--all-platforms', '--snapshotter', 'native', $name);
is(digest_of($name), $digest, 'the same digest came back');
runs_ok('containerd finds it complete', @images, 'check',
    '--snapshotter', 'native');

$containerd->stop;

done_testing;


sub digest_of {
    my ($name) = @_;

    my ($status, $out) = run(@images, 'list', "name==$name");

    return $out =~ /(sha256:[0-9a-f]{64})/ ? $1 : undef;
}
