package Test::Registry;

# The real thing for one test: nginx with the module, the worker behind it, and
# an empty tree, on a loopback port, in a directory of its own.
#
#     use Test::Registry;                       strict, warnings, Test::More
#
#     my $r = Test::Registry->new(workers => 2);
#
#     my $digest = $r->push_blob('team/app', $bytes);
#     my $a = $r->request('GET', "/v2/team/app/blobs/$digest");
#     is($a->{status}, 200, 'a blob that was pushed is served');
#     error_is($r->request('GET', '/v2/x/blobs/nonsense'),
#         400, 'DIGEST_INVALID', 'nonsense is no digest');
#     fsck_ok($r, 'the tree is sound');
#
#     done_testing;                             stops all, looks at the logs
#
# Options of new: workers (of nginx), worker => { threads => 4, ... } (the
# nginx_registry section), config (more YAML), env => { ... } (of the worker),
# delete => 0, location, server, http, main (more nginx directives), registry
# (more directives of the module), http2 => 1 and tls => 1 (ports beside the
# plain one: $r->port('http2'), $r->port('tls')), root (an existing tree).
#
# Environment: REGISTRY_NGINX, REGISTRY_MODULE, REGISTRY_FCGI name the programs,
# REGISTRY_PRELOAD what nginx runs with (libasan); REGISTRY_KEEP=1 leaves the
# directory.
#
# done_testing fails the test if a log holds an [alert], [emerg] or [crit] that
# was not announced by $r->expect_log(qr/.../), or a sanitizer's report, or if
# a process ended by a signal that the test did not send.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512_hex sha512);
use Exporter ();
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More import => ['!done_testing'];

use Test::Registry::Answer;
use Test::Registry::Connection;
use Test::Registry::Host;
use Test::Registry::Server;

our @ISA = qw(Test::Registry::Server);

our @EXPORT = (
    grep({ $_ ne 'done_testing' } @Test::More::EXPORT),
    qw(%TYPE accounts basic bytes children descriptor done_testing error_is
        fsck_ok image_manifest in_parallel index_manifest json rss rss_peak
        sanitized sha256 sha512sum uuid_of wait_until with_digest write_file),
);

our %TYPE = (
    oci       => 'application/vnd.oci.image.manifest.v1+json',
    oci_index => 'application/vnd.oci.image.index.v1+json',
    docker    => 'application/vnd.docker.distribution.manifest.v2+json',
    list      => 'application/vnd.docker.distribution.manifest.list.v2+json',
    schema1   => 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    config    => 'application/vnd.oci.image.config.v1+json',
    layer     => 'application/vnd.oci.image.layer.v1.tar+gzip',
);


sub import {
    strict->import;
    warnings->import;
    goto &Exporter::import;
}


sub done_testing { goto &Test::Registry::Server::done_testing }


# ---- small things that every test needs ------------------------------------

