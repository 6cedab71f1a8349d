# Failover by Sentinel: what the old master knew is void, the new one is used
# (SECURITY.md F7).

use Test::Registry;
use Test::Registry::Redis;

use Time::HiRes qw(sleep time);

my $first = Test::Registry::Redis->new(port => 1);
my $second = Test::Registry::Redis->new(port => 1,
    config => ["replicaof 127.0.0.1 " . $first->port]);
my @sentinels = map { Test::Registry::Redis->new(
    sentinel => { port => $first->port, quorum => 2 }) } 1 .. 3;

my $config = "redis:\n  sentinel:\n    mastername: registry\n    addrs: ["
    . join(', ', '127.0.0.1:1', map { $_->address } @sentinels) . "]\n";
my %worker = (tags => '{ask: always, ttl: 1h, timeout: 500ms,'
    . ' breaker: {retry: 50ms}}');
my $r = Test::Registry->new(config => $config, worker => { %worker });
my $other = Test::Registry->new(root => $r->root, config => $config,
    worker => { %worker });

my @images = map { $r->push_image('a', "image$_", config => json({ n => $_ })) }
    0 .. 1;


sub digest_of {
    my ($registry, $tag) = @_;

    my $a = $registry->request('HEAD', "/v2/a/manifests/$tag");
    return $a->{status} == 200 ? $a->header('docker-content-digest')
                               : $a->{status};
}

sub tag {
    my ($registry, $tag, $image) = @_;
    $registry->push_manifest('a', $tag, $image->{bytes}, $image->{type});
}

sub in_redis {
    my ($redis, $tag, $digest) = @_;

    return wait_until(20, sub {
        digest_of($_, $tag) for $r, $other;
        return $redis->cli('GET', "nginx-registry:v:{a}:$tag") =~ /$digest/;
    });
}

sub connected_to {
    my ($redis) = @_;

    my $address = $redis->address;
    return wait_until(30, sub {
        return !grep { $_->log_of_worker
            !~ /.*redis: \Q$address\E: connected$/ms } $r, $other;
    });
}

# A master that is not heard of for so many milliseconds is replaced: soon when
# the test wants it, and never because this machine is busy.

sub notice_within {
    my ($ms) = @_;

    $_->cli('SENTINEL', 'SET', 'registry', 'down-after-milliseconds', $ms)
        for @sentinels;
}

# The Sentinels must know each other and the replica before they can act.
ok(wait_until(30, sub {
    return !grep { $_->cli('SENTINEL', 'CKQUORUM', 'registry') !~ /^OK 3 usable/
        || $_->cli('SENTINEL', 'REPLICAS', 'registry') !~ /\b@{[$second->port]}\b/
    } @sentinels;
}), 'three Sentinels and a replica');

ok(connected_to($first), 'the master is found, past a Sentinel that is away')
    or diag($r->log_of_worker);
tag($r, 'v1', $images[0]);
ok(in_redis($first, 'v1', $images[0]{digest}), 'and used');
ok(wait_until(10, sub {
    $second->cli('GET', 'nginx-registry:v:{a}:v1') =~ /$images[0]{digest}/ }),
    'the replica has it too');

# Nothing reaches the replica any more: what it will know as master is old.
$second->cli('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
$second->pause;
tag($r, 'v1', $images[1]);
ok(wait_until(10, sub { !grep { digest_of($_, 'v1') ne $images[1]{digest} }
    $r, $other }), 'a write that the replica missed');
my $since = time;
$first->kill;
$second->resume;
notice_within(500);

# While nobody is master, and after.
my ($n, $slowest) = (0, 0);
until (connected_now($second) || time - $since > 180) {
    for my $registry ($r, $other) {
        my $begin = time;
        my $d = digest_of($registry, 'v1');
        $slowest = time - $begin if time - $begin > $slowest;
        is($d, $images[1]{digest}, 'without a master')
            if $d ne $images[1]{digest} || $n % 200 == 0;
        $n++;
    }
    sleep 0.005;
}
my $took = time - $since;
notice_within(60_000);
diag(sprintf 'failover: %.1f s, slowest of %d requests %.1f ms', $took, $n,
    1000 * $slowest);
ok(connected_to($second), 'the new master is used') or diag($r->log_of_worker);
ok($slowest < 1 || $slowest < $took / 2, 'no request waited for it');
is(digest_of($_, 'v1'), $images[1]{digest}, 'what it missed is not believed')
    for $r, $other;
ok(in_redis($second, 'v1', $images[1]{digest}), 'and replaced');
tag($other, 'v1', $images[0]);
ok(wait_until(10, sub { digest_of($r, 'v1') eq $images[0]{digest} }),
    'changes are told by the new master');

# A switch while the old master is well: the Sentinels say so, and the old one
# becomes a replica.
$first->start;
ok(wait_until(30, sub {
    $first->cli('ROLE') =~ /^slave/ && $first->cli('INFO', 'replication')
        =~ /master_link_status:up/ }), 'the old master has become a replica');
ok(wait_until(30, sub {
    $sentinels[0]->cli('SENTINEL', 'FAILOVER', 'registry') =~ /^OK/ }),
    'a failover by hand');
my $connected = () = $r->log_of_worker =~ /: connected$/mg;
ok(wait_until(40, sub {
    my $log = $r->log_of_worker;
    return (() = $log =~ /: connected$/mg) > $connected
        && $log =~ /\Q@{[$first->address]}\E: connected\n(?!.*connected)/s;
}), 'is followed') or diag($r->log_of_worker);
tag($r, 'v1', $images[1]);
ok(wait_until(10, sub { digest_of($other, 'v1') eq $images[1]{digest} }),
    'and right');
ok(in_redis($first, 'v1', $images[1]{digest}), 'and used');

fsck_ok($r, 'the tree is sound');
done_testing;


sub connected_now {
    my ($redis) = @_;

    my $address = $redis->address;
    return !grep { $_->log_of_worker !~ /\Q$address\E: connected$/m }
        $r, $other;
}
