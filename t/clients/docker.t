#!/usr/bin/perl

# A docker engine pushes to us and pulls back.

use Archive::Tar;
use Digest::SHA qw(sha256_hex);
use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Containers;
use Test::Registry::Docker;
use Test::Registry::Image;
use Test::Registry::Process
    qw(needs runs_ok runs_together scratch write_file);

needs(docker => 'docker.io', dockerd => 'docker.io', buildah => 'buildah');

my $dir      = scratch();
my $registry = Test::Registry->new;
my $address  = '127.0.0.1:' . $registry->port;
my $client   = Test::Registry::Client->new($address);
my $docker   = Test::Registry::Docker->new($dir);


# An image of several layers goes there and back.

my $image = Test::Registry::Image->new(name => 'web', layers => 4);
$image->write_archive("$dir/web.tar", "$address/team/web:1");
$docker->runs_ok('an image is loaded', 'load', '--input', "$dir/web.tar");
my $id = $docker->image_id("$address/team/web:1");
is($id, $image->id, 'the engine gave it the ID of its configuration');

my $out = $docker->runs_ok('docker push', 'push', "$address/team/web:1");
is(lines($out, 'Pushed'), 4, 'all four layers were uploaded');
my ($digest) = $out =~ /digest: (sha256:[0-9a-f]{64}) size: \d+/;
is($client->resolve('team/web', '1'), $digest,
    'the tag has the digest that docker push printed');
is_deeply([$client->faults('team/web', '1')], [],
    'every digest of the pushed image verifies');

$docker->forget($id);
is($docker->image_id("$address/team/web:1"), undef,
    'the image is gone from the engine');
$docker->runs_ok('docker pull', 'pull', "$address/team/web:1");
is($docker->image_id("$address/team/web:1"), $id, 'the same ID came back');

$docker->runs_ok('the pulled image can be saved', 'save',
    '--output', "$dir/saved.tar", "$address/team/web:1");
is_deeply(
    [contents("$dir/saved.tar")], [contents("$dir/web.tar")],
    'its layers have the bytes that were loaded');


# What is there is not sent again.

$out = $docker->runs_ok('docker push again', 'push', "$address/team/web:1");
is(lines($out, 'Layer already exists'), 4, 'every layer already exists');

$docker->run('tag', $id, "$address/other/web:1");
$out = $docker->runs_ok('docker push to a second repository',
    'push', "$address/other/web:1");
is(lines($out, 'Mounted from team/web'), 4,
    'every layer is mounted from the first');
is($client->resolve('other/web', '1'), $digest, 'the manifest is the same');
is_deeply([$client->faults('other/web', '1')], [],
    'every digest verifies in the second repository');


# Tags and digests.

$docker->run('tag', $id, "$address/team/web:$_") for qw(2 latest);
$docker->runs_ok('docker push --all-tags',
    'push', '--all-tags', "$address/team/web");
is_deeply([$client->tags('team/web')], [qw(1 2 latest)],
    'the repository has all three tags');
is($client->resolve('team/web', $_), $digest, "tag $_ has the digest")
    for qw(1 2 latest);

$docker->forget($id);
$docker->runs_ok('docker pull by digest',
    'pull', "$address/team/web\@$digest");
is($docker->image_id("$address/team/web\@$digest"), $id,
    'it is the same image');

my ($status, $refusal) = $docker->run('pull', "$address/team/web:absent");
isnt($status, 0, 'docker pull of an absent tag fails');
like($refusal, qr/manifest unknown|not found/, 'and says why');


# An image that docker builds.

mkdir "$dir/context";
write_file("$dir/context/hello", "hello\n");
write_file("$dir/context/big", bytes('big', 8 << 20));
write_file("$dir/context/Dockerfile",
    "FROM scratch\nCOPY hello /\nCOPY big /\nLABEL a=b\nCMD [\"/hello\"]\n");
{
    local $ENV{DOCKER_BUILDKIT} = 0;
    $docker->runs_ok('docker build', 'build',
        '--tag', "$address/team/built:1", "$dir/context");
}
my $built = $docker->image_id("$address/team/built:1");
$docker->runs_ok('the built image is pushed', 'push', "$address/team/built:1");
$docker->forget($built);
$docker->runs_ok('and pulled', 'pull', "$address/team/built:1");
is($docker->image_id("$address/team/built:1"), $built, 'with the same ID');


# Several images at a time, one layer of which they share.

my @names = map { "$address/many/image$_:1" } 1 .. 6;
for my $n (1 .. 6) {
    my $one = Test::Registry::Image->new(
        name => "many$n", layers => 3, shared => 'many', size => 500_000);
    $one->write_archive("$dir/many.tar", $names[$n - 1]);
    $docker->run('load', '--input', "$dir/many.tar");
}
my %ids = map { $_ => $docker->image_id($_) } @names;

is_deeply([runs_together(map { [$docker->command('push', $_)] } @names)], [],
    'six images are pushed side by side');
$docker->forget($_) for values %ids;
is_deeply([runs_together(map { [$docker->command('pull', $_)] } @names)], [],
    'and pulled side by side');
is_deeply({ map { $_ => $docker->image_id($_) } @names }, \%ids,
    'all have their IDs');
is_deeply([map { $client->faults("many/image$_", '1') } 1 .. 6], [],
    'every digest of theirs verifies');


# One name for several platforms: docker pulls its own.

my @platforms = map {
    Test::Registry::Image->new(name => "multi-$_", architecture => $_)
} qw(amd64 arm64 s390x);
my @buildah = Test::Registry::Containers->new($dir)->buildah;

runs_ok('buildah manifest create', @buildah, 'manifest', 'create', 'multi');
for (@platforms) {
    $_->write_layout("$dir/$_->{name}", '1');
    runs_ok("buildah manifest add, $_->{architecture}",
        @buildah, 'manifest', 'add', '--arch', $_->{architecture},
        'multi', "oci:$dir/$_->{name}:1");
}
for my $format (qw(oci v2s2)) {
    runs_ok("buildah manifest push --all, $format",
        @buildah, 'manifest', 'push', '--all', '--format', $format,
        '--tls-verify=false', 'multi', "docker://$address/team/multi:$format");
    is_deeply([$client->faults('team/multi', $format)], [],
        "every digest of the $format index verifies");

    my $index = decode_json(
        $client->manifest('team/multi', $format)->{content});
    is_deeply([sort map { $_->{platform}{architecture} }
            @{ $index->{manifests} }], [qw(amd64 arm64 s390x)],
        'it names the three platforms');

    $docker->runs_ok("docker pull of the $format index",
        'pull', "$address/team/multi:$format");
    is($docker->image_id("$address/team/multi:$format"), $platforms[0]->id,
        'gives the image of its own platform');
    $docker->runs_ok("docker pull --platform of the $format index",
        'pull', '--platform', 'linux/arm64', "$address/team/multi:$format");
    is($docker->image_id("$address/team/multi:$format"), $platforms[1]->id,
        'gives the image of that platform');
}

$docker->stop;

done_testing;


sub lines {
    my ($text, $what) = @_;

    return scalar(() = $text =~ /: \Q$what\E *$/mg);
}


# The layers in an archive of docker save's, as a set of digests.

sub contents {
    my ($path) = @_;

    my $tar = Archive::Tar->new($path) or die Archive::Tar->error;
    my $manifest = decode_json($tar->get_content('manifest.json'));

    return map { sha256_hex($tar->get_content($_)) }
        @{ $manifest->[0]{Layers} };
}
