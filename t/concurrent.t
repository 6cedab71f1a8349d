# A hundred clients push and pull small images at the same time.

use Test::Registry;
use Time::HiRes qw(time);

my $clients = 100;
my $r = Test::Registry->new(workers => 2);

my $begin = time();
my @results = in_parallel($clients, sub {
    my ($i) = @_;

    my $c = $r->connect;
    my $ask = sub {
        my ($status, $method, $path, %opt) = @_;
        my $answer = $c->request($method, $path, %opt);
        die "$method $path: $answer\n" if $answer->{status} != $status;
        return $answer;
    };

    # Ten repositories, one layer that all share, one of its own.
    my $repo = 'many/' . $i % 10;
    my $config = json({ client => $i });
    my @layers = (bytes('everybody', 50_000), bytes("client $i", 20_000));
    for my $bytes ($config, @layers) {
        my $location = $ask->(202, 'POST', "/v2/$repo/blobs/uploads/",
            body => '')->header('location');
        $location = $ask->(202, 'PATCH', $location, body => $bytes,
            chunked => 16_384)->header('location');
        $ask->(201, 'PUT', with_digest($location, sha256($bytes)), body => '');
    }

    my $manifest = json(image_manifest(config => $config,
        layers => \@layers));
    my $type = ['Content-Type' => $TYPE{oci}];
    for my $tag ("client-$i", 'latest') {
        $ask->(201, 'PUT', "/v2/$repo/manifests/$tag", body => $manifest,
            headers => $type);
    }

    my $back = $ask->(200, 'GET', "/v2/$repo/manifests/client-$i")->{body};
    die "another manifest\n" if $back ne $manifest;
    for my $bytes ($config, @layers) {
        my $digest = sha256($bytes);
        $ask->(200, 'HEAD', "/v2/$repo/blobs/$digest");
        my $body = $ask->(200, 'GET', "/v2/$repo/blobs/$digest")->{body};
        die "another blob\n" if $body ne $bytes;
    }

    # Everybody's tag is always one that somebody has pushed.
    my $latest = $ask->(200, 'GET', "/v2/$repo/manifests/latest");
    die "latest is torn\n" if sha256($latest->{body})
        ne $latest->header('docker-content-digest');
    $ask->(200, 'GET', "/v2/$repo/tags/list");
    return 'good';
});

my @bad = grep { ref } @results;
is(scalar(grep { $_ eq 'good' } @results), $clients,
    "$clients clients pushed and pulled an image each")
    or diag(join '', map { $_->{died} } @bad > 10 ? @bad[0 .. 9] : @bad);
note(sprintf '%.1f s', time() - $begin);

for my $i (0 .. 9) {
    my $tags = $r->request('GET', "/v2/many/$i/tags/list")->json->{tags};
    is_deeply($tags, [sort 'latest', map { "client-$_" }
        grep { $_ % 10 == $i } 0 .. $clients - 1],
        "many/$i has every tag");
}

is(scalar(grep { m{_uploads/.} } $r->tree->files), 0,
    'no session is left over');
is(scalar(grep { m{^_tmp/} } $r->tree->files), 0, 'nor a temporary file');

fsck_ok($r, 'the tree is sound');

done_testing;
