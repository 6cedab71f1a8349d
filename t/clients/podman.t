#!/usr/bin/perl

# podman pushes to us and pulls back, in both manifest formats.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Containers;
use Test::Registry::Image;
use Test::Registry::Process
    qw(needs read_file run runs_ok runs_together scratch);

needs(podman => 'podman');

my $dir      = scratch();
my $registry = Test::Registry->new;
my $address  = '127.0.0.1:' . $registry->port;
my $client   = Test::Registry::Client->new($address);
my @podman   = Test::Registry::Containers->new($dir)->podman;

my $image = Test::Registry::Image->new(name => 'app', layers => 3);
$image->write_archive("$dir/app.tar", 'localhost/app:1');
runs_ok('an image is loaded', @podman, 'load', '--input', "$dir/app.tar");
is(image_id('localhost/app:1'), $image->id =~ s/^sha256://r,
    'podman gave it the ID of its configuration');

my %type = (
    oci  => 'application/vnd.oci.image.manifest.v1+json',
    v2s2 => 'application/vnd.docker.distribution.manifest.v2+json',
);
for my $format (sort keys %type) {
    my $repo = "team/$format";
    my $name = "$address/$repo:1";

    runs_ok("podman push --format $format", @podman, 'push',
        '--tls-verify=false', '--format', $format,
        '--digestfile', "$dir/digest", 'localhost/app:1', $name);
    my $digest = read_file("$dir/digest");
    is($client->resolve($repo, '1'), $digest,
        'the tag has the digest that podman reckoned');
    is($client->manifest($repo, '1')->{headers}{'content-type'},
        $type{$format}, 'the manifest has the type that was asked for');
    is_deeply([$client->faults($repo, '1')], [], 'every digest verifies');

    runs_ok('the push again', @podman, 'push', '--tls-verify=false',
        '--format', $format, 'localhost/app:1', $name);
    is($client->resolve($repo, '1'), $digest, 'changes nothing');

    # An empty store, so that each layer comes from us.
    runs_ok('every image is removed', @podman, 'rmi', '--all', '--force');
    runs_ok('podman pull', @podman, 'pull', '--tls-verify=false', $name);
    my $id = image_id($name);
    is("sha256:$id", decode_json($client->manifest($repo, '1')->{content})
        ->{config}{digest}, 'the image that the manifest names came back');
    runs_ok('podman pull by digest', @podman, 'pull', '--tls-verify=false',
        "$address/$repo\@$digest");
    is(image_id("$address/$repo\@$digest"), $id, 'is the same image');

    runs_ok('the pulled image gets its first name', @podman, 'tag',
        $name, 'localhost/app:1');
}


# Several at a time into one repository.

is_deeply([runs_together(map {
        [@podman, 'push', '--tls-verify=false', 'localhost/app:1',
            "$address/many/app:$_"]
    } 1 .. 4)], [], 'four tags of one repository are pushed side by side');
is_deeply([$client->tags('many/app')], [1 .. 4], 'all are there');
is_deeply([$client->faults_everywhere], [], 'every tag verifies');


# A manifest list.

my @platforms = map {
    Test::Registry::Image->new(name => "multi-$_", architecture => $_)
} qw(amd64 arm64);
runs_ok('podman manifest create', @podman, 'manifest', 'create', 'multi');
for (@platforms) {
    $_->write_layout("$dir/$_->{name}", '1');
    runs_ok("podman manifest add, $_->{architecture}", @podman, 'manifest',
        'add', 'multi', "oci:$dir/$_->{name}:1");
}
runs_ok('podman manifest push --all', @podman, 'manifest', 'push', '--all',
    '--tls-verify=false', 'multi', "docker://$address/team/multi:1");
is_deeply([$client->faults('team/multi', '1')], [], 'every digest verifies');
runs_ok('podman pull --arch arm64', @podman, 'pull', '--arch', 'arm64',
    '--tls-verify=false', "$address/team/multi:1");
is(image_id("$address/team/multi:1"), $platforms[1]->id =~ s/^sha256://r,
    'is the image of that platform');

my ($status, $out) = run(@podman, 'pull', '--tls-verify=false',
    "$address/team/absent:1");
isnt($status, 0, 'podman pull of an absent repository fails');
like($out, qr/manifest unknown|name unknown/, 'and podman is told why');

done_testing;


sub image_id {
    my ($name) = @_;

    my ($status, $out) = run(@podman, 'image', 'inspect',
        '--format', '{{.Id}}', $name);

    return $status == 0 ? $out =~ s/\s+\z//r : undef;
}
