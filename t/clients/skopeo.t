#!/usr/bin/perl

# skopeo copies to us and back: what returns has the bytes that went.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Containers;
use Test::Registry::Image;
use Test::Registry::Process
    qw(needs read_file run runs_ok scratch);

needs(skopeo => 'skopeo');

my $dir      = scratch();
my $registry = Test::Registry->new;
my $address  = '127.0.0.1:' . $registry->port;
my $client   = Test::Registry::Client->new($address);

my @skopeo = Test::Registry::Containers->new($dir)->skopeo;
my @to     = (@skopeo, 'copy', '--dest-tls-verify=false');
my @from   = (@skopeo, 'copy', '--src-tls-verify=false');


# The same image from each kind of source that a host may have.

my $image = Test::Registry::Image->new(name => 'app', layers => 3);
$image->write_layout("$dir/app.oci", '1');
$image->write_archive("$dir/app.tar", 'app:1');
runs_ok('a dir: source is made', @skopeo, 'copy', '--format', 'v2s2',
    "oci:$dir/app.oci:1", "dir:$dir/app.dir");

my %source = (
    oci              => "oci:$dir/app.oci:1",
    dir              => "dir:$dir/app.dir",
    'docker-archive' => "docker-archive:$dir/app.tar",
);

for my $kind (sort keys %source) {
    my $remote = "docker://$address/from/$kind:1";

    runs_ok("$kind to us", @to, $source{$kind}, $remote);
    is_deeply([$client->faults("from/$kind", '1')], [],
        'every digest verifies');

    runs_ok('to dir: and back', @from, $remote, "dir:$dir/$kind.back");
    is(decode_json(read_file("$dir/$kind.back/manifest.json"))
        ->{config}{digest}, $image->id, 'the configuration is the same');

    runs_ok('to oci: and back', @from, '--preserve-digests',
        $remote, "oci:$dir/$kind.oci-back:1") if $kind eq 'oci';
    runs_ok('to docker-archive: and back', @from,
        $remote, "docker-archive:$dir/$kind.tar-back:app:1");
}

is_deeply(files("$dir/dir.back"), files("$dir/app.dir"),
    'dir: returns file for file');
is_deeply(files("$dir/oci.oci-back/blobs"), files("$dir/app.oci/blobs"),
    'oci: returns blob for blob');


# Both manifest formats, through us from repository to repository.

for my $format (qw(v2s2 oci)) {
    my $repo   = "format/$format";
    my $remote = "docker://$address/$repo";

    runs_ok("copy --format $format", @to, '--format', $format,
        '--digestfile', "$dir/digest", $source{oci}, "$remote:1");
    is($client->resolve($repo, '1'), read_file("$dir/digest"),
        'the tag has the digest that skopeo reckoned');
    like($client->manifest($repo, '1')->{headers}{'content-type'},
        $format eq 'oci' ? qr/^application\/vnd\.oci\.image\.manifest\.v1/
        : qr/^application\/vnd\.docker\.distribution\.manifest\.v2/,
        'the media type is what was asked for');
    is_deeply([$client->faults($repo, '1')], [], 'every digest verifies');

    runs_ok('copy to another repository, tag and digest kept', @to,
        '--src-tls-verify=false', '--preserve-digests',
        "$remote:1", "docker://$address/second/$format:1");
    is($client->resolve("second/$format", '1'), read_file("$dir/digest"),
        'the digest is the same there');
    is_deeply([$client->faults("second/$format", '1')], [],
        'and every digest verifies');

    runs_ok('copy by digest', @from,
        "$remote\@" . read_file("$dir/digest"), "dir:$dir/$format.by-digest");
    runs_ok('copy by tag', @from, "$remote:1", "dir:$dir/$format.by-tag");
    is_deeply(files("$dir/$format.by-digest"), files("$dir/$format.by-tag"),
        'tag and digest give the same bytes');
}


# An index with all that it names.

my @platforms = map {
    Test::Registry::Image->new(
        name => "multi-$_", architecture => $_, shared => 'base')
} qw(amd64 arm64 riscv64);
Test::Registry::Image::write_index("$dir/multi.oci", '1', @platforms);

