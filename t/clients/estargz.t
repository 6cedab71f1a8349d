#!/usr/bin/perl

# eStargz layers: pushed by skopeo, pulled whole by clients that know nothing
# of them, and read as a lazy snapshotter does it, by ranges.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Containers;
use Test::Registry::Estargz;
use Test::Registry::Process qw(needs run runs_ok scratch);

needs(umoci => 'umoci', skopeo => 'skopeo', buildah => 'buildah');

my $dir     = scratch();
my $r       = Test::Registry->new(workers => 2, worker => { processes => 2 });
my $address = '127.0.0.1:' . $r->port;
my $client  = Test::Registry::Client->new($address);
my $tools   = Test::Registry::Containers->new($dir);

my %file = (
    'app'        => bytes('app', 1_000_000),
    'etc-motd'   => "hello\n",
    'lib'        => bytes('lib', 300_001),
);
my $layer = Test::Registry::Estargz::layer(256 * 1024, %file);
my %annotation = (
    'containerd.io/snapshot/stargz/toc.digest' => sha256($layer->{toc}),
    'io.containers.estargz.uncompressed-size' =>
        '' . length $layer->{uncompressed},
);


# ---- an OCI layout of it

my $config = json({
    architecture => 'amd64', os => 'linux', config => {},
    rootfs => { type => 'layers',
        diff_ids => [sha256($layer->{uncompressed})] },
});
my $manifest = image_manifest(config => $config);
$manifest->{layers} = [{ %{ descriptor($TYPE{layer}, $layer->{bytes}) },
    annotations => \%annotation }];
my $bytes = json($manifest);

mkdir "$dir/layout" and mkdir "$dir/layout/blobs"
    and mkdir "$dir/layout/blobs/sha256" or die "$dir/layout: $!\n";
for my $blob ($layer->{bytes}, $config, $bytes) {
    write_file("$dir/layout/blobs/" . sha256($blob) =~ s{:}{/}r, $blob);
}
write_file("$dir/layout/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
write_file("$dir/layout/index.json", json({ schemaVersion => 2, manifests =>
    [{ %{ descriptor($TYPE{oci}, $bytes) }, annotations =>
        { 'org.opencontainers.image.ref.name' => '1' } }] }));


# ---- pushed, and pulled whole

my @skopeo = $tools->skopeo('copy', '--src-tls-verify=false',
    '--dest-tls-verify=false');
my $remote = "docker://$address/lazy:1";
runs_ok('skopeo push', @skopeo, "oci:$dir/layout:1", $remote);
is($client->resolve('lazy', '1'), sha256($bytes), 'the manifest as it was');
is_deeply([$client->faults('lazy', '1')], [], 'every digest verifies');

runs_ok('skopeo pull', @skopeo, $remote, "oci:$dir/back:1");
runs_ok('umoci unpacks it', 'umoci', 'unpack', '--rootless', '--image',
    "$dir/back:1", "$dir/bundle");
is($r->tree->content("$dir/bundle/rootfs/$_"), $file{$_}, "the file $_")
    for sort keys %file;
runs_ok('buildah pull', $tools->buildah, 'pull', '--tls-verify=false',
    "docker://$address/lazy:1");


# ---- read lazily: footer, table of contents, then what is asked for

my ($found) = @{ decode_json($client->manifest('lazy', '1')->{content})
    ->{layers} };
my $path = "/v2/lazy/blobs/$found->{digest}";
my $c = $r->connect;

sub range {
    my ($from, $to, $title) = @_;

    my $a = $c->request('GET', $path,
        headers => [Range => "bytes=$from-$to"]);
    is($a->{status}, 206, "$title: 206") or diag($a);
    is($a->header('content-range'), "bytes $from-$to/$found->{size}",
        "$title: Content-Range");

    return $a->{body};
}

my $head = $c->request('HEAD', $path);
is($head->header('content-length'), $found->{size}, 'HEAD tells the size');
is($head->header('accept-ranges'), 'bytes', 'and that ranges are served');

my ($toc, $chunks) = Test::Registry::Estargz::contents($found->{size}, sub {
    return range(@_, "range @_") });
is(sha256($toc), $found->{annotations}{
    'containerd.io/snapshot/stargz/toc.digest'}, 'the table of contents');
my %content;
for my $chunk (@$chunks) {
    is(sha256($chunk->{bytes}), $chunk->{digest},
        "a chunk of $chunk->{name}: its digest verifies");
    $content{ $chunk->{name} } .= $chunk->{bytes};
}
is($content{$_}, $file{$_}, "$_, chunk by chunk") for sort keys %file;

# several at once, as the snapshotter asks when it can
my @two = map { [$chunks->[$_]{from}, $chunks->[$_]{to}] } 1, 3;
my $a = $c->request('GET', $path, headers => [Range => 'bytes='
    . join(',', map { "$_->[0]-$_->[1]" } @two)]);
is($a->{status}, 206, 'two ranges in one request') or diag($a);
my ($boundary) = ($a->header('content-type') // '')
    =~ m{^multipart/byteranges; boundary=(\S+)$};
ok(defined $boundary, 'are multipart/byteranges');
my @parts = grep { length } split /\r\n--\Q$boundary\E(?:--)?\r\n/,
    $a->{body};
is(scalar @parts, 2, 'in two parts');
for my $i (0, 1) {
    my ($headers, $body) = split /\r\n\r\n/, $parts[$i], 2;
    like($headers, qr{^Content-Range: bytes $two[$i][0]-$two[$i][1]/}mi,
        "part $i: its range");
    is($body, substr($layer->{bytes}, $two[$i][0],
        $two[$i][1] - $two[$i][0] + 1), "part $i: its bytes");
}

fsck_ok($r, 'the tree is sound');
done_testing;
