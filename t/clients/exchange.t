#!/usr/bin/perl

# One tree, two registries: Debian's docker-registry and ours take turns on it,
# and whatever one of them wrote, moved or deleted, the other serves, follows
# or refuses from the next request on.

use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Distribution;
use Test::Registry::Image;
use Test::Registry::Process qw(needs scratch);

needs('docker-registry' => 'docker-registry');

my $dir = scratch();
mkdir "$dir/theirs";


# A tree that docker-registry wrote, before we ever saw it.

my $writer = Test::Registry::Distribution->new($dir, "$dir/theirs");
fill(Test::Registry::Client->new($writer->address));
my $written = Test::Registry::Client->new($writer->address)->everything;
$writer->stop;

my $heir = client_of(Test::Registry->new(root => "$dir/theirs"));
is_deeply([$heir->faults_everywhere], [],
    'a tree of docker-registry serves from us, every digest verified');
is_deeply($heir->everything, $written,
    'with every repository and tag that it has, and no other');


# A tree that we wrote, and the two of them on it from here on.

my $registry = Test::Registry->new(worker => { catalog_refresh => '1s' });
my $ours     = client_of($registry);
fill($ours);

my $distribution = Test::Registry::Distribution->new($dir, $registry->root);
my $theirs = Test::Registry::Client->new($distribution->address);
my %client = (ours => $ours, theirs => $theirs);
my %other  = (ours => 'theirs', theirs => 'ours');

is_deeply([$theirs->faults_everywhere], [],
    'a tree of ours serves from docker-registry, every digest verified');
agree('both see the same after our pushes');
is_deeply($ours->everything, $written,
    'and the tree is the one that docker-registry makes of these pushes');


# Pushes to the same repositories, the same tags moved to and fro.

for my $round (1 .. 4) {
    my $turn = $round % 2 ? 'theirs' : 'ours';
    my $digest = $client{$turn}->push_image(
        'team/app', 'latest', "round $round", 2 + $round);
    $client{$turn}->push_image("turn/$turn", "v$round", "round $round", 3);

    is($client{ $other{$turn} }->resolve('team/app', 'latest'), $digest,
        "round $round: a tag moved by $turn has moved for the other");
    agree("round $round: both see the same");
}


# A tag put back to what it was.

my $first = $ours->push_image('team/app', 'stable', 'first', 2);
$theirs->push_image('team/app', 'stable', 'second', 2);
$ours->push_manifest('team/app', 'stable',
    $theirs->manifest('team/app', $first)->{content});
is($theirs->resolve('team/app', 'stable'), $first,
    'a tag that we put back is back for docker-registry');


# A blob of one is mounted by the other.

for my $turn (qw(ours theirs)) {
    my $blob = $client{ $other{$turn} }->push_blob(
        'mount/from', "to be mounted by $turn");
    my $answer = $client{$turn}->request('POST',
        "/v2/mount/to/blobs/uploads/?mount=$blob&from=mount/from", {}, '');
    is($answer->{status}, 201, "$turn mounts the blob that the other got");
    is($client{ $other{$turn} }->status('GET', "/v2/mount/to/blobs/$blob"),
        200, 'and the other serves it from there');
}


# An upload begun at one is finished at the other, hashed from where it stood.

my $bytes  = bytes('upload', 300_000);
my $digest = 'sha256:' . sha256_hex($bytes);
my @parts  = (substr($bytes, 0, 100_001), substr($bytes, 100_001));

