# Lists of tags come from Redis, a page at a time, and show what the disk has,
# whatever happens to Redis and whatever it says (src/reg_tagset.h).

use Test::Registry;
use Test::Registry::Redis;

use POSIX ();
use Time::HiRes qw(sleep time);

my $count = 5000;
my $redis = Test::Registry::Redis->new;
# Redis has the time that it needs: who cannot tell it of a push tells others by
# the fence, which they see a moment later.
my %worker = (tags => '{ask: always, ttl: 1h, timeout: 60s,'
    . ' breaker: {retry: 50ms}}');
my %patient = map { $_ => '20s' } qw(dialtimeout readtimeout writetimeout);
my $r = Test::Registry->new(config => $redis->yaml(%patient),
    worker => { %worker });
my $other = Test::Registry->new(root => $r->root,
    config => $redis->yaml(%patient),
    worker => { %worker });
my $plain = Test::Registry->new(root => $r->root);

my $key = 'nginx-registry:l:{a/b}';
my $dir = $r->path('repositories/a/b/_manifests/tags');
my $image = $r->push_image('a/b', 'v00000');
my %tags = (v00000 => 1);

# As another registry would have left them.
for my $n (1 .. $count - 1) {
    my $tag = sprintf 'v%05d', $n;
    mkdir "$dir/$tag" and mkdir "$dir/$tag/current"
        and link("$dir/v00000/current/link", "$dir/$tag/current/link")
        or die "$dir/$tag: $!";
    $tags{$tag} = 1;
}