sub sha256    { return 'sha256:' . sha256_hex($_[0]) }
sub sha512sum { return 'sha512:' . sha512_hex($_[0]) }
sub json      { return JSON::PP->new->utf8->canonical->encode($_[0]) }
sub sanitized { return ($ENV{SAN} // '') ne '' || !!$ENV{REGISTRY_PRELOAD} }


# A file of accounts, anew, and the header with which one logs in.

sub accounts {
    my ($path, %password) = @_;

    write_file($path, '');
    for my $user (sort keys %password) {
        system('htpasswd', '-bB', '-C', 5, $path, $user, $password{$user}) == 0
            or die "htpasswd failed\n";
    }
}

sub basic {
    my ($user, $password) = @_;

    return (Authorization => 'Basic ' . encode_base64("$user:$password", ''));
}


# Bytes that follow from SEED and do not repeat.

sub bytes {
    my ($seed, $size) = @_;

    my $out = '';
    for (my $n = 0; length $out < $size; $n++) {
        $out .= sha512("$seed/$n");
    }

    return substr($out, 0, $size);
}


# Status, code, and that the body is what the specification says.

sub error_is {
    my ($answer, $status, $code, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @errors = $answer->errors;
    my $good = $answer->{status} == $status
        && ($answer->header('content-type') // '') =~ m{^application/json\b}
        && @errors && !grep({ ref ne 'HASH' || ($_->{code} // '') ne $code
            || !length($_->{message} // '') } @errors);

    ok($good, $title)
        or diag("expected $status $code, got $answer\n$answer->{head}");

    return $good;
}


sub fsck_ok {
    my ($self, $title, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong = $self->fsck(%opt);
    ok(!@wrong, $title) or diag(join "\n", @wrong);
}


# ---- asking ----------------------------------------------------------------

sub connect {
    my ($self, %opt) = @_;

    return Test::Registry::Connection->new(port => $self->port, %opt);
}


# One request on a connection of its own.  The options are Connection's.

sub request {
    my ($self, $method, $path, %opt) = @_;

    $path =~ s{^https?://[^/]+}{};
    my $connection = $self->connect(
        defined $opt{timeout} ? (timeout => $opt{timeout}) : ());
    my $answer = $connection->request($method, $path, %opt,
        headers => [@{ $opt{headers} // [] }, Connection => 'close']);
    $connection->close;

    return $answer;
}


# Bytes as they are; the first answer to them.

sub raw {
    my ($self, $bytes) = @_;

    my $connection = $self->connect;
    $connection->send($bytes);
    my ($method) = $bytes =~ /^(\S+)/;

    return $connection->response($method // 'GET');
}


# What must succeed, or the test cannot go on.

sub expect {
    my ($self, $status, $method, $path, %opt) = @_;

    my $answer = $self->request($method, $path, %opt);
    die "$method $path: $answer\n" unless $answer->{status} == $status;

    return $answer;
}


# ---- pushing ---------------------------------------------------------------

sub start_upload {
    my ($self, $repo) = @_;

    return $self->expect(202, 'POST', "/v2/$repo/blobs/uploads/", body => '')
        ->header('location');
}


sub with_digest {
    my ($location, $digest) = @_;

    return $location . ($location =~ /\?/ ? '&' : '?') . "digest=$digest";
}


sub uuid_of {
    my ($location) = @_;

    return ($location =~ m{/uploads/([^/?]+)})[0];
}


# POST and PUT, or with patch => 1 POST, PATCH and PUT.  The digest.

sub push_blob {
    my ($self, $repo, $bytes, %opt) = @_;

    my $digest = $opt{digest} // sha256($bytes);
    my $location = $self->start_upload($repo);

    if ($opt{patch}) {
        $location = $self->expect(202, 'PATCH', $location, body => $bytes)
            ->header('location');
        $bytes = '';
    }
    $self->expect(201, 'PUT', with_digest($location, $digest), body => $bytes);

    return $digest;
}


sub push_manifest {
    my ($self, $repo, $reference, $bytes, $type) = @_;

    $type //= JSON::PP->new->utf8->decode($bytes)->{mediaType};
    $self->expect(201, 'PUT', "/v2/$repo/manifests/$reference",
        headers => ['Content-Type' => $type], body => $bytes);

    return sha256($bytes);
}


sub descriptor {
    my ($type, $bytes) = @_;

    return {
        mediaType => $type,
        digest    => sha256($bytes),
        size      => length $bytes,
    };
}


# An image's manifest as a structure; nothing is pushed.  more => { ... } adds
# to it or replaces what is there.

sub image_manifest {
    my (%opt) = @_;

    return {
        schemaVersion => 2,
        mediaType     => $TYPE{ $opt{type} // 'oci' },
        config        => descriptor($TYPE{config}, $opt{config} // '{}'),
        layers        => [map { descriptor($TYPE{layer}, $_) }
            @{ $opt{layers} // [] }],
        %{ $opt{more} // {} },
    };
}


sub index_manifest {
    my (%opt) = @_;

    return {
        schemaVersion => 2,
        mediaType     => $TYPE{ $opt{type} // 'oci_index' },
        manifests     => [map { {
            mediaType => $_->{type}, digest => $_->{digest},
            size => length $_->{bytes},
            $_->{platform} ? (platform => $_->{platform}) : (),
        } } @{ $opt{children} // [] }],
        %{ $opt{more} // {} },
    };
}


# Pushes config, layers and manifest: { digest, bytes, type, blobs }.

sub push_image {
    my ($self, $repo, $reference, %opt) = @_;

    $opt{config} //= json({
        architecture => 'amd64', seed => $reference // '' });
    my @blobs = ($opt{config}, @{ $opt{layers} // [] });
    $self->push_blob($repo, $_) for @blobs;

    my $bytes = json(image_manifest(%opt));
    my $type = $TYPE{ $opt{type} // 'oci' };
    $reference = sha256($bytes) unless defined $reference;
    $self->push_manifest($repo, $reference, $bytes, $type);

    return {
        digest => sha256($bytes), bytes => $bytes, type => $type,
        blobs => [map { sha256($_) } @blobs],
    };
}

1;
