# Manifests made to hurt (SECURITY.md S5): refused with the specification's
# code, and the worker's memory stays where it was.

use Test::Registry;

my $r = Test::Registry->new;
$r->push_blob('a', '{}');

my $limit = 4 * 1024 * 1024;
my $good  = json(image_manifest(config => '{}'));
my $config = json(descriptor($TYPE{config}, '{}'));


sub image_with {
    my ($more) = @_;
    return qq({"schemaVersion":2,"mediaType":"$TYPE{oci}","config":$config,)
        . qq("layers":[]$more});
}

sub layer_with {
    my (%field) = @_;
    my %layer = (mediaType => qq("$TYPE{layer}"),
        digest => '"' . sha256('{}') . '"', size => 2, %field);
    return qq({"schemaVersion":2,"mediaType":"$TYPE{oci}","config":$config,)
        . '"layers":[{' . join(',', map { qq("$_":$layer{$_}) }
            sort keys %layer) . '}]}';
}

my $deep = 1_000_000;
my @hostile = (
    ['a depth bomb of lists',    '[' x 2_000_000 . ']' x 2_000_000],
    ['a depth bomb of objects',  '{"a":' x $deep . '1' . '}' x 100_000],
    ['a depth bomb inside',
        image_with(',"x":' . '[' x $deep . ']' x $deep)],
    ['a depth bomb cut short',   '[' x ($limit - 1)],
    ['300,000 keys',             image_with(join '', map { qq(,"k$_":0) }
        1 .. 300_000)],
    ['two million values',       image_with(',"x":[' . '0,' x 2_000_000
        . '0]')],
    ['duplicate keys',           image_with(qq(,"layers":[]))],
    ['a duplicate schemaVersion', image_with(',"schemaVersion":2')],
    ['invalid UTF-8',            image_with(qq(,"x":"\xff\xfe"))],
    ['overlong UTF-8',           image_with(qq(,"x":"\xc0\xaf"))],
    ['a lone surrogate',         image_with(',"x":"\ud800"')],
    ['a NUL byte',               image_with(qq(,"x":"\0"))],
    ['layers and manifests',     image_with(',"manifests":[]')],
    ['manifests and layers',     qq({"schemaVersion":2,"mediaType":)
        . qq("$TYPE{oci}","config":$config,"manifests":[],"layers":[]})],
    ['a negative size',          layer_with(size => -1)],
    ['a size of 2^63',           layer_with(size => '9223372036854775808')],
    ['a size of 2^64',           layer_with(size => '18446744073709551616')],
    ['a size of 10^400',         layer_with(size => '1' . '0' x 400)],
    ['a size of 1e3000',         layer_with(size => '1e3000')],
    ['a size with a fraction',   layer_with(size => '2.5')],
    ['a size in quotes',         layer_with(size => '"2"')],
    ['a size that is null',      layer_with(size => 'null')],
    ['a digest of md5',          layer_with(digest => '"md5:'
        . '0' x 32 . '"')],
    ['a digest in upper case',   layer_with(digest => '"sha256:'
        . 'A' x 64 . '"')],
    ['a digest that is a path',  layer_with(digest => '"sha256:../../../x"')],
    ['a digest that is a list',  layer_with(digest => '[]')],
    ['a digest with a NUL',      layer_with(digest => '"sha256:'
        . 'a' x 64 . '\u0000"')],
    ['an empty digest',          layer_with(digest => '""')],
    ['layers that is an object', $good =~ s/"layers":\[\]/"layers":{}/r],
    ['layers that holds a number', $good =~ s/"layers":\[\]/"layers":[1]/r],
    ['config that is a list',    $good =~ s/"config":\{[^}]*\}/"config":[]/r],
    ['a subject that is a string', image_with(',"subject":"x"')],
    ['a subject without digest', image_with(',"subject":{}')],
    ['schemaVersion in quotes',  $good =~ s/(Version":)2/$1"2"/r],
    ['schemaVersion 2.5',        $good =~ s/(Version":)2/${1}2.5/r],
    ['a second document after it', "$good$good"],
    ['a byte order mark',        "\xef\xbb\xbf$good"],
    ['not ended',                substr($good, 0, -1)],
    ['a comment',                "/* */$good"],
);

my $process = ($r->worker_pids)[0];

sub all_refused {
    my ($round) = @_;

    my @odd;
    for my $case (@hostile) {
        my ($title, $body) = @$case;
        my $answer = $r->request('PUT', '/v2/a/manifests/hostile',
            body => $body, headers => ['Content-Type' => $TYPE{oci}]);
        my $size = length $body > $limit;

        push @odd, "$title: $answer"
            if $answer->{status} != ($size ? 413 : 400)
            || $answer->code !~ ($size ? qr/^SIZE_INVALID$/
                : qr/^(?:MANIFEST_INVALID|SIZE_INVALID|DIGEST_INVALID)$/);
        ok(!@odd || $odd[-1] !~ /^\Q$title:/, "refused: $title")
            or diag($odd[-1]) if $round == 1;
    }

    return scalar @odd;
}

my $before = rss($process);
all_refused(1);
my $first = rss($process);
is(all_refused($_), 0, "all again, round $_") for 2 .. 4;
my $after = rss($process);

# Many at a time: each thread meets the worst.
my @worst = grep { length $_->[1] > 1_000_000 } @hostile;
for (1 .. 3) {
    my @statuses = in_parallel(16, sub {
        my $case = $worst[$_[0] % @worst];
        return $r->request('PUT', '/v2/a/manifests/hostile',
            body => $case->[1], headers => ['Content-Type' => $TYPE{oci}])
            ->{status};
    });
    is(scalar(grep { !/^4(?:00|13)$/ } @statuses), 0,
        'sixteen at a time are refused') or diag("@statuses");
}
my $crowd = rss($process);

note(sprintf 'worker, KiB: %d before, %d after each once, %d after four'
    . ' rounds, %d after crowds, %d at most', $before, $first, $after, $crowd,
    rss_peak($process));

SKIP: {
    skip 'memory is not bounded under a sanitizer', 2 if sanitized();

    cmp_ok($after - $first, '<', 4096,
        "more rounds cost no memory: $first to $after KiB");
    cmp_ok($crowd - $before, '<', 65_536,
        "crowds leave no mountain behind: $before to $crowd KiB");
}

is($r->worker_pid && ($r->worker_pids)[0], $process, 'it is the same process');
is($r->request('HEAD', '/v2/a/manifests/hostile')->{status}, 404,
    'nothing was tagged');


# ---- harmless, though it looks odd

for my $case (
    ['size of 2^63 - 1 of a foreign layer', layer_with(
        size => '9223372036854775807', digest => '"' . sha256('far') . '"',
        mediaType => '"application/vnd.oci.image.layer.nondistributable'
            . '.v1.tar"')],
    ['escaped text',       image_with(',"annotations":{"a":"\u00e9\r\n"}')],
    ['thousands of keys',  image_with(join '', map { qq(,"k$_":0) }
        1 .. 5000)],
    ['some depth',         image_with(',"x":' . '[' x 20 . ']' x 20)],
)
{
    my ($title, $body) = @$case;
    my $answer = $r->request('PUT', '/v2/a/manifests/harmless', body => $body,
        headers => ['Content-Type' => $TYPE{oci}]);
    is($answer->{status}, 201, "accepted: $title") or diag($answer);
}



# ---- good, and as costly as they may be: one of them is parsed at a time

sub costly {
    my ($manifest, $n) = @_;

    return json({ %$manifest, n => $n, x => [(0) x 262_000] });
}

my %costly = map {
    my $n = $_;
    ("image$n" => costly(image_manifest(config => '{}'), $n),
        "index$n" => costly(index_manifest(), $n));
} 0 .. 7;

sub none_beside_ok {
    my ($title, $status, $ask) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    write_file("/proc/$process/clear_refs", '5');        # the peak is now
    my $begin = rss($process);
    my @statuses = in_parallel(8, sub { $ask->(@_)->{status} });
    my $more = rss_peak($process) - $begin;

    is("@statuses", join(' ', ($status) x 8), "eight at a time: $title");
    SKIP: {
        skip 'memory is not bounded under a sanitizer', 1 if sanitized();
        cmp_ok($more, '<', 24_576, 'cost the memory of one');
    }
}

for my $kind ('image', 'index') {
    none_beside_ok("an $kind is pushed", 201, sub {
        $r->request('PUT', "/v2/a/manifests/$kind$_[0]",
            body => $costly{"$kind$_[0]"}, headers => ['Content-Type' =>
                $TYPE{ $kind eq 'image' ? 'oci' : 'oci_index' }]);
    });
}
none_beside_ok('images are pulled', 200, sub {
    $r->request('GET', "/v2/a/manifests/image$_[0]");
});
for my $round (1, 2) {
    none_beside_ok("an image is looked for in indexes, round $round", 404, sub {
        $r->request('GET', '/v2/a/manifests/index' . ($round == 1 ? $_[0] : 0),
            headers => [Accept => $TYPE{oci}]);
    });
}

fsck_ok($r, 'the tree is sound');

done_testing;
