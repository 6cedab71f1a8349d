package Test::Registry::Client;

# A registry seen from the wire, by a client that believes nothing.
#
#     my $client = Test::Registry::Client->new('127.0.0.1:5000');
#     my $digest = $client->push_image('team/web', 'v1', 'seed', 3);
#     my @faults = $client->faults('team/web', 'v1');
#
# faults() fetches a reference and all that it reaches, asks for each thing by
# GET and by HEAD, and says in one sentence each what does not agree: an empty
# list means that every digest was verified.  Requests that must succeed die
# with method, path, status and body when they do not.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP;

use Test::Registry::Image;

my $json = JSON::PP->new->canonical;

my @manifest_types = qw(
    application/vnd.docker.distribution.manifest.v2+json
    application/vnd.docker.distribution.manifest.list.v2+json
    application/vnd.oci.image.manifest.v1+json
    application/vnd.oci.image.index.v1+json
);


sub new {
    my ($class, $address) = @_;

    return bless {
        base => "http://$address",
        http => HTTP::Tiny->new(
            timeout => 180, max_redirect => 0, keep_alive => 1),
    }, $class;
}


sub request {
    my ($self, $method, $target, $headers, $body) = @_;

    my $url = $target =~ m{^http://} ? $target : $self->{base} . $target;
    my %options = (headers => $headers // {});
    $options{content} = $body if defined $body;

    return $self->{http}->request($method, $url, \%options);
}


sub expect {
    my ($self, $status, $method, $target, $headers, $body) = @_;

    my $answer = $self->request($method, $target, $headers, $body);
    die "$self->{base}: $method $target: $answer->{status} "
        . substr($answer->{content} // '', 0, 300) . "\n"
        unless $answer->{status} == $status;

    return $answer;
}


sub status {
    my ($self, $method, $target) = @_;

    return $self->request($method, $target,
        { Accept => join(', ', @manifest_types) })->{status};
}


# ---- writing ---------------------------------------------------------------

sub start_upload {
    my ($self, $repo) = @_;

    return $self->expect(202, 'POST', "/v2/$repo/blobs/uploads/", {}, '')
        ->{headers}{location};
}


# The bytes to add at OFFSET of an upload; the Location for the next step.

sub patch_upload {
    my ($self, $location, $offset, $bytes) = @_;

    my $last = $offset + length($bytes) - 1;
    return $self->expect(202, 'PATCH', $location, {
        'Content-Type'  => 'application/octet-stream',
        'Content-Range' => "$offset-$last",
    }, $bytes)->{headers}{location};
}


sub finish_upload {
    my ($self, $location, $digest, $bytes) = @_;

    my $join = $location =~ /\?/ ? '&' : '?';
    return $self->expect(201, 'PUT', "$location${join}digest=$digest",
        { 'Content-Type' => 'application/octet-stream' }, $bytes // '');
}


sub push_blob {
    my ($self, $repo, $bytes) = @_;

    my $digest = 'sha256:' . sha256_hex($bytes);
    my $location = $self->start_upload($repo);
    $location = $self->patch_upload($location, 0, $bytes) if length $bytes;
    $self->finish_upload($location, $digest);

    return $digest;
}


sub push_manifest {
    my ($self, $repo, $reference, $bytes) = @_;

    $self->expect(201, 'PUT', "/v2/$repo/manifests/$reference",
        { 'Content-Type' => $json->decode($bytes)->{mediaType} }, $bytes);

    return 'sha256:' . sha256_hex($bytes);
}


# An image whose content follows from SEED; layer 0 follows from its size
# alone, so that all images of a size share it.  The digest of its manifest.

sub push_image {
    my ($self, $repo, $reference, $seed, $layers) = @_;

    my @contents = map {
        Test::Registry::bytes($_ ? "$seed/$_" : 'shared', 30_000)
    } 0 .. $layers - 1;
    my $config = $json->encode({ architecture => 'amd64', seed => $seed });
    my $oci = 'application/vnd.oci.image';

    return $self->push_manifest($repo, $reference, $json->encode({
        schemaVersion => 2,
        mediaType     => "$oci.manifest.v1+json",
        config        => $self->_described($repo, "$oci.config.v1+json",
            $config),
        layers => [map {
            $self->_described($repo, "$oci.layer.v1.tar", $_)
        } @contents],
    }));
}


sub push_index {
    my ($self, $repo, $reference, @digests) = @_;

    my @children = map {
        my $child = $self->manifest($repo, $_);
        {
            mediaType => $child->{headers}{'content-type'},
            digest    => $_,
            size      => length $child->{content},
        };
    } @digests;
    my $type = 'application/vnd.oci.image.index.v1+json';

    return $self->push_manifest($repo, $reference, $json->encode({
        schemaVersion => 2, mediaType => $type, manifests => \@children }));
}


sub _described {
    my ($self, $repo, $type, $bytes) = @_;

    return {
        mediaType => $type,
        digest    => $self->push_blob($repo, $bytes),
        size      => length $bytes,
    };
}


sub delete_manifest {
    my ($self, $repo, $digest) = @_;

    return $self->expect(202, 'DELETE', "/v2/$repo/manifests/$digest");
}


sub delete_blob {
    my ($self, $repo, $digest) = @_;

    return $self->expect(202, 'DELETE', "/v2/$repo/blobs/$digest");
}


# ---- reading ---------------------------------------------------------------

sub manifest {
    my ($self, $repo, $reference) = @_;

    return $self->expect(200, 'GET', "/v2/$repo/manifests/$reference",
        { Accept => join(', ', @manifest_types) });
}


# The digest that a tag points to; undef when there is no such tag.

sub resolve {
    my ($self, $repo, $reference) = @_;

    my $answer = $self->request('HEAD', "/v2/$repo/manifests/$reference",
        { Accept => join(', ', @manifest_types) });

    return $answer->{status} == 200
        ? $answer->{headers}{'docker-content-digest'} : undef;
}


sub tags {
    my ($self, $repo) = @_;

    my $answer = $self->request('GET', "/v2/$repo/tags/list");
    return unless $answer->{status} == 200;

    return sort @{ $json->decode($answer->{content})->{tags} // [] };
}


sub catalog {
    my ($self) = @_;

    return sort @{ $json->decode($self->expect(200, 'GET', '/v2/_catalog')
        ->{content})->{repositories} };
}


# Every tag of every repository: { repository => { tag => digest } }.  What has
# no tag does not count: we leave a repository without manifests out of the
# catalog, Distribution does not.

sub everything {
    my ($self) = @_;

    my %all;
    for my $repo ($self->catalog) {
        my @tags = $self->tags($repo) or next;
        $all{$repo} = { map { $_ => $self->resolve($repo, $_) } @tags };
    }

    return \%all;
}


sub faults_everywhere {
    my ($self) = @_;

    my $all = $self->everything;
    my @faults;
    for my $repo (sort keys %$all) {
        push @faults, map { $self->faults($repo, $_) }
            sort keys %{ $all->{$repo} };
    }

    return @faults;
}


sub faults {
    my ($self, $repo, $reference) = @_;

    my $path = "/v2/$repo/manifests/$reference";
    my ($bytes, @faults) = $self->_verify($path,
        $reference =~ /^sha256:/ ? $reference : undef);
    return @faults unless defined $bytes;

    my $manifest = eval { $json->decode($bytes) }
        or return (@faults, "$path: not JSON");

    push @faults, map { $self->faults($repo, $_->{digest}) }
        @{ $manifest->{manifests} // [] };
    for (grep { defined } $manifest->{config}, @{ $manifest->{layers} // [] }) {
        my ($content, @wrong)
            = $self->_verify("/v2/$repo/blobs/$_->{digest}", $_->{digest});
        push @faults, @wrong;
        push @faults, "$repo: $_->{digest} has " . length($content)
            . " bytes, its descriptor says $_->{size}"
            if defined $content && length $content != $_->{size};
    }

    return @faults;
}


# GET and HEAD of one thing: (its bytes, what is wrong with it).

sub _verify {
    my ($self, $path, $digest) = @_;

    my $accept = { Accept => join(', ', @manifest_types) };
    my $get = $self->request('GET', $path, $accept);
    return (undef, "$self->{base}: GET $path: $get->{status} $get->{content}")
        unless $get->{status} == 200;

    my $is = 'sha256:' . sha256_hex($get->{content});
    $digest //= $get->{headers}{'docker-content-digest'} // 'none';

    my @faults;
    push @faults, "$self->{base}: GET $path: content is $is, not $digest"
        if $is ne $digest;

    my $head = $self->request('HEAD', $path, $accept);
    push @faults, "$self->{base}: HEAD $path: $head->{status}"
        unless $head->{status} == 200;
    push @faults, "$self->{base}: HEAD $path: $_ is "
        . ($head->{headers}{$_} // 'absent') . ", GET says "
        . ($get->{headers}{$_} // 'absent')
        for grep { ($head->{headers}{$_} // '') ne ($get->{headers}{$_} // '') }
        qw(docker-content-digest content-length content-type);

    return ($get->{content}, @faults);
}

1;