my $multi = "docker://$address/multi";
runs_ok('copy --all of an index', @to, '--all', '--preserve-digests',
    "oci:$dir/multi.oci:1", "$multi:1");
is_deeply([$client->faults('multi', '1')], [], 'every digest verifies');
runs_ok('copy --all back', @from, '--all', '--preserve-digests',
    "$multi:1", "oci:$dir/multi.back:1");
is_deeply(files("$dir/multi.back/blobs"), files("$dir/multi.oci/blobs"),
    'index, manifests, configurations and layers return blob for blob');

runs_ok('copy --all as a docker manifest list', @to, '--all',
    '--format', 'v2s2', "oci:$dir/multi.oci:1", "$multi:list");
is_deeply([$client->faults('multi', 'list')], [], 'every digest verifies');

for my $platform (@platforms) {
    my $back = "$dir/multi-$platform->{architecture}.dir";
    runs_ok("the $platform->{architecture} child alone", @skopeo,
        '--override-arch', $platform->{architecture}, 'copy',
        '--src-tls-verify=false', "$multi:1", "dir:$back");
    is(decode_json(read_file("$back/manifest.json"))->{config}{digest},
        $platform->id, 'is the image of that platform');
}


# sync carries whole repositories.

runs_ok("a second tag", @to, $source{oci}, "docker://$address/from/oci:2");
mkdir "$dir/synced";
runs_ok('sync from us', @skopeo, 'sync', '--src-tls-verify=false',
    '--preserve-digests', '--src', 'docker', '--dest', 'dir',
    "$address/from/oci", "$dir/synced");
is_deeply([sort map { s{.*/}{}r } glob "$dir/synced/*"], [qw(oci:1 oci:2)],
    'fetches every tag');
is_deeply(files("$dir/synced/oci:1"), files("$dir/oci.back"),
    'with the bytes that copy fetches');

runs_ok('sync to us', @skopeo, 'sync', '--dest-tls-verify=false',
    '--src', 'dir', '--dest', 'docker', "$dir/synced", "$address/copies");
is_deeply([$client->tags('copies/oci')], [qw(1 2)], 'brings both tags');
is_deeply([$client->faults_everywhere], [],
    'every tag of the registry verifies');


# Looking and deleting.

my $seen = decode_json(runs_ok('inspect',
    @skopeo, 'inspect', '--tls-verify=false', "docker://$address/from/oci:1"));
is($seen->{Digest}, $client->resolve('from/oci', '1'), 'names the digest');
is_deeply([sort @{ $seen->{RepoTags} }], [qw(1 2)], 'lists the tags');
is(scalar @{ $seen->{Layers} }, 3, 'lists the layers');

is(runs_ok('inspect --raw', @skopeo, 'inspect', '--raw',
        '--tls-verify=false', "$multi:1"),
    $client->manifest('multi', '1')->{content},
    'gives the index as it is stored');

my $tags = decode_json(runs_ok('list-tags', @skopeo, 'list-tags',
    '--tls-verify=false', "docker://$address/multi"));
is_deeply([sort @{ $tags->{Tags} }], [qw(1 list)], 'names both tags');

runs_ok('delete', @skopeo, 'delete', '--tls-verify=false',
    "docker://$address/second/oci:1");
is($client->resolve('second/oci', '1'), undef, 'the tag is gone');
is_deeply([$client->faults('format/oci', '1')], [],
    'the same image in another repository stays');
my ($status, $out) = run(@from,
    "docker://$address/second/oci:1", "dir:$dir/deleted");
isnt($status, 0, 'it cannot be fetched');
like($out, qr/manifest unknown/, 'and skopeo is told why');

done_testing;


# Every file below a directory with its content, but not the oci: index.

sub files {
    my ($top) = @_;

    my (%content, @todo);
    push @todo, $top;
    while (defined(my $path = pop @todo)) {
        if (-d $path) {
            push @todo, glob("$path/*");
        } else {
            $content{ substr($path, length $top) } = read_file($path);
        }
    }

    return \%content;
}
