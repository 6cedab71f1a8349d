#!/usr/bin/perl

# What oras and cosign send, request by request; OCI layouts that umoci made;
# manifest lists and zstd layers of buildah.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Containers;
use Test::Registry::Process qw(needs run runs_ok scratch);

needs(umoci => 'umoci', skopeo => 'skopeo', buildah => 'buildah');

my $dir     = scratch();
my $r       = Test::Registry->new(workers => 2, worker => { processes => 2 });
my $address = '127.0.0.1:' . $r->port;
my $client  = Test::Registry::Client->new($address);
my $tools   = Test::Registry::Containers->new($dir);

my $empty_type = 'application/vnd.oci.empty.v1+json';
my $empty      = descriptor($empty_type, '{}');


# HEAD, and only if that is 404 POST and PUT, as these clients do.

sub send_blob {
    my ($repo, $bytes, $how) = @_;

    my $digest = sha256($bytes);
    my $head = $r->request('HEAD', "/v2/$repo/blobs/$digest");
    return $digest if $head->{status} == 200;
    die "HEAD of a blob: $head\n" unless $head->{status} == 404;

    my $location = $r->expect(202, 'POST', "/v2/$repo/blobs/uploads/",
        body => '')->header('location');
    if (($how // '') eq 'stream') {
        $location = $r->expect(202, 'PATCH', $location, body => $bytes,
            chunked => 4096, headers => ['Content-Type' =>
                'application/octet-stream'])->header('location');
        $bytes = '';
    }
    $r->expect(201, 'PUT', with_digest($location, $digest =~ s/:/%3A/r),
        body => $bytes);

    return $digest;
}

sub send_manifest {
    my ($repo, $reference, $manifest) = @_;

    my $bytes = ref $manifest ? json($manifest) : $manifest;
    $reference //= sha256($bytes);
    my $a = $r->request('PUT', "/v2/$repo/manifests/$reference",
        body => $bytes, chunked => 4096,
        headers => ['Content-Type' => $TYPE{oci}]);
    is($a->{status}, 201, "$repo: PUT $reference") or diag($a);

    return ($a, $bytes);
}

sub referrers {
    my ($repo, $digest, $type) = @_;

    my $a = $r->request('GET', "/v2/$repo/referrers/$digest"
        . (defined $type ? '?artifactType=' . $type =~ s/\+/%2B/gr
            =~ s{/}{%2F}gr : ''));
    return @{ $a->json->{manifests} };
}


# ---- oras push, attach, discover, pull, delete

my $text = "hello\n";
my $report = json({ findings => [] });
send_blob('oras', $_) for $text, '{}';
my (undef, $hello) = send_manifest('oras', 'v1', {
    schemaVersion => 2,
    mediaType     => $TYPE{oci},
    artifactType  => 'application/vnd.test.hello',
    config        => { %$empty, data => 'e30=' },
    layers        => [{ %{ descriptor('text/plain', $text) }, annotations =>
        { 'org.opencontainers.image.title' => 'hello.txt' } }],
    annotations   => { 'org.opencontainers.image.created' =>
        '2025-01-01T00:00:00Z' },
});
my $subject = descriptor($TYPE{oci}, $hello);

is($r->request('HEAD', '/v2/oras/manifests/v1')
    ->header('docker-content-digest'), $subject->{digest}, 'oras resolve');

send_blob('oras', $_) for $report, '{}';
my ($attached, $sbom) = send_manifest('oras', undef, {
    schemaVersion => 2,
    mediaType     => $TYPE{oci},
    artifactType  => 'application/vnd.test.sbom+json',
    config        => $empty,
    layers        => [descriptor('application/json', $report)],
    subject       => $subject,
    annotations   => { by => 'oras attach' },
});
is($attached->header('oci-subject'), $subject->{digest},
    'oras attach: the registry says that it lists referrers');
is($r->request('GET', '/v2/oras/manifests/' . $subject->{digest} =~ s/:/-/r)
    ->{status}, 404, 'oras attach: there is no fallback tag');

my @found = referrers('oras', $subject->{digest},
    'application/vnd.test.sbom+json');
is(scalar @found, 1, 'oras discover finds it');
is($found[0]{digest}, sha256($sbom), 'oras discover: its digest');
is($found[0]{annotations}{by}, 'oras attach', 'oras discover: annotations');

my $pulled = $r->request('GET', '/v2/oras/manifests/v1',
    headers => [Accept => "$TYPE{oci}, $TYPE{oci_index}, */*"]);
is($pulled->{body}, $hello, 'oras pull: the manifest');
is($r->request('GET', "/v2/oras/blobs/$_->{digest}")->{body},
    $_->{digest} eq $empty->{digest} ? '{}' : $text, 'oras pull: a blob')
    for $pulled->json->{config}, @{ $pulled->json->{layers} };

$r->expect(202, 'DELETE', '/v2/oras/manifests/' . sha256($sbom));
is(scalar referrers('oras', $subject->{digest}), 0, 'oras manifest delete');


# ---- cosign sign, twice; attest; verify

my $image = $r->push_image('signed', 'v1', layers => [bytes('layer', 5000)]);
my $stem = $image->{digest} =~ s/:/-/r;
my $simple = 'application/vnd.dev.cosign.simplesigning.v1+json';
my @layers;

for my $signer (1, 2) {
    my $old = $r->request('GET', "/v2/signed/manifests/$stem.sig");
    is($old->{status}, $signer == 1 ? 404 : 200,
        "cosign sign, $signer: what is there");

    my $payload = json({ critical => { image =>
        { 'docker-manifest-digest' => $image->{digest} } },
        optional => { signer => $signer } });
    push @layers, { %{ descriptor($simple, $payload) }, annotations =>
        { 'dev.cosignproject.cosign/signature' => "c2ln$signer" } };
    my $config = json({ architecture => '', os => '', rootfs => {
        type => 'layers', diff_ids => [map { $_->{digest} } @layers] } });
    send_blob('signed', $_, 'stream') for $payload, $config;
    send_manifest('signed', "$stem.sig", {
        schemaVersion => 2,
        mediaType     => $TYPE{oci},
        config        => descriptor($TYPE{config}, $config),
        layers        => [@layers],
    });
}
my $signatures = $r->request('GET', "/v2/signed/manifests/$stem.sig");
is(scalar @{ $signatures->json->{layers} }, 2, 'cosign verify: both');
is(sha256($r->request('GET', "/v2/signed/blobs/$_->{digest}")->{body}),
    $_->{digest}, 'cosign verify: the payload')
    for @{ $signatures->json->{layers} };

for my $suffix (qw(att sbom)) {
    my $bytes = json({ kind => $suffix });
    send_blob('signed', $_) for $bytes, '{}';
    send_manifest('signed', "$stem.$suffix", {
        schemaVersion => 2,
        mediaType     => $TYPE{oci},
        config        => descriptor($TYPE{config}, '{}'),
        layers        => [descriptor('application/vnd.dsse.envelope.v1+json',
            $bytes)],
    });
}
is_deeply([$client->tags('signed')],
    [sort 'v1', map { "$stem.$_" } qw(att sbom sig)],
    'cosign: its tags are listed');

# the same with referrers instead of tags
send_blob('signed', '{}');
send_manifest('signed', undef, {
    schemaVersion => 2,
    mediaType     => $TYPE{oci},
    artifactType  => 'application/vnd.dev.sigstore.bundle.v0.3+json',
    config        => $empty,
    layers        => [$layers[0]],
    subject       => descriptor($TYPE{oci}, $image->{bytes}),
});
is(scalar referrers('signed', $image->{digest},
    'application/vnd.dev.sigstore.bundle.v0.3+json'), 1,
    'cosign: a bundle is a referrer');


# ---- umoci

my @skopeo = $tools->skopeo('copy', '--src-tls-verify=false',
    '--dest-tls-verify=false');
my $layout = "$dir/layout";
write_file("$dir/file-$_", bytes("file $_", 50_000)) for 1, 2;
runs_ok('umoci init', 'umoci', 'init', '--layout', $layout);
runs_ok('umoci new', 'umoci', 'new', '--image', "$layout:1");
runs_ok('umoci insert', 'umoci', 'insert', '--rootless', '--image',
    "$layout:1", "$dir/file-$_", "/file-$_") for 1, 2;
my $remote = "docker://$address/umoci:1";
runs_ok('its layout is pushed', @skopeo, "oci:$layout:1", $remote);
is_deeply([$client->faults('umoci', '1')], [], 'every digest verifies');
my ($entry) = @{ decode_json($r->tree->content("$layout/index.json"))
    ->{manifests} };
is($client->resolve('umoci', '1'), $entry->{digest},
    'the manifest is the layout\'s');
runs_ok('and pulled', @skopeo, $remote, "oci:$dir/back:1");
runs_ok('umoci unpacks it', 'umoci', 'unpack', '--rootless', '--image',
    "$dir/back:1", "$dir/bundle");
is($r->tree->content("$dir/bundle/rootfs/file-$_"), bytes("file $_", 50_000),
    "file $_ is as it was") for 1, 2;


# ---- buildah: a manifest list, and zstd

my @buildah = $tools->buildah;


# An image of one file; its name.

sub build {
    my ($tag, $file, $arch) = @_;

    my ($status, $container) = run(@buildah, 'from', 'scratch');
    chomp $container;
    is($status, 0, 'buildah from scratch') or diag($container);
    runs_ok('buildah copy', @buildah, 'copy', $container, $file, "/$tag");
    runs_ok('buildah config', @buildah, 'config', '--arch', $arch,
        $container);
    runs_ok('buildah commit', @buildah, 'commit', $container,
        "localhost/built:$tag");

    return "localhost/built:$tag";
}

runs_ok('buildah manifest create', @buildah, 'manifest', 'create',
    'localhost/list', map { build($_, "$dir/file-1", $_) } qw(amd64 arm64));
for my $format (qw(oci v2s2)) {
    runs_ok("buildah manifest push --format $format", @buildah, 'manifest',
        'push', '--all', '--tls-verify=false', '--format', $format,
        'localhost/list', "docker://$address/list:$format");
    my $list = $client->manifest('list', $format);
    is(scalar @{ decode_json($list->{content})->{manifests} }, 2,
        "$format: two platforms");
    is($list->{headers}{'content-type'},
        $format eq 'oci' ? $TYPE{oci_index} : $TYPE{list}, "$format: type");
    is_deeply([$client->faults('list', $format)], [],
        "$format: every digest verifies");
}

runs_ok('buildah push with zstd', @buildah, 'push', '--tls-verify=false',
    '--format', 'oci', '--compression-format', 'zstd',
    build('zstd', "$dir/file-2", 'amd64'), "docker://$address/zstd:1");
is_deeply([map { $_->{mediaType} } @{ decode_json(
    $client->manifest('zstd', '1')->{content})->{layers} }],
    ['application/vnd.oci.image.layer.v1.tar+zstd'], 'a zstd layer');
is_deeply([$client->faults('zstd', '1')], [], 'every digest verifies');
runs_ok('every image is removed', @buildah, 'rmi', '--all', '--force');
runs_ok('buildah pulls it', @buildah, 'pull', '--tls-verify=false',
    "docker://$address/zstd:1");

fsck_ok($r, 'the tree is sound');
done_testing;
