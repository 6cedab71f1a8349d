package Test::Registry::Image;

# Images made from nothing, for clients that cannot reach another registry.
#
#     my $image = Test::Registry::Image->new(name => 'web', layers => 3);
#     $image->write_archive("$dir/web.tar", 'web:1');    # for docker load
#     $image->write_layout("$dir/web.oci", '1');         # for oci:DIR:TAG
#     Test::Registry::Image::write_index("$dir/multi.oci", '1', @images);
#
# The content follows from the name alone, and does not compress.  Two images
# with "shared => TEXT" of the same text have their first layer in common.

use strict;
use warnings;

use Archive::Tar;
use Compress::Zlib qw(memGzip);
use Digest::SHA qw(sha256_hex);
use File::Path qw(make_path);
use JSON::PP;

use Test::Registry ();
use Test::Registry::Host qw(write_file);

my $json = JSON::PP->new->canonical;

my $oci = 'application/vnd.oci.image';


sub new {
    my ($class, %option) = @_;

    my $self = bless {
        name         => $option{name},
        architecture => $option{architecture} // 'amd64',
        layers       => [],
    }, $class;

    my $size = $option{size} // 200_000;
    my @seeds = map { "$option{name}/$_" } 1 .. $option{layers} // 3;
    $seeds[0] = $option{shared} if defined $option{shared};

    push @{ $self->{layers} }, _layer($_, $size) for @seeds;

    return $self;
}


sub _layer {
    my ($seed, $size) = @_;

    (my $file = $seed) =~ tr{/}{-};
    my $tar = Archive::Tar->new;
    $tar->add_data("data/$file", Test::Registry::bytes($seed, $size),
        { mtime => 1_000_000_000, uid => 0, gid => 0, mode => 0644 });
    $tar->add_data("etc/$file.conf", "seed = $seed\n",
        { mtime => 1_000_000_000, uid => 0, gid => 0, mode => 0644 });

    return $tar->write;
}


# The configuration names the uncompressed layers: its digest is what docker
# calls the image's ID.

sub config {
    my ($self) = @_;

    return $json->encode({
        architecture => $self->{architecture},
        os           => 'linux',
        created      => '2001-09-09T01:46:40Z',
        config       => { Cmd => ["/$self->{name}"] },
        rootfs       => {
            type     => 'layers',
            diff_ids => [map { 'sha256:' . sha256_hex($_) }
                @{ $self->{layers} }],
        },
        history => [map { { created_by => "layer $_" } }
            1 .. @{ $self->{layers} }],
    });
}


sub id {
    my ($self) = @_;

    return 'sha256:' . sha256_hex($self->config);
}


# docker save's format: what docker load, podman load and docker-archive: read.

sub write_archive {
    my ($self, $path, @names) = @_;

    my $tar    = Archive::Tar->new;
    my $config = sha256_hex($self->config) . '.json';
    my @files;

    $tar->add_data($config, $self->config);
    for my $layer (@{ $self->{layers} }) {
        push @files, sha256_hex($layer) . '.tar';
        $tar->add_data($files[-1], $layer);
    }
    $tar->add_data('manifest.json', $json->encode(
        [{ Config => $config, RepoTags => \@names, Layers => \@files }]));

    $tar->write($path) or die "$path: " . $tar->error;
}


sub write_layout {
    my ($self, $dir, $tag) = @_;

    _write_layout($dir, $tag, $self->_write_manifest($dir));
}


# One OCI index, and each image as its child.

sub write_index {
    my ($dir, $tag, @images) = @_;

    my @children = map {
        {
            %{ $_->_write_manifest($dir) },
            platform => { os => 'linux', architecture => $_->{architecture} },
        }
    } @images;

    _write_layout($dir, $tag, _write_blob($dir, "$oci.index.v1+json",
        $json->encode({
            schemaVersion => 2,
            mediaType     => "$oci.index.v1+json",
            manifests     => \@children,
        })));
}


sub _write_manifest {
    my ($self, $dir) = @_;

    my $config = _write_blob($dir, "$oci.config.v1+json", $self->config);
    my @layers = map {
        _write_blob($dir, "$oci.layer.v1.tar+gzip", memGzip($_))
    } @{ $self->{layers} };

    return _write_blob($dir, "$oci.manifest.v1+json", $json->encode({
        schemaVersion => 2,
        mediaType     => "$oci.manifest.v1+json",
        config        => $config,
        layers        => \@layers,
    }));
}


sub _write_blob {
    my ($dir, $type, $content) = @_;

    make_path("$dir/blobs/sha256");
    my $hex = sha256_hex($content);
    write_file("$dir/blobs/sha256/$hex", $content);

    return {
        mediaType => $type,
        digest    => "sha256:$hex",
        size      => length $content,
    };
}


sub _write_layout {
    my ($dir, $tag, $descriptor) = @_;

    write_file("$dir/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
    write_file("$dir/index.json", $json->encode({
        schemaVersion => 2,
        manifests     => [{
            %$descriptor,
            annotations => { 'org.opencontainers.image.ref.name' => $tag },
        }],
    }));
}

1;
