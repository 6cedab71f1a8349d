#!/usr/bin/perl

# crane, oras and helm, where Go and a module proxy are there to build them.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Estargz;
use Test::Registry::Process qw(run runs_ok scratch);

my %module = (
    crane => 'github.com/google/go-containerregistry/cmd/crane@v0.20.6',
    oras  => 'oras.land/oras/cmd/oras@v1.2.3',
    helm  => 'helm.sh/helm/v3/cmd/helm@v3.17.3',
);

# kept from run to run, beside the conformance suite
my $bin = ($ENV{CONFORMANCE_DIR} // "$FindBin::Bin/../../build/conformance")
    . '/clients';


# The path of a program of this version, or undef.

sub built {
    my ($name) = @_;

    my ($version) = $module{$name} =~ /\@(.+)/;
    my $dir = "$bin/$name-$version";
    return "$dir/$name" if -x "$dir/$name";

    system('sh', '-c', 'command -v go > /dev/null && mkdir -p "$0"'
        . ' && cd / && GOBIN=$0 GOFLAGS= timeout 900 go install "$1"'
        . ' > "$0/install.log" 2>&1', $dir, $module{$name});
    return -x "$dir/$name" ? "$dir/$name" : undef;
}

my %tool = map { $_ => built($_) } sort keys %module;
if (my @missing = grep { !$tool{$_} } sort keys %tool) {
    diag("not tested, for want of Go or of a module proxy: @missing");
    plan(skip_all => 'no Go, or no module proxy')
        if @missing == keys %tool;
}

my $dir     = scratch();
my $r       = Test::Registry->new(workers => 2, worker => { processes => 2 });
my $address = '127.0.0.1:' . $r->port;
my $client  = Test::Registry::Client->new($address);
my @env     = ('env', '-C', $dir, "HOME=$dir");

my $image = $r->push_image('app', 'v1', layers => [bytes('layer', 50_000)]);
my $other = $r->push_image('app', undef, config => json({ arch => 'other' }));
my $index = json(index_manifest(children => [
    { %$image, platform => { os => 'linux', architecture => 'amd64' } },
    { %$other, platform => { os => 'linux', architecture => 'arm64' } },
]));
$r->push_manifest('app', 'multi', $index);


# ---- crane

SKIP: {
    my $crane = $tool{crane} or skip('no crane', 1);
    my @crane = (@env, $crane, '--insecure');
    my $app = "$address/app";

    like(runs_ok('crane digest', @crane, 'digest', "$app:v1"),
        qr/^\Q$image->{digest}\E$/m, 'is the digest');
    is(runs_ok('crane manifest', @crane, 'manifest', "$app:multi"), $index,
        'is the manifest');
    runs_ok('crane copy', @crane, 'copy', "$app:multi", "$address/copy:m");
    is($client->resolve('copy', 'm'), sha256($index), 'keeps the digest');
    is_deeply([$client->faults('copy', 'm')], [], 'and all that it names');
    runs_ok('crane tag', @crane, 'tag', "$address/copy:m", 'n');
    is_deeply([sort split /\n/, runs_ok('crane ls', @crane, 'ls',
        "$address/copy")], ['m', 'n'], 'lists the tags');
    like(runs_ok('crane catalog', @crane, 'catalog', $address),
        qr/^copy$/m, 'lists the repositories');

    runs_ok('crane append', @crane, 'append', '-f', tarball(), '-t',
        "$address/made:1", '--oci-empty-base');
    is_deeply([$client->faults('made', '1')], [], 'what it made is sound');
    runs_ok('crane validate', @crane, 'validate', '--remote',
        "$address/made:1");
    runs_ok('crane append, eStargz', 'env', 'GGCR_EXPERIMENT_ESTARGZ=1',
        @crane, 'append', '-f', "$dir/layer.tar", '-t', "$address/lazy:1",
        '--oci-empty-base');
    my ($layer) = @{ decode_json($client->manifest('lazy', '1')->{content})
        ->{layers} };
    my ($toc, $chunks) = Test::Registry::Estargz::contents($layer->{size},
        sub { return $r->request('GET', "/v2/lazy/blobs/$layer->{digest}",
            headers => [Range => "bytes=$_[0]-$_[1]"])->{body} });
    is(sha256($toc), $layer->{annotations}{
        'containerd.io/snapshot/stargz/toc.digest'}, 'its table of contents');
    my ($content) = grep { $_->{name} eq 'content' } @$chunks;
    is($content->{bytes}, 'content of a layer', 'a file of it, by ranges');
    is(sha256($content->{bytes}), $content->{digest}, 'its digest verifies');

    runs_ok('crane pull', @crane, 'pull', '--format=oci', "$app:multi",
        "$dir/pulled");
    runs_ok('crane push', @crane, 'push', "$dir/pulled",
        "$address/pushed:1", '--index');
    is_deeply([$client->faults('pushed', '1')], [], 'is sound');
    runs_ok('crane delete', @crane, 'delete', "$address/copy:n");
    is_deeply([$client->tags('copy')], ['m'], 'the tag is gone');
}

sub tarball {
    write_file("$dir/content", 'content of a layer');
    runs_ok('a tarball is made', 'tar', '-C', $dir, '-cf', "$dir/layer.tar",
        'content');
    return "$dir/layer.tar";
}


# ---- oras

SKIP: {
    my $oras = $tool{oras} or skip('no oras', 1);
    my @oras = (@env, $oras);
    my $name = "$address/artifact:v1";

    write_file("$dir/hello.txt", "hello\n");
    write_file("$dir/sbom.json", '{}');
    runs_ok('oras push', @oras, 'push', '--plain-http', $name,
        '--artifact-type', 'application/vnd.test', 'hello.txt:text/plain');
    runs_ok('oras attach', @oras, 'attach', '--plain-http', $name,
        '--artifact-type', 'application/vnd.test.sbom',
        'sbom.json:application/json');

    my $digest = $client->resolve('artifact', 'v1');
    my $found = decode_json($r->request('GET',
        "/v2/artifact/referrers/$digest")->{body})->{manifests};
    is($found->[0]{artifactType}, 'application/vnd.test.sbom',
        'is a referrer');
    is_deeply([$client->tags('artifact')], ['v1'], 'and no fallback tag');
    like(runs_ok('oras discover', @oras, 'discover', '--plain-http', $name),
        qr/\Q$found->[0]{digest}\E/, 'finds it');

    runs_ok('oras pull', @oras, 'pull', '--plain-http', '-o', "$dir/out",
        $name);
    is($r->tree->content("$dir/out/hello.txt"), "hello\n", 'the file');
    runs_ok('oras copy -r', @oras, 'copy', '--from-plain-http',
        '--to-plain-http', '-r', $name, "$address/moved:v1");
    is(scalar @{ decode_json($r->request('GET',
        "/v2/moved/referrers/$digest")->{body})->{manifests} }, 1,
        'takes the referrers along');
    runs_ok('oras manifest delete', @oras, 'manifest', 'delete',
        '--plain-http', '--force', "$address/artifact\@$found->[0]{digest}");
}


# ---- helm

SKIP: {
    my $helm = $tool{helm} or skip('no helm', 1);
    my @helm = (@env, $helm);

    runs_ok('helm create', @helm, 'create', 'chart');
    runs_ok('helm package', @helm, 'package', 'chart', '--version', '1.2.3');
    runs_ok('helm push', @helm, 'push', '--plain-http', 'chart-1.2.3.tgz',
        "oci://$address/charts");
    is_deeply([$client->faults('charts/chart', '1.2.3')], [], 'is sound');
    like(runs_ok('helm show chart', @helm, 'show', 'chart', '--plain-http',
        "oci://$address/charts/chart", '--version', '1.2.3'),
        qr/^version: 1\.2\.3$/m, 'reads it');
    runs_ok('helm pull', @helm, 'pull', '--plain-http', '-d', "$dir/charts",
        "oci://$address/charts/chart", '--version', '1.2.3')
        if mkdir "$dir/charts";
    is(sha256($r->tree->content("$dir/charts/chart-1.2.3.tgz")),
        sha256($r->tree->content("$dir/chart-1.2.3.tgz")),
        'the chart comes back as it went');
}

fsck_ok($r, 'the tree is sound');
done_testing;