sub page {
    my ($registry, $query, %opt) = @_;

    return $registry->request('GET', '/v2/' . ($opt{repo} // 'a/b')
        . "/tags/list?$query");
}

sub tags_of {
    my $a = page(@_);
    return $a->{status} == 200 ? @{ $a->json->{tags} } : ();
}

# All tags, link by link.

sub walk {
    my ($registry, $n) = @_;

    my ($path, @seen) = "/v2/a/b/tags/list?n=$n";
    while (defined $path && @seen <= 2 * $count) {
        my $a = $registry->request('GET', $path);
        push @seen, $a->{status} == 200 ? @{ $a->json->{tags} } : "$a";
        ($path) = ($a->header('link') // '') =~ /^<([^>]+)>; rel="next"$/;
    }

    return join ' ', @seen;
}

sub all { return join ' ', sort keys %tags }

# What is answered, once it is that.  Where Redis could not be told of a change,
# as on a machine that is busy, another one may be late by as much as a proof is
# good for (REG_REDISPOOL_WINDOW).

my $changed = time;

sub soon {
    my ($want, $ask) = @_;

    my ($got, $begin);
    do {
        $begin = time;
        $got = $ask->();
    } while $got ne $want && $begin <= $changed + 0.25;
    return $got;
}

sub tags_are {
    my ($registry, $n, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $want = all();
    my $got = soon($want, sub { walk($registry, $n) });
    ok($got eq $want, $title)
        or diag(length($got) > 500 ? length $got : $got);
}

sub mark { return $redis->cli('ZRANGEBYLEX', $_[0] // $key, '[!', '("') }

sub is_whole { return mark(@_) =~ /^![0-9a-f]{16} [0-9a-f]{16}$/ }

sub members { return split /\n/, $redis->cli('ZRANGEBYLEX', $key, '("', '+') }

# A list that is missed is filled by a thread of the worker.

sub filled {
    my ($registry, $repo) = @_;

    $repo //= 'a/b';
    return wait_until(20, sub {
        page($registry, 'n=1', repo => $repo);
        return is_whole("nginx-registry:l:{$repo}");
    });
}

# Pages are from Redis: for a moment there is nothing on disk.

sub from_redis {
    my ($registry, $query) = @_;

    my @got;
    wait_until(20, sub {
        rename $dir, "$dir-aside" or die;
        @got = tags_of($registry, $query);
        rename "$dir-aside", $dir or die;
        return @got > 0;
    });
    return join ' ', @got;
}

sub push_tag {
    my ($registry, $tag) = @_;
    $registry->push_manifest('a/b', $tag, $image->{bytes}, $image->{type});
    $tags{$tag} = 1;
    $changed = time;
}

sub delete_tag {
    my ($registry, $tag) = @_;
    my $a = $registry->request('DELETE', "/v2/a/b/manifests/$tag");
    is($a->{status}, 202, "$tag is deleted") if $a->{status} != 202;
    delete $tags{$tag};
    $changed = time;
}

# The lists are what they were, but for a machine that was so busy that Redis was
# not used for a moment.

sub still_ok {
    my ($mark, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(mark() eq $mark || grep({ $_->log_of_worker =~ /not used/ } $r, $other),
        $title);
}

sub first_are {
    my ($registry, $what, $wrong) = @_;

    my $want = join ' ', (sort keys %tags)[0 .. 49];
    my $got = soon($want, sub { join ' ', tags_of($registry, 'n=50') });
    push @$wrong, "$what: $got" if $got ne $want;
}


# ---- filled once, then a page costs a page

ok(filled($_), 'a list is filled') for $r, $other;
my $mark = mark();
my $ms = $redis->cli('PTTL', $key);
ok($ms > 3_500_000 && $ms <= 3_600_000, 'it ends') or diag($ms);
is($redis->cli('ZCARD', $key), $count + 1, 'with all tags and its mark');
tags_are($r, 700, 'pages of 700, without gap or repeat');
is(scalar(grep { /\x01/ } members()), 0, 'what was found on disk is known then');
tags_are($_, 1000, 'pages of 1000') for $r, $other;
tags_are($r, 10_000, 'all at once');
tags_are($r, 255, 'a step of Redis and one less');
tags_are($r, 256, 'as many as a step');

my @sorted = sort keys %tags;
is(from_redis($_, 'n=100'), join(' ', @sorted[0 .. 99]), 'the first page')
    for $r, $other;
is(from_redis($_, 'n=300&last=v02500'), join(' ', @sorted[2501 .. 2800]),
    'one in the middle') for $r, $other;
is(from_redis($r, 'n=10&last=v02500x'), join(' ', @sorted[2501 .. 2510]),
    'after a tag that is none');
is_deeply([tags_of($r, "n=100&last=$sorted[-1]")], [], 'after the last');
is_deeply([tags_of($r, 'n=0')], [], 'none');
is_deeply([tags_of($r, 'n=2&last=v02500%20')], [@sorted[2501, 2502]],
    'after what can be no tag');
still_ok($mark, 'all by one filling');
unlike($_->log_of_worker, qr/is not ours|refused/, 'nothing is odd')
    for $r, $other;


# ---- changes

my @wrong;
for my $n (1 .. 30) {
    my ($one, $two) = $n % 2 ? ($r, $other) : ($other, $r);

    push_tag($one, "n$n");
    first_are($_, "push of n$n", \@wrong) for $one, $two;
    next if $n % 3;
    my $gone = 'n' . ($n - 1);
    delete_tag($two, $gone);
    first_are($_, "delete of $gone", \@wrong) for $one, $two;
}
ok(!@wrong, 'pushes and deletes are in the next list of both')
    or diag(join "\n", @wrong[0 .. ($#wrong < 3 ? $#wrong : 3)]);
tags_are($_, 1000, 'and all tags are') for $r, $other;
still_ok($mark, 'without another filling');

my $second = $r->push_image('a/b', 'x1', config => '{"second":1}');
$r->push_manifest('a/b', $_, $second->{bytes}) for 'x2', 'x3';
my $last = sub {
    my ($registry, $want, $title) = @_;
    $changed = time;
    is(soon($want, sub { join ' ', tags_of($registry, 'n=9&last=w') }), $want,
        $title);
};
$last->($other, 'x1 x2 x3', 'three tags');
is($other->request('DELETE', "/v2/a/b/manifests/$second->{digest}")->{status},
    202, 'of a manifest that is deleted');
$last->($_, '', 'go with it') for $r, $other;
my $query = join '&', map { sprintf 'tag=y%02d', $_ } 1 .. 30;
$r->expect(201, 'PUT', "/v2/a/b/manifests/$image->{digest}?$query",
    headers => ['Content-Type' => $image->{type}], body => $image->{bytes});
$tags{ sprintf 'y%02d', $_ } = 1 for 1 .. 30;
$changed = time;
tags_are($_, 1000, 'a push of 30 tags') for $r, $other;


# ---- behind our back: within ttl, or once `registryctl cache flush` was run

mkdir "$dir/half";
mkdir "$dir/half/current";
my $ctl = $ENV{REGISTRY_CTL} // 'build/registryctl';
is(($r->run($ctl, 'cache', 'flush', '--config', $r->config_file))[0], 0,
    'flush');
ok(wait_until(10, sub { filled($r); mark() ne $mark }), 'makes lists void');
ok(filled($_), 'they are filled anew') for $r, $other;
tags_are($_, 1000, 'what has no link is not listed') for $r, $other;
write_file("$dir/half/current/link", $image->{digest});
push_tag($r, 'half');
tags_are($_, 1000, 'until it has one') for $r, $other;

my $brief = Test::Registry->new(root => $r->root,
    config => $redis->yaml(%patient),
    worker => { tags => '{ask: always, ttl: 2s, timeout: 60s}' });
my $c = $r->push_image('c', 'one');
$r->push_manifest('c', 'two', $c->{bytes});
ok(filled($brief, 'c'), 'a list that is soon over');
$plain->push_manifest('c', 'three', $c->{bytes});
is($plain->request('DELETE', '/v2/c/manifests/two')->{status}, 202,
    'who has no Redis changes it');
ok(wait_until(10, sub {
    join(' ', tags_of($brief, '', repo => 'c')) eq 'one three' }),
    'which is seen in time') or diag(join ' ', tags_of($brief, '', repo => 'c'));


# ---- a server that lies

for my $case (
    ['another kind',     sub { ['DEL', $key], ['SET', $key, 1] }],
    ['a list',           sub { ['DEL', $key], ['RPUSH', $key, 1 .. 9] }],
    ['no tag',           sub { ['ZADD', $key, 0, 'a b'] }],
    ['a long one',       sub { ['ZADD', $key, 0, 'n' . 'x' x 128] }],
    ['a longer one',     sub { ['ZADD', $key, 0, 'n' . 'x' x 300_000] }],
    ['a path',           sub { ['ZADD', $key, 0, 'n/../..'] }],
    ['an empty one',     sub { ['ZADD', $key, 0, "\1"] }],
    ['lines',            sub { ['ZADD', $key, 0, "n1\nn2"] }],
    ['an odd ending',    sub { ['ZADD', $key, 0, "n1\1odd"] }],
    ['another order',    sub { ['ZADD', $key, 1, '00first'] }],
    ['a lower score',    sub { ['ZADD', $key, -1, 'zlast'] }],
    ['no end',           sub { ['PERSIST', $key] }],
    ['no mark',          sub { ['ZREMRANGEBYLEX', $key, '[!', '("'] }],
    ['another mark',     sub { ['ZREMRANGEBYLEX', $key, '[!', '("'],
        ['ZADD', $key, 0, '!0123456789abcdef 0123456789abcdef'] }],
    ['a lease for good', sub { ['DEL', $key],
        ['ZADD', $key, 0, '!?0123456789abcdef'] }],
    ['nothing',          sub { ['DEL', $key] }],
) {
    my ($what, $commands) = @$case;

    ok(filled($r), "$what: there is a list") or diag(mark());
    $redis->cli(@$_) for $commands->();
    tags_are($r, 2000, "$what: the disk is right");
    tags_are($other, 2000, "$what: for all");
    push_tag($r, 'pushed');
    tags_are($other, 2000, "$what: a push is seen");
    delete_tag($other, 'pushed');
    tags_are($r, 2000, "$what: a delete too");
}
like($r->log_of_worker, qr/warn redis: the value of \Q$key\E is not ours/,
    'the log tells');
unlike($r->log_of_worker, qr/command is refused/, 'nothing was refused');

# More than it was asked for: 6 members become 9 on their way.
my $wire = "$r->{dir}/wire.sock";
my $proxy = $redis->proxy($wire, sub {
    $_[0] =~ s/\$1\r\n6\r\n/\$1\r\n9\r\n/ if $_[0] =~ /\Q$key\E/ });
my $lied = Test::Registry->new(root => $r->root, worker => { %worker },
    config => "redis:\n  addr: $wire\n");
ok(filled($r) && filled($lied), 'who is lied to has a list');
is(join(' ', tags_of($lied, 'n=5')), join(' ', (sort keys %tags)[0 .. 4]),
    'more than was asked for: the disk is right');
ok(wait_until(20, sub { filled($r); tags_of($lied, 'n=5');
    $lied->log_of_worker =~ /\Q$key\E is not ours/ }), 'it was seen');
kill 'KILL', -$proxy;
waitpid $proxy, 0;


# ---- a user who may not write lists, and one who may

my $closed = Test::Registry::Redis->new(config => [
    'user few on >streng ~nginx-registry:* resetchannels'
    . ' &__redis__:invalidate +@connection +get +set +del +exists +pttl +eval'
    . ' +evalsha +subscribe +info +select',
    'user full on >ganz ~nginx-registry:* resetchannels'
    . ' &__redis__:invalidate +@connection +get +set +del +exists +pttl +eval'
    . ' +evalsha +subscribe +info +select +pexpire +unlink +zadd +zrem +zscore'
    . ' +zlexcount +zrangebylex +zremrangebylex +zrevrange']);
my $full = Test::Registry->new(root => $r->root, worker => { %worker },
    config => $closed->yaml(username => 'full', password => 'ganz',
        %patient));
ok(wait_until(20, sub { page($full, 'n=1');
    $closed->cli('ZRANGEBYLEX', $key, '[!', '("') =~ /^![0-9a-f]{16} / }),
    'who has the rights has a list');
tags_are($full, 2000, 'a right one') for 1, 2;
push_tag($full, 'full');
tags_are($full, 2000, 'and changes it');
unlike($full->log_of_worker, qr/refused/, 'nothing is refused');
my $few = Test::Registry->new(root => $r->root, worker => { %worker },
    config => $closed->yaml(username => 'few', password => 'streng',
        %patient));
ok(wait_until(10, sub { $few->log_of_worker =~ /: connected$/m }),
    'a user of few rights');
push_tag($few, 'few');
tags_are($few, 2000, 'has right lists');
ok(wait_until(10, sub { page($few, 'n=1');
    $few->log_of_worker =~ /a command is refused/ }), 'the log says why');
push_tag($few, 'fewer');
tags_are($few, 2000, 'after a push too');
$few->stop_nginx;
$few->_stop('worker', 'TERM');
like($few->log_of_worker, qr/fenced 0, list_redis 0, list_disk [1-9]/,
    'from disk, and pushes need no fence');
# The first two have another Redis, and were not told of these.
$mark = mark();
$r->run($ctl, 'cache', 'flush', '--config', $r->config_file);
ok(wait_until(10, sub { filled($_); mark() ne $mark }), 'lists are void again')
    for $r, $other;


# ---- flushed, killed in the middle, started again

ok(filled($_), 'lists are there') for $r, $other;
tags_are($r, 2000, 'right');
$redis->cli('FLUSHALL');
tags_are($_, 2000, 'after FLUSHALL') for $r, $other;
$redis->cli('SCRIPT', 'FLUSH');
ok(filled($r), 'after SCRIPT FLUSH it is filled again');
tags_are($r, 2000, 'right');

my $until = time + 3;
my @walkers = map { walker($_) } 1 .. 3;
while (time < $until) {
    sleep 0.3;
    $redis->kill;
    sleep 0.3;
    $redis->start;
}
for (@walkers) {
    waitpid $_, 0;
    is($?, 0, 'every walk was right while Redis was killed');
}
ok(filled($_), 'in the end Redis is used again') for $r, $other;
tags_are($_, 1000, 'and right') for $r, $other;
$redis->kill;
push_tag($r, 'last');
tags_are($_, 1000, 'without Redis') for $r, $other;

done_testing;


# Walks again and again, and ends with 0 if all was right.

sub walker {
    my ($i) = @_;

    my $pid = fork() // die;
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    my $right = 1;
    while ($right && time < $until) {
        $right = (eval { walk($i % 2 ? $r : $other, 500 * $i) } // '')
            eq all();
    }
    POSIX::_exit($right ? 0 : 1);
}
