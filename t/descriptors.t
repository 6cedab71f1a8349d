# A process that has run out of descriptors says so (SECURITY.md F5).  It never
# takes what it could not look at for something that is not there: an answer is
# right, or an error, and all is well again when there are some.

use Test::Registry;

my $r = Test::Registry->new(worker => { threads => 1, processes => 1 });
$r->expect_log(qr/Too many open files/);

my ($worker) = $r->worker_pids;
my ($nginx)  = $r->nginx_workers;


# Leaves a process so many descriptors while it is asked.

sub leaving {
    my ($pid, $free, $ask) = @_;

    my %taken = map { m{(\d+)\z} => 1 } glob "/proc/$pid/fd/*";
    my $limit = 0;
    for (my $left = $free; $taken{$limit} || $left-- > 0; $limit++) { }
    my ($soft) = `prlimit --noheadings --raw --output SOFT --nofile --pid $pid`
        =~ /^(\d+)/ or die "prlimit: no limit\n";

    limit($pid, $limit);
    my $answer = $ask->();
    limit($pid, $soft);

    return $answer;
}

sub limit {
    my ($pid, $soft) = @_;

    system('prlimit', '--pid', $pid, "--nofile=$soft:") == 0
        or die "prlimit failed\n";
}

# Asks with ever more descriptors; whatever is answered with a success is right.

sub right_or_error_ok {
    my ($title, $pid, $ask, $right) = @_;

    my ($n, @wrong) = (0);
    for my $free (0 .. 12) {
        my $answer = leaving($pid, $free, $ask);
        $n++ if $answer->{status} < 300;
        push @wrong, "$free free: $answer"
            if $answer->{status} < 300 ? !$right->($answer)
                                       : $answer->{status} < 500;
    }
    ok(!@wrong, $title) or diag(join "\n", @wrong);
    cmp_ok($n, '>', 0, 'which succeeds in the end');
}

# One connection, so that none has to be accepted.

my $c = $r->connect;

sub ask {
    my ($method, $path, @opt) = @_;

    return $c->request($method, $path, @opt);
}

my $image = $r->push_image('full', 'v1');
$r->push_manifest('full', "v$_", $image->{bytes}) for 2 .. 4;
my $referrer = json(image_manifest(config => json({ architecture => 'amd64',
    seed => 'v1' }), more => { subject => { mediaType => $TYPE{oci},
    digest => $image->{digest}, size => length $image->{bytes} } }));
$r->push_manifest('full', sha256($referrer), $referrer);
$r->push_image('other', 'v1');

for my $path ('full/tags/list', '_catalog', "full/referrers/$image->{digest}") {
    my $whole = ask('GET', "/v2/$path")->{body};
    ask('GET', "/v2/$path");
    right_or_error_ok("/v2/$path", $worker, sub { ask('GET', "/v2/$path") },
        sub { $_[0]{body} eq $whole });
}

for my $what ("manifests/v1", "manifests/$image->{digest}") {
    right_or_error_ok($what, $worker, sub { ask('GET', "/v2/full/$what") },
        sub { $_[0]{body} eq $image->{bytes} });
}

# A delete that is answered has removed all that it should, and nothing else.

my $n = 0;
for my $free (0 .. 12) {
    $n++;
    my $kept = $r->push_image("gone/$n", 'kept');
    my $bytes = json(image_manifest(config => json({ architecture => 'amd64',
        seed => 'kept' }), more => { annotations => { n => "$n" } }));
    $r->push_manifest("gone/$n", $_, $bytes) for qw(a b c);
    ask('GET', "/v2/gone/$n/tags/list") for 1, 2;
    my $answer = leaving($worker, $free, sub {
        ask('DELETE', "/v2/gone/$n/manifests/" . sha256($bytes)) });
    if ($answer->{status} == 202) {
        is(json($r->request('GET', "/v2/gone/$n/tags/list")->json->{tags}),
            '["kept"]', "$free free: a manifest goes with its tags");
    } else {
        like($answer->{status}, qr/^5/, "$free free: it says that it cannot");
    }
    like($r->request('GET', '/v2/_catalog')->{body}, qr{"gone/$n"},
        'and the repository stays in the catalog');
}


# ---- nginx

my $blob = $image->{blobs}[0];
my $bytes = ask('GET', "/v2/full/blobs/$blob")->{body};
for my $method (qw(GET HEAD)) {
    right_or_error_ok("$method of a blob", $nginx,
        sub { ask($method, "/v2/full/blobs/$blob") },
        sub { $_[0]->header('docker-content-digest') eq $blob
            && ($method eq 'HEAD' || $_[0]{body} eq $bytes) });
}

$n = 0;
right_or_error_ok('a blob in a single POST', $nginx, sub {
    $n++;
    return ask('POST', '/v2/single/blobs/uploads/?digest=' . sha256("$n"),
        body => "$n");
}, sub { ask('GET', '/v2/single/blobs/' . sha256("$n"))->{body} eq "$n" });

my @sessions = map { $r->start_upload('parts') } 0 .. 12;
my $location;
right_or_error_ok('PATCH', $nginx, sub {
    $location = shift @sessions;
    return ask('PATCH', $location, body => $bytes);
}, sub { $r->request('GET', $location)->header('range')
    eq '0-' . (length($bytes) - 1) });

for (0 .. 12) {
    push @sessions, $r->start_upload('parts');
    $r->expect(202, 'PATCH', $sessions[-1], body => $bytes);
}
right_or_error_ok('PUT', $nginx,
    sub { ask('PUT', with_digest(shift @sessions, $blob), body => '') },
    sub { ask('GET', "/v2/parts/blobs/$blob")->{body} eq $bytes });

fsck_ok($r, 'the tree is sound');

done_testing;
