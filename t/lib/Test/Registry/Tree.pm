package Test::Registry::Tree;

# A registry's tree on disk, read without the registry.
#
#     my $tree = Test::Registry::Tree->new($root);
#
#     $tree->path('repositories/a/_layers')      below docker/registry/v2
#     $tree->blob($digest)                       path of its data
#     $tree->layer($repo, $digest), ->revision($repo, $digest),
#     $tree->tag($repo, $tag), ->tag_index($repo, $tag, $digest),
#     $tree->upload($repo, $uuid)                paths of links, of a session
#     $tree->content($path)                      bytes, or undef
#     $tree->files                               every file below v2, relative
#     my @wrong = $tree->fsck(%opt);
#
# fsck walks the whole tree.  Each sentence that it returns is a broken
# promise: content unlike its name, a link to nothing, a tag without its
# manifest, a manifest without a blob that it needs.  Litter (sessions, what
# lies in _tmp, content that nothing links) is none.  Options: sparse => 1,
# manifests need not be complete.

use strict;
use warnings;

use Digest::SHA;
use File::Find ();
use JSON::PP;


sub new {
    my ($class, $root) = @_;

    return bless { root => $root }, $class;
}


sub path {
    my ($self, $below) = @_;

    return "$self->{root}/docker/registry/v2"
        . (defined $below && length $below ? "/$below" : '');
}


sub _split { return $_[0] =~ /^(sha256|sha512):([0-9a-f]+)\z/ }


sub blob {
    my ($self, $digest) = @_;

    my ($alg, $hex) = _split($digest);
    return $self->path("blobs/$alg/" . substr($hex, 0, 2) . "/$hex/data");
}


sub layer {
    my ($self, $repo, $digest) = @_;

    my ($alg, $hex) = _split($digest);
    return $self->path("repositories/$repo/_layers/$alg/$hex/link");
}


sub revision {
    my ($self, $repo, $digest) = @_;

    my ($alg, $hex) = _split($digest);
    return $self->path(
        "repositories/$repo/_manifests/revisions/$alg/$hex/link");
}


sub tag {
    my ($self, $repo, $tag) = @_;

    return $self->path(
        "repositories/$repo/_manifests/tags/$tag/current/link");
}


sub tag_index {
    my ($self, $repo, $tag, $digest) = @_;

    my ($alg, $hex) = _split($digest);
    return $self->path(
        "repositories/$repo/_manifests/tags/$tag/index/$alg/$hex/link");
}


sub upload {
    my ($self, $repo, $uuid) = @_;

    return $self->path("repositories/$repo/_uploads/$uuid");
}


sub content {
    my ($self, $path) = @_;

    open(my $file, '<:raw', $path) or return;
    local $/;
    return scalar(<$file>) // '';
}


sub _walk {
    my ($self, $top, $code) = @_;

    return unless -d $top;
    File::Find::find({ no_chdir => 1, wanted => $code }, $top);
}


sub files {
    my ($self) = @_;

    my $v2 = $self->path;
    my @files;
    $self->_walk($v2, sub {
        push @files, substr($_, length($v2) + 1) unless -d && !-l;
    });

    return sort @files;
}


# ---- fsck ------------------------------------------------------------------

sub fsck {
    my ($self, %opt) = @_;

    local $self->{wrong} = [];
    my %repos;

    $self->_walk($self->path('blobs'), sub {
        $self->_check_blob($_) unless -d && !-l;
    });

    my $top = $self->path('repositories');
    $self->_walk($top, sub {
        return if -d && !-l;
        my $file = substr($_, length($top) + 1);

        if ($file =~ m{^(.+?)/_layers/(\w+)/(\w+)/link\z}) {
            $repos{$1}{layers}{"$2:$3"} = $_;
        } elsif ($file =~ m{^(.+?)/_manifests/revisions/(\w+)/(\w+)/link\z}) {
            $repos{$1}{revisions}{"$2:$3"} = $_;
        } elsif ($file =~ m{^(.+?)/_manifests/tags/([^/]+)/current/link\z}) {
            $repos{$1}{tags}{$2} = $_;
        } elsif ($file !~ m{^.+?/_(?:manifests/tags/[^/]+/index|uploads)/}
                 && $file !~ m{(?:^|/)_(?!layers|manifests)})
        {
            $self->_wrong("$file: no file of this name belongs here");
        }
    });

    for my $name (sort keys %repos) {
        $self->_check_repository($name, $repos{$name}, %opt);
    }

    return @{ $self->{wrong} };
}


sub _wrong {
    my ($self, $sentence) = @_;

    push @{ $self->{wrong} }, $sentence;
}


sub _check_blob {
    my ($self, $path) = @_;

    my ($alg, $two, $hex) = $path =~ m{/(sha\d+)/(..)/([0-9a-f]+)/data\z};
    if (!defined $hex || $two ne substr($hex, 0, 2) || !-f $path || -l $path) {
        $self->_wrong("$path: is no blob");
        return;
    }

    my $is = Digest::SHA->new($alg =~ s/sha//r)->addfile($path, 'b')->hexdigest;
    $self->_wrong("$alg:$hex: its content is $is") if $is ne $hex;
}


sub _check_link {
    my ($self, $path, $digest) = @_;

    my $content = $self->content($path) // '';
    $self->_wrong("$path: is '$content'") if $content ne $digest;
    $self->_wrong("$path: $digest has no content")
        unless -f $self->blob($digest);
}


sub _check_repository {
    my ($self, $name, $repo, %opt) = @_;

    $self->_check_link($repo->{layers}{$_}, $_) for keys %{ $repo->{layers} };

    for my $digest (keys %{ $repo->{revisions} }) {
        $self->_check_link($repo->{revisions}{$digest}, $digest);
        $self->_check_manifest($name, $repo, $digest) unless $opt{sparse};
    }

    for my $tag (keys %{ $repo->{tags} }) {
        my $digest = $self->content($repo->{tags}{$tag}) // '';

        if (!_split($digest)) {
            $self->_wrong("$name:$tag: points to '$digest'");
            next;
        }

        $self->_wrong("$name:$tag: $digest is no manifest of $name")
            unless $repo->{revisions}{$digest};
        $self->_wrong("$name:$tag: $digest is not in the tag's index")
            unless -f $self->tag_index($name, $tag, $digest);
    }
}


sub _check_manifest {
    my ($self, $name, $repo, $digest) = @_;

    my $bytes = $self->content($self->blob($digest)) // return;
    my $manifest = eval { JSON::PP->new->utf8->decode($bytes) };
    if (ref $manifest ne 'HASH') {
        $self->_wrong("$name\@$digest: is no manifest");
        return;
    }

    for my $ref ($manifest->{config} // (), @{ $manifest->{layers} // [] }) {
        next if ($ref->{mediaType} // '') =~ /foreign|nondistributable/;
        $self->_wrong("$name\@$digest: its blob $ref->{digest} is missing")
            unless $repo->{layers}{ $ref->{digest} };
        my $size = -s $self->blob($ref->{digest}) // -1;
        $self->_wrong("$name\@$digest: $ref->{digest} has $size bytes, not "
            . $ref->{size}) if $size != $ref->{size};
    }

    for my $child (@{ $manifest->{manifests} // [] }) {
        $self->_wrong("$name\@$digest: its child $child->{digest} is missing")
            unless $repo->{revisions}{ $child->{digest} };
    }
}

1;
