# Manifests in memory: no more than nginx_registry.manifest_cache of them, what
# was not asked for longest goes first, and whatever goes, what is served is what
# is on disk.

use Test::Registry;

use Cwd qw(getcwd);

my $location = 'location = /metrics { include ' . getcwd()
    . '/conf/registry_params; fastcgi_pass registry; }';

sub registry {
    my ($size, %worker) = @_;

    return Test::Registry->new(server => $location,
        worker => { manifest_cache => $size, %worker },
        config => "http: {debug: {prometheus: {enabled: true}}}\n");
}

# How many of those that are asked for one after the other are in memory.

sub hits {
    my ($r, @images) = @_;

    my $count = sub {
        $r->request('GET', '/metrics')->{body}
            =~ /^registry_manifest_cache_total\{result="hit"\} (\d+)$/m;
        return $1;
    };
    my $before = $count->();
    my @wrong = grep { $r->request('GET', "/v2/a/manifests/$_->{digest}")
        ->{body} ne $_->{bytes} } @images;
    is(scalar @wrong, 0, 'all are what was pushed') or diag(scalar @wrong);

    return $count->() - $before;
}

# Each of some 3 KiB.

sub images {
    my ($r, $n) = @_;

    $r->push_blob('a', '{}');
    return map {
        my $bytes = json(image_manifest(config => '{}', more => {
            annotations => { n => $_, x => 'x' x 3000 } }));
        $r->push_manifest('a', "v$_", $bytes);
        +{ bytes => $bytes, digest => sha256($bytes) };
    } 1 .. $n;
}


my $r = registry('40k');
my @images = images($r, 60);

is(hits($r, @images), 0, 'what was pushed is read once');
is(hits($r, @images), 0, 'sixty do not fit: each pushes out who comes next');
is(hits($r, (@images[0 .. 4]) x 3), 10, 'five do');
is(hits($r, map { (@images[0 .. 4], $images[$_]) } 5 .. 30), 130,
    'what is asked for stays while others pass');

my @results = in_parallel(8, sub {
    my ($i) = @_;
    for (1 .. 150) {
        my $image = $images[($_ * 7 + $i) % 12];
        my $answer = $r->request('GET', "/v2/a/manifests/$image->{digest}");
        return "$answer" if $answer->{body} ne $image->{bytes};
    }
    return 'good';
});
is_deeply(\@results, [('good') x 8], 'by many at a time as well');

for my $size ('0', '2k') {
    my $none = registry($size);
    my @few = images($none, 3);
    is(hits($none, (@few) x 3), 0, "$size holds none of them");
}

done_testing;
