# The specification line by line: what refers to a manifest.

use Test::Registry;
use Test::Registry::Distribution;
use Test::Registry::Client;

use File::Basename qw(dirname);
use File::Path qw(make_path);

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });
my $ctl = $ENV{REGISTRY_CTL} // 'build/registryctl';
my $index_type = $TYPE{oci_index};

$r->push_blob('a', '{}');
$r->push_blob('a', '{}', digest => sha512sum('{}'));


# A manifest with a subject, which is given by its digest.

sub artifact {
    my ($subject, $type, %more) = @_;

    return json(image_manifest(more => {
        subject => { mediaType => $TYPE{oci}, digest => $subject,
            size => 100 },
        defined $type ? (artifactType => $type) : (),
        %more,
    }));
}

sub put {
    my ($bytes, $reference) = @_;

    return $r->request('PUT', '/v2/a/manifests/'
        . ($reference // sha256($bytes)), body => $bytes, headers =>
        ['Content-Type' => JSON::PP->new->decode($bytes)->{mediaType}]);
}

sub list {
    my ($subject, $query, $from) = @_;

    return ($from // $r)->request('GET', "/v2/a/referrers/$subject"
        . (length($query // '') ? "?$query" : ''));
}

sub listed { return @{ (list(@_)->json // {})->{manifests} // [] } }
sub digests { return [sort map { $_->{digest} } listed(@_)] }

sub rebuild {
    my ($root, @more) = @_;

    my ($status, $out) = $r->run($ctl, 'rebuild-index', '--root', $root,
        '--json', @more);
    my ($line) = $out =~ /^(\{.*\})$/m;
    return ($status, $line ? JSON::PP->new->decode($line) : {}, $out);
}


# ---- 70, 71, 77

for my $path ('/v2/a/referrers/' . sha256('none'),
    '/v2/none/referrers/' . sha256('none'),
    '/v2/a/referrers/' . sha512sum('none'))
{
    my $a = $r->request('GET', $path);
    is($a->{status}, 200, '70: 200 for what is unknown');
    is($a->header('content-type'), $index_type, '71: Content-Type');
    is_deeply($a->json, { schemaVersion => 2, mediaType => $index_type,
        manifests => [] }, '71: an empty index');
    like($a->{body}, qr/"manifests":\[\]/, '71: [] and not null');
}
error_is($r->request('GET', '/v2/a/referrers/sha256:junk'), 400,
    'DIGEST_INVALID', '77: bad syntax is 400');


# ---- 72, 73, 74

my $image = json(image_manifest());
my $subject = sha256($image);
my %annotations = ('org.example.a' => 'b', 'x' => "\x{e9}\n\"");

my $before = artifact($subject, 'application/x.sbom',
    annotations => \%annotations);
my $a = put($before, 'by-tag');
is($a->{status}, 201, '73: a referrer may come before its subject');
is($a->header('oci-subject'), $subject, '74: OCI-Subject, by tag');

put($image, 'v1');
my $plain = artifact($subject);
is(put($plain)->header('oci-subject'), $subject,
    '74: OCI-Subject, by digest');
is(put($image, 'v1')->header('oci-subject'), undef,
    '74: none without a subject');

my $child = artifact($subject, 'application/x.child');
put($child);
my $index = json(index_manifest(children => [{ bytes => $child,
    digest => sha256($child), type => $TYPE{oci} }], more => {
    subject => descriptor($TYPE{oci}, $image) }));
put($index);

my %entry = map { $_->{digest} => $_ } listed($subject);
is(scalar keys %entry, 4, '73: images, indexes and their children count');
is_deeply($entry{ sha256($before) }, { mediaType => $TYPE{oci},
    digest => sha256($before), size => length $before,
    artifactType => 'application/x.sbom', annotations => \%annotations },
    '72: the descriptor, with exactly its annotations');
is($entry{ sha256($plain) }{artifactType}, $TYPE{config},
    '72: an image without artifactType has its config\'s type');
is($entry{ sha256($index) }{mediaType}, $index_type, '72: an index');
ok(!exists $entry{ sha256($index) }{artifactType},
    '72: an index without artifactType has none');
put($before);
is(scalar listed($subject), 4, '72: a push again adds nothing');

my $missing = sha256('never pushed');
put(artifact($missing));
is(scalar listed($missing), 1, '73: the subject may be missing');


# ---- 75

$a = list($subject, 'artifactType=application%2Fx.sbom');
is_deeply([map { $_->{digest} } @{ $a->json->{manifests} }],
    [sha256($before)], '75: artifactType filters');
is($a->header('oci-filters-applied'), 'artifactType',
    '75: OCI-Filters-Applied');
for my $none ('application%2Fx.sbo', 'application%2Fx.sbom2', 'nothing') {
    $a = list($subject, "artifactType=$none");
    is_deeply($a->json->{manifests}, [], '75: only exact matches');
    is($a->header('oci-filters-applied'), 'artifactType', '75: and says so');
}
is(list($subject)->header('oci-filters-applied'), undef,
    '75: not without a filter');


# ---- 76: pages

sub pages {
    my ($subject, $query) = @_;

    my (@seen, @sizes);
    for (1 .. 100) {
        my $a = list($subject, $query);
        my @page = map { $_->{digest} } @{ $a->json->{manifests} };
        push @seen, @page;
        push @sizes, scalar @page;
        cmp_ok(length $a->{body}, '<', 4_000_000, '76: a page is below 4 MB');
        my $link = $a->header('link') // return (\@seen, \@sizes);
        ($query) = $link =~ m{^</v2/a/referrers/\Q$subject\E\?(\S+)>;
            \ rel="next"$}x or die "$link leads nowhere\n";
    }
    die "no last page\n";
}

my ($seen, $sizes) = pages($subject, 'n=3');
is_deeply($sizes, [3, 1], '76: n= entries and a Link to the rest');
is_deeply([sort @$seen], digests($subject), '76: all of them in the end');
put(artifact($subject, 'application/x.sbom', annotations => { n => "$_" }))
    for 1 .. 4;
($seen, $sizes) = pages($subject, 'artifactType=application%2Fx.sbom&n=2');
is_deeply($sizes, [2, 2, 1], '76: the link keeps the filter');


# ---- 77: sha512

my $long = sha512sum($image);
put(artifact($long, 'application/x.long'));
my $by_long = artifact($subject, 'application/x.by-long');
put($by_long, sha512sum($by_long));
is(scalar listed($long), 1, '77: the subject may be a sha512');
is_deeply(digests($subject, 'artifactType=application%2Fx.by-long'),
    [sha512sum($by_long)], '77: and so may the referrer');


# ---- 63: deletes

my $count = listed($subject);
$r->expect(202, 'DELETE', '/v2/a/manifests/' . sha256($plain));
is(scalar listed($subject), $count - 1,
    '63: a deleted referrer leaves the list');
$r->expect(202, 'DELETE', "/v2/a/manifests/$subject");
is($r->request('GET', '/v2/a/manifests/' . sha256($before))->{body}, $before,
    '63: deleting a subject leaves its referrers');
is(scalar listed($subject), $count - 1, '63: and their list');


# ---- registryctl rebuild-index

sub without_index {
    my ($registry) = @_;

    my $dir = $registry->path('repositories/a/_referrers');
    rename($dir, $registry->dir . '/referrers-' . rand) or die "$dir: $!\n";
}

my %was = map { $_ => digests($_) } $subject, $long, $missing;
without_index($r);
is(scalar listed($subject), 0, 'rebuild: without the index nothing is listed');
my ($status, $sum, $out) = rebuild($r->root);
is($status, 0, 'rebuild: exit status 0') or diag($out);
is_deeply(digests($_), $was{$_}, 'rebuild: the lists are what they were')
    for sort keys %was;
is($sum->{added}, 10, 'rebuild: it says how many lines it added')
    or diag($out);

($status, $sum) = rebuild($r->root);
is($sum->{added}, 0, 'rebuild: a second time adds nothing');

$r->expect(202, 'DELETE', '/v2/a/manifests/' . sha256($before));
($status, $sum) = rebuild($r->root, 'a');
is($sum->{dropped}, 0, 'rebuild: what was just written to is left alone');
my $file = $r->path('repositories/a/_referrers/' . $subject =~ s{:}{/}r);
utime(time - 3600, time - 3600, $file) or die "$file: $!\n";
($status, $sum) = rebuild($r->root, 'a');
is($sum->{dropped}, 1, 'rebuild: lines of what is gone are dropped');
unlike($r->tree->content($file), qr/${\ sha256($before)}/,
    'rebuild: from the file');

my ($victim) = map { $_->{digest} } listed($subject);
my $blob = $r->tree->blob($victim);
my $content = $r->tree->content($blob);
write_file($blob, 'damaged');
($status, $sum, $out) = rebuild($r->root, 'a');
is($status, 1, 'rebuild: exit status 1 for a damaged manifest');
is($sum->{unreadable}, 1, 'rebuild: which is counted');
like($out, qr/a\@\Q$victim\E: .*\Q$blob\E/,
    'rebuild: and named, with repository and file');
write_file($blob, $content);

($status, $sum, $out) = rebuild($r->root, 'no/such');
is($status, 1, 'rebuild: exit status 1 for an unknown repository');
like($out, qr{no/such: }, 'rebuild: which is named');
for my $case ([2], [2, 'nonsense'], [2, 'rebuild-index', '--nonsense'],
    [0, '--help'], [0, 'rebuild-index', '--help'],
    [1, 'rebuild-index', '--root', '/no/such/tree'])
{
    my ($want, @arguments) = @$case;
    is(($r->run($ctl, @arguments))[0], $want,
        "registryctl @arguments: exit status $want");
}
ok(!-e '/no/such/tree', 'rebuild: a tree that is not there is not made');


# ---- rebuild-index while others push

my $busy = sha256('busy');
my @results = in_parallel(3, sub {
    my ($i) = @_;

    return [map { (rebuild($r->root, 'a'))[0] } 1 .. 5] if $i == 0;
    return [map { put(artifact($busy, undef, annotations => {
        by => "$i/$_" }))->{status} } 1 .. 30];
});
is_deeply($results[0], [(0) x 5], 'rebuild: while others push');
is_deeply([@results[1, 2]], [([(201) x 30]) x 2], 'rebuild: who succeed');
is(scalar listed($busy), 60, 'rebuild: and nothing is lost or doubled');


# ---- the list is written before the manifest that it names: a crash between the
#      two leaves a line that is passed over, and no manifest that nobody finds

{
    my $registry = Test::Registry->new;
    my $image = $registry->push_image('a', 'v1');
    my $subject = { mediaType => $image->{type}, digest => $image->{digest},
        size => length $image->{bytes} };
    my $of = sub {
        my $body = json(image_manifest(more => { subject => $subject,
            annotations => { n => $_[0] } }));
        return ($registry->request('PUT', '/v2/a/manifests/' . sha256($body),
            headers => ['Content-Type' => $TYPE{oci}], body => $body),
            sha256($body));
    };
    my $listed = sub { join ' ', map { $_->{digest} } @{ $registry->request('GET',
        "/v2/a/referrers/$image->{digest}")->json->{manifests} } };
    my $list = $registry->path("repositories/a/_referrers/"
        . $image->{digest} =~ s{:}{/}r);
    $registry->push_blob('a', '{}');
    my ($answer, $first) = $of->(1);
    is($answer->{status}, 201, 'a referrer');

    # no manifest can be put in place: as a crash before that
    my $revisions = $registry->path('repositories/a/_manifests/revisions');
    rename "$revisions/sha256", "$revisions/away" or die $!;
    write_file("$revisions/sha256", '');
    my $second;
    ($answer, $second) = $of->(2);
    like($answer->{status}, qr/^50[03]$/, 'one that cannot be stored');
    unlink "$revisions/sha256" or die $!;
    rename "$revisions/away", "$revisions/sha256" or die $!;
    like($registry->tree->content($list), qr/\Q$second\E/, 'was listed before');
    is($listed->(), $first, 'which nobody sees');
    is(($of->(2))[0]{status}, 201, 'it can be pushed again');
    is($listed->(), join(' ', sort $first, $second), 'and is listed then');

    # no list can be written
    rename $list, "$list.away" or die $!;
    mkdir $list or die $!;
    write_file("$list/x", '');
    my $third;
    ($answer, $third) = $of->(3);
    like($answer->{status}, qr/^50[03]$/, 'one that cannot be listed');
    is($registry->request('GET', "/v2/a/manifests/$third")->{status}, 404,
        'is not stored');
}


# ---- 76: 10 000 referrers of one subject

sub place {
    my ($path, $content) = @_;

    make_path(dirname($path));
    write_file($path, $content);
}

my $many = sha256('ten thousand');
for my $i (1 .. 10_000) {
    my $bytes = artifact($many, $i % 100 ? 'application/x.many'
        : 'application/x.few', annotations => { number => "$i" });
    my $digest = sha256($bytes);
    place($r->tree->blob($digest), $bytes);
    place($r->tree->revision('a', $digest), $digest);
}
my $start = time;
($status, $sum, $out) = rebuild($r->root, 'a');
is($sum->{added}, 10_000, '76: 10 000 referrers are indexed') or diag($out);
note('rebuilt in ', time - $start, ' s');

($seen, $sizes) = pages($many, 'n=1000');
is_deeply($sizes, [(1000) x 10], '76: in pages of 1000');
my %seen = map { $_ => 1 } @$seen;
is(scalar keys %seen, 10_000, '76: each of them once');
($seen) = pages($many, '');
is(scalar @$seen, 10_000, '76: and in pages of our own size');
is(scalar listed($many, 'artifactType=application%2Fx.few'), 100,
    '76: and filtered');


# Opens of the worker while code runs.

sub opens {
    my ($code) = @_;

    my $trace = $r->dir . '/opens';
    unlink $trace;
    my @pids = $r->worker_pids;
    my $strace = $r->start_beside('strace', '-f', '-qq', '-e',
        'trace=open,openat', '-o', $trace, map { ('-p', $_) } @pids);
    wait_until(10, sub {
        !grep { (Test::Registry::Tree->content($_) // '')
            =~ /^TracerPid:\t0$/m }
            map { glob "/proc/$_/task/*/status" } @pids;
    }) or die "strace does not attach\n";
    $code->();
    kill 'INT', $strace;
    wait_until(10, sub { !kill(0, $strace) || waitpid($strace, 1) });
    return scalar(() = $r->tree->content($trace) =~ /^\d+ +open/mg);
}

for my $query ('', 'n=100', 'artifactType=application%2Fx.few') {
    my $n;
    my $opens = opens(sub { $n = listed($many, $query) });
    # some of them by the worker's own chores
    cmp_ok($opens, '<', 60, "76: a page of $n is read with $opens opens,"
        . " not 10 000 ('$query')");
}


# ---- 78: the fallback tag

my $peer = Test::Registry::Distribution->new($r->dir,
    my $theirs = $r->dir . '/theirs');
my $client = Test::Registry::Client->new($peer->address);
$client->push_blob('a', '{}');
my $old = json(image_manifest(more => { annotations => { old => 1 . '' } }));
my $old_digest = sha256($old);
$client->push_manifest('a', 'v1', $old);
my @artifacts = map { artifact($old_digest, "application/x.$_") } 1 .. 3;
$client->push_manifest('a', sha256($_), $_) for @artifacts;
my $fallback = json(index_manifest(children => [map { {
    bytes => $_, digest => sha256($_), type => $TYPE{oci} } }
    @artifacts[0, 1]]));
$client->push_manifest('a', $old_digest =~ s/:/-/r, $fallback);
$peer->stop;

my $ours = Test::Registry->new(root => $theirs);
($status, $sum, $out) = rebuild($theirs);
is($status, 0, 'rebuild: on a tree that Distribution wrote') or diag($out);
is_deeply(digests($old_digest, '', $ours),
    [sort map { sha256($_) } @artifacts],
    '78: what an older client listed under a tag is found, and what is not');
is($ours->request('GET', '/v2/a/manifests/' . $old_digest =~ s/:/-/r)
    ->{body}, $fallback, '78: the tag stays');
without_index($ours);
rebuild($theirs);
is_deeply(digests($old_digest, '', $ours),
    [sort map { sha256($_) } @artifacts], 'rebuild: from the manifests alone');

done_testing;