my $location = $theirs->start_upload('upload/theirs');
$location = $theirs->patch_upload($location, 0, $parts[0]);
$location =~ s{^http://[^/]+}{};
my $status = $ours->request('GET', $location);
is($status->{status}, 204, 'we know an upload of docker-registry');
is($status->{headers}{range}, '0-100000', 'and how far it has come');
$location = $ours->patch_upload($location, 100_001, $parts[1]);
$ours->finish_upload($location, $digest);
is($theirs->expect(200, 'GET', "/v2/upload/theirs/blobs/$digest")->{content},
    $bytes, 'we finish it, and docker-registry serves the blob');

$bytes  = bytes('upload back', 300_000);
$digest = 'sha256:' . sha256_hex($bytes);
@parts  = (substr($bytes, 0, 100_001), substr($bytes, 100_001));

$location = $ours->start_upload('upload/ours');
$location = $ours->patch_upload($location, 0, $parts[0]);
my ($uuid) = $location =~ m{/uploads/([0-9a-f-]+)};
$location = $distribution->upload_location('upload/ours', $uuid, 100_001);
$location = $theirs->patch_upload($location, 100_001, $parts[1]);
$theirs->finish_upload($location, $digest);
is($ours->expect(200, 'GET', "/v2/upload/ours/blobs/$digest")->{content},
    $bytes, 'docker-registry finishes an upload of ours, and we serve it');


# What one deletes is gone at the other at once, even when it was just served.

for my $turn (qw(ours theirs)) {
    my $repo   = "deleted/by-$turn";
    my $kept   = $client{$turn}->push_image($repo, 'kept', "kept $turn", 2);
    my $image  = $client{$turn}->push_image($repo, 'gone', "gone $turn", 2);
    my $blob   = $client{$turn}->push_blob($repo, "a blob, gone by $turn");
    my $second = $client{ $other{$turn} };

    is_deeply([map { $second->status('GET', "/v2/$repo/$_") }
            'manifests/gone', "manifests/$image", "blobs/$blob"],
        [200, 200, 200], 'the other serves tag, manifest and blob');

    $client{$turn}->delete_manifest($repo, $image);
    $client{$turn}->delete_blob($repo, $blob);

    for my $method (qw(GET HEAD)) {
        is_deeply([map { $second->status($method, "/v2/$repo/$_") }
                'manifests/gone', "manifests/$image", "blobs/$blob"],
            [404, 404, 404], "$turn deleted: gone at the other for $method");
    }
    is_deeply([$second->tags($repo)], ['kept'], 'and from its tags');
    is($second->resolve($repo, 'kept'), $kept, 'the other image stays');
    agree('both see the same');
}


# docker-registry's garbage collection takes nothing that is in use.

my $unused = $ours->push_blob('collect/me', 'nobody refers to this blob');
my $before = $ours->everything;
my ($exit, $out) = $distribution->garbage_collect;
is($exit, 0, 'docker-registry garbage-collect runs on our tree')
    or diag($out);
is_deeply($ours->everything, $before, 'every tag is still there for us');
is_deeply($theirs->everything, $before, 'and for docker-registry');
is_deeply([$ours->faults_everywhere], [], 'every digest verifies at ours');
is_deeply([$theirs->faults_everywhere], [], 'and at docker-registry');
is($ours->status('GET', "/v2/collect/me/blobs/$unused"), 404,
    'what it collected is gone for us');
is($ours->push_blob('collect/me', 'nobody refers to this blob'), $unused,
    'and can be pushed again');
is($ours->status('GET', "/v2/collect/me/blobs/$unused"), 200,
    'and is served again');


# The two name every file alike: no kind of path has only one author.

my %shapes = map { $_ => shapes($_) } $registry->root, "$dir/theirs";
is_deeply([grep { !$shapes{"$dir/theirs"}{$_} && !m{/_(?!layers|manifests)} }
        sort keys %{ $shapes{ $registry->root } }], [],
    'no file of ours has a place where docker-registry would put none');

$distribution->stop;

done_testing;


sub client_of {
    my ($registry) = @_;

    return Test::Registry::Client->new('127.0.0.1:' . $registry->port);
}


# Images that share layers, tags that share images, an index, and a tag that
# has been moved.

sub fill {
    my ($client) = @_;

    my $v1 = $client->push_image('team/app', 'v1', 'app 1', 3);
    $client->push_image('team/app', 'latest', 'app 1', 3);
    my $v2 = $client->push_image('team/app', 'v2', 'app 2', 4);
    $client->push_image('team/app', 'latest', 'app 2', 4);
    $client->push_image('library', 'one', 'library', 2);
    $client->push_image('a/deep/name', 'x.y_z-1', 'deep', 1);
    $client->push_index('team/app', 'multi', $v1, $v2);
}


sub agree {
    my ($title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @all = map { join ' ', sort keys %$_ } $theirs->everything;
    ok(wait_until(10, sub { $all[0] eq
        join ' ', sort keys %{ $ours->everything } }),
        "$title: repositories");
    is_deeply($ours->everything, $theirs->everything, "$title: tags");
    is_deeply([$ours->faults_everywhere, $theirs->faults_everywhere], [],
        "$title: every digest");
}


# The shapes of the paths of a tree's files: names and digests left out.

sub shapes {
    my ($root) = @_;

    my %shapes;
    find({ no_chdir => 1, wanted => sub {
        return if -d $File::Find::name;
        my $path = substr($File::Find::name, length $root);
        $path =~ s{/repositories/.*?/_}{/repositories/NAME/_};
        $path =~ s{/tags/[^/]+/}{/tags/TAG/};
        $path =~ s{/[0-9a-f]{64}/}{/HEX/};
        $path =~ s{/blobs/sha256/[0-9a-f]{2}/}{/blobs/sha256/XX/};
        $shapes{$path} = 1;
    } }, $root);

    return \%shapes;
}
