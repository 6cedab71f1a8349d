# The journal of manifests (src/reg_journal.h) between several workers of one
# tree, and whatever may lie where its files are.

use Test::Registry;

my $r = Test::Registry->new(worker => { processes => 2 });

my $blob = $r->push_blob('app', '{}');
my $n = 0;

# A manifest that is like no other; its digest.

sub push_tag {
    my ($registry, $tag) = @_;

    return $registry->push_manifest('app', $tag, json(image_manifest(
        more => { annotations => { n => ++$n . " $tag" } })));
}

sub untag {
    my ($registry, $tag) = @_;

    $registry->expect(202, 'DELETE', "/v2/app/manifests/$tag");
}

sub digest_of {
    my ($registry, $tag) = @_;

    my $answer = $registry->request('GET', "/v2/app/manifests/$tag");
    return $answer->{status} == 200 ? sha256($answer->{body})
        : $answer->{status};
}


# ---- one worker with a journal, one that would have none -----------------------

my $other = Test::Registry->new(root => $r->root,
    worker => { processes => 2, journal => 'false' });

like($other->log_of_worker, qr/journal: others work on this tree with \S+: true/,
    'who comes second goes with the first');

# A crash of the first, with the second alive, and of both.
for my $end ([$r], [$other, $r]) {
    my $who = @$end . ' of 2 killed';

    push_tag($r, 'removed');
    push_tag($r, 'moved');
    untag($other, 'removed');
    my $last = push_tag($other, 'moved');
    $_->kill_worker for @$end;
    $_->start_worker for reverse @$end;

    is(digest_of($r, 'removed'), 404, "$who: what was deleted stays away");
    is(digest_of($r, 'moved'), $last, "$who: what was pushed last is there");
}

# In the other order.
$_->stop_worker for $r, $other;
$other->start_worker;
is($other->request('GET', '/v2/')->{status}, 200, 'one without is first');
$r->start_worker;
is($r->request('GET', '/v2/')->{status}, 200, 'then one with a journal');
like($r->log_of_worker, qr/journal: others work on this tree with \S+: false/,
    'it is the first who decides');
push_tag($r, 'removed');
untag($other, 'removed');
my $last = push_tag($r, 'moved');
$r->crash_worker;
is(digest_of($other, 'removed'), 404, 'without one, what was deleted is gone');
is(digest_of($r, 'moved'), $last, 'and what was pushed is there');
unlike($r->log_of_worker =~ s/.*others work on[^\n]*: false//sr,
    qr/put in place again/, 'nothing was done again');
$other->stop_worker;

# A reload: workers of both kinds live for a moment.
$r->restart_worker;
$r->{opt}{worker}{journal} = 'false';
$r->write_config;
my @old = $r->worker_pids;
push_tag($r, 'removed');
kill 'HUP', $r->worker_pid;
wait_until(20, sub {
    my %old = map { $_ => 1 } @old;
    return 2 == grep { !$old{$_} } $r->worker_pids;
}) or fail('no new workers');
untag($r, 'removed');
$last = push_tag($r, 'moved');
$r->crash_worker;
is(digest_of($r, 'removed'), 404, 'reloaded: what was deleted stays away');
is(digest_of($r, 'moved'), $last, 'reloaded: what was pushed is there');



# ---- a repository that was emptied ---------------------------------------------

$r->{opt}{worker}{journal} = 'true';
$r->write_config;
$r->restart_worker;

# What is said of a repository, by the lists and by its own.

sub seen {
    my ($repo) = @_;

    my $catalog = $r->request('GET', '/v2/_catalog?n=1000');
    my $tags = $r->request('GET', "/v2/$repo/tags/list");
    return join ' ', $catalog->{status},
        (grep { $_ eq $repo } @{ $catalog->json->{repositories} }),
        $tags->{status}, $tags->{body};
}

$r->push_blob('team/emptied', '{}');
my $digest = $r->push_manifest('team/emptied', 'v1', json(image_manifest()));
$r->expect(202, 'DELETE', "/v2/team/emptied/manifests/$digest");
my $before = seen('team/emptied');
unlike($before, qr{^200 team}, 'it is not in the catalog');
$r->crash_worker;
is(seen('team/emptied'), $before, 'a crash does not bring it back');


# ---- what is no log ------------------------------------------------------------

my $journal = $r->root . '/docker/registry/v2/_journal';

# Nothing is done to what somebody has put there on purpose.
for my $odd (
    ['a link', sub { rename("$journal/log", "$journal/x")
        && symlink('x', "$journal/log") }, qr/Too many levels/],
    ['a directory', sub { mkdir "$journal/log" }, qr/Is a directory/],
    ['a directory for the state', sub { mkdir "$journal/state" },
        qr/Is a directory/],
)
{
    my ($what, $make, $says) = @$odd;

    push_tag($r, 'v1');
    $r->kill_worker;
    unlink "$journal/state", $what =~ /state|link/ ? () : "$journal/log";
    $make->() or die "$what: $!";
    my $length = length $r->log_of_worker;
    $r->start_worker;
    ok(wait_until(20, sub { substr($r->log_of_worker, $length) =~ $says }),
        "$what is refused, with a word");
    $r->kill_worker;
    rmdir "$journal/$_" for qw(log state);
    unlink map { "$journal/$_" } qw(log x state);
    $r->start_worker;
}

# A pipe can hold nothing, and a log that was cut is none.
for my $odd (['a pipe', sub { unlink "$journal/log";
        POSIX::mkfifo("$journal/log", 0600) }],
    ['a log without its end', sub { truncate "$journal/log", 5000 }],
    ['an empty log', sub { truncate "$journal/log", 0 }])
{
    my ($what, $make) = @$odd;

    $last = push_tag($r, 'v1');
    $r->kill_worker;
    $make->() or die "$what: $!";
    $r->start_worker;
    is(digest_of($r, 'v1'), $last, "$what is no matter");
    $last = push_tag($r, 'v1');
    $r->crash_worker;
    is(digest_of($r, 'v1'), $last, 'the next crash neither');
    is(-s "$journal/log", 16 << 20, 'and the log is whole');
}

done_testing;
