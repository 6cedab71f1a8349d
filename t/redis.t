# Redis remembers tags for all workers, and is never the reason for a wrong or
# failed answer (SECURITY.md F7).

use Test::Registry;
use Test::Registry::Redis;

use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

my $ttl = 3;                                   # seconds; see "behind our back"
my $redis = Test::Registry::Redis->new;
my %worker = (tags => "{ask: always, ttl: ${ttl}s, timeout: 50ms,"
    . ' breaker: {retry: 50ms}}');
my $r = Test::Registry->new(config => $redis->yaml, worker => { %worker });

# A second one on the same tree and Redis, and one without Redis.
my $other = Test::Registry->new(root => $r->root, config => $redis->yaml,
    worker => { %worker });
my $plain = Test::Registry->new(root => $r->root);

my @images = map { $r->push_image('a/b', "image$_",
    config => json({ image => $_ })) } 0 .. 3;


sub digest_of {
    my ($registry, $tag, $repo) = @_;

    my $a = $registry->request('HEAD', '/v2/' . ($repo // 'a/b')
        . "/manifests/$tag");
    return $a->{status} == 200 ? $a->header('docker-content-digest')
                               : $a->{status};
}

sub tag {
    my ($registry, $tag, $image) = @_;
    $registry->push_manifest('a/b', $tag, $image->{bytes}, $image->{type});
}

sub value { return $redis->cli('GET', "nginx-registry:v:{a/b}:$_[0]") }

# What is read is in Redis then, unless Redis was too slow for that once.

sub kept_ok {
    my ($tag, $image, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $value;
    ok(wait_until(10, sub {
        digest_of($r, $tag);
        ($value = value($tag)) =~ /^[0-9a-f]{16} \Q$image->{digest}\E$/;
    }), $title) or diag($value);
    return (split / /, $value)[0];
}

# The slowest of what is asked is faster than that, in seconds: a wait is there
# in each half second, in which Redis is tried ten times; another program on the
# same processor is not.

sub never_waits {
    my ($bound, $title, $ask) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($n, $slowest);
    for (1 .. 100) {
        ($n, $slowest) = (0, 0);
        my $end = time + 0.5;
        while ((my $begin = time) < $end) {
            $ask->();
            $slowest = time - $begin if time - $begin > $slowest;
            $n++;
        }
        last if $slowest < $bound;
    }
    note(sprintf '%s: of %d, the slowest took %.1f ms', $title, $n,
        1000 * $slowest);
    cmp_ok($slowest, '<', $bound, $title);
}

sub is_used {
    my ($registry) = @_;

    # What is resolved twice is in Redis, as soon as it is used.
    my $tag = 'used' . int rand 1e9;
    tag($plain, $tag, $images[0]);
    return wait_until(10, sub {
        digest_of($registry, $tag);
        return value($tag) =~ /sha256/;
    });
}

sub everywhere_is {
    my ($tag, $want, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %seen;
    wait_until(5, sub {
        %seen = map { digest_of($_, $tag) => 1 } ($r, $other) x 3;
        return keys %seen == 1 && exists $seen{$want};
    });
    is_deeply([keys %seen], [$want], $title);
}


# ---- the three levels

ok(is_used($_), 'Redis is used') for $r, $other;
like($r->log_of_worker, qr/info redis: \S+redis\.sock: connected$/m,
    'the log says so');

tag($r, 'v1', $images[1]);
is(value('v1'), '', 'a write leaves nothing in Redis');
everywhere_is('v1', $images[1]{digest}, 'a tag is read');
kept_ok('v1', $images[1], 'and is in Redis then');
my $ms;
ok(wait_until(10, sub {
    digest_of($r, 'v1');
    $ms = $redis->cli('PTTL', 'nginx-registry:v:{a/b}:v1');
    return $ms != -2;                               # it has ended already
}) && $ms > 0 && $ms <= 1000 * $ttl, 'with an end') or diag($ms);
is_deeply([grep { !/^nginx-registry:(?:[vw]:\{[^}]+\}:[^:]+|l:\{[^}]+\})$/ }
    $redis->keys('*')], [], 'all keys are ours, with the repository as tag');
is_deeply([grep { $redis->cli('PTTL', $_) == -1 } $redis->keys('*')], [],
    'all of them end');

tag($other, 'v1', $images[2]);
is(digest_of($other, 'v1'), $images[2]{digest}, 'who wrote sees it at once');
everywhere_is('v1', $images[2]{digest}, 'so do all');

# From memory: what Redis says of a tag now does not matter.
is(digest_of($_, 'v1'), $images[2]{digest}, 'warm') for $r, $other;
$redis->cli('SET', 'nginx-registry:v:{a/b}:v1', 'nonsense', 'PX', 100);
is(digest_of($_, 'v1'), $images[2]{digest}, 'from memory') for $r, $other;

is($r->request('DELETE', '/v2/a/b/manifests/v1')->{status}, 202, 'a delete');
is(digest_of($r, 'v1'), 404, 'who deleted sees it at once');
everywhere_is('v1', 404, 'is seen by all');
tag($r, $_, $images[2]) for 'x1', 'x2';
everywhere_is($_, $images[2]{digest}, "$_ is warm") for 'x1', 'x2';
is($other->request('DELETE', "/v2/a/b/manifests/$images[2]{digest}")->{status},
    202, 'a manifest is deleted');
is(digest_of($other, $_), 404, "$_ went with it") for 'x1', 'x2';
everywhere_is($_, 404, "for all of us $_ as well") for 'x1', 'x2', 'image2';
tag($r, 'x1', $images[2]);
everywhere_is('x1', $images[2]{digest}, 'and can come back');

# Many tags of one push, more than go into one call.
my @many = map { "many$_" } 1 .. 30;
is(digest_of($_, $many[0]), 404, 'not there') for $r, $other;
my $query = join '&', map { "tag=$_" } @many;
$r->expect(201, 'PUT', "/v2/a/b/manifests/$images[1]{digest}?$query",
    headers => ['Content-Type' => $images[1]{type}],
    body => $images[1]{bytes});
everywhere_is($_, $images[1]{digest}, "$_ of many") for @many[0, 15, 16, 29];
is($r->request('DELETE', "/v2/a/b/manifests/$images[1]{digest}")->{status},
    202, 'and all go');
everywhere_is($_, 404, "$_ of many is gone") for @many[0, 15, 16, 29];
tag($r, 'image1', $images[1]);


# ---- behind our back

tag($r, 'back', $images[1]);
everywhere_is('back', $images[1]{digest}, 'a tag is warm');
tag($plain, 'back', $images[3]);           # who has no Redis tells nobody
my $written = time;
my $last;                          # asked, and answered with what was before
wait_until(10, sub {
    my $asked = time;
    my @old = grep { digest_of($_, 'back') ne $images[3]{digest} } $r, $other;
    $last = $asked if @old;
    return !@old && time - $written > 2 * $ttl;
});
cmp_ok($last // 0, '<=', $written + $ttl + 0.5,
    'what another program writes is seen within ttl');
everywhere_is('back', $images[3]{digest}, 'by all');


# ---- a server that lies

my $absent = sha256('never pushed');
for my $case (
    ['no digest',        sub { ('SET', $_[0], "$_[1] sha256:xyz") }],
    ['a long value',     sub { ('SET', $_[0], "$_[1] " . 'x' x 100_000) }],
    ['a cut one',        sub { ('SET', $_[0],
        "$_[1] " . substr($images[1]{digest}, 0, 70)) }],
    ['an empty one',     sub { ('SET', $_[0], '') }],
    ['another fence',    sub { ('SET', $_[0],
        "0000000000000000 $images[1]{digest}") }],
    ['no end',           sub { ('SET', $_[0], "$_[1] $images[1]{digest}") }],
    ['no such manifest', sub { ('SET', $_[0], "$_[1] $absent", 'PX', 60_000) }],
    ['a list',           sub { ('RPUSH', $_[0], 1 .. 100) }],
    ['a hash',           sub { ('HSET', $_[0], a => 1) }],
    ['another manifest of another repository', sub {
        my $d = $r->push_image('c', 'c', config => '{"c":1}')->{digest};
        ('SET', $_[0], "$_[1] $d", 'PX', 60_000) }],
) {
    my ($what, $command) = @$case;
    my $tag = 'lie' . int rand 1e9;
    my $key = "nginx-registry:v:{a/b}:$tag";

    tag($plain, $tag, $images[0]);
    tag($plain, "$tag-probe", $images[0]);
    my $fence = kept_ok("$tag-probe", $images[0], "$what: Redis is used");
    $redis->cli($command->($key, $fence));
    is(digest_of($r, $tag), $images[0]{digest}, "$what: the disk is right");
    is(digest_of($other, $tag), $images[0]{digest}, "$what: for all");
}

like($r->log_of_worker, qr/warn redis: the value of \S+ is not ours/,
    'the log tells');
my $told = () = $r->log_of_worker =~ /is not ours/g;
my $connected = () = $r->log_of_worker =~ /: connected/g;
cmp_ok($told, '<=', $connected, 'once, as long as it is connected');


# ---- flushed, restarted, gone

tag($r, 'f', $images[1]);
everywhere_is('f', $images[1]{digest}, 'warm');
$redis->cli('FLUSHALL');
everywhere_is('f', $images[1]{digest}, 'after FLUSHALL');
$redis->cli('SCRIPT', 'FLUSH');
tag($other, 'f', $images[3]);
everywhere_is('f', $images[3]{digest}, 'after SCRIPT FLUSH');
kept_ok('f', $images[3], 'scripts are sent again');

$redis->kill;
for my $round (1 .. 3) {
    for my $image (@images[1, 3]) {
        tag($round % 2 ? $r : $other, 'f', $image);
        everywhere_is('f', $image->{digest}, 'Redis is gone: the disk');
    }
}
for my $registry ($r, $other) {
    ok(wait_until(10, sub { $registry->log_of_worker
        =~ /warn redis: \S+: not used: .*read from disk$/m }),
        'the log says that it is gone');
}
unlike(join(' ', map { /warn \S+ \S+ not used/ ? 'gone' : /: connected/ ? 'there' : () }
    split /\n/, $r->log_of_worker), qr/gone gone/, 'once, until it is there again');
$redis->start;
ok(is_used($_), 'it is used again, by itself') for $r, $other;
everywhere_is('f', $images[3]{digest}, 'and right');

# It comes back with what it knew before.
my $saved = Test::Registry::Redis->new(port => 1);
my @two = map { Test::Registry->new(root => $r->root, config => $saved->yaml,
    worker => { tags => '{ask: always, ttl: 1h, timeout: 50ms,'
        . ' breaker: {retry: 50ms}}' }) } 1 .. 2;
tag($r, 's', $images[1]);
wait_until(10, sub {
    digest_of($_, 's') for @two;
    return $saved->cli('GET', 'nginx-registry:v:{a/b}:s') =~ /sha256/;
}) or fail('it is in Redis');
$saved->cli('SAVE');
$saved->kill;
tag($two[0], 's', $images[3]);
$saved->start;
like($saved->cli('GET', 'nginx-registry:v:{a/b}:s'), qr/$images[1]{digest}/,
    'a restarted server knows what was');
wait_until(10, sub { $two[1]->log_of_worker =~ /not used.*connected/s });
is(digest_of($_, 's'), $images[3]{digest}, 'nobody believes it') for @two;
wait_until(10, sub {
    digest_of($two[1], 's');
    return $saved->cli('GET', 'nginx-registry:v:{a/b}:s')
        =~ /$images[3]{digest}/;
}) or fail('what is right takes its place');


# ---- hung, slow

my ($n, %hung) = (0);
everywhere_is('f', $images[3]{digest}, 'warm');
$redis->pause;
never_waits(0.25, 'no request waits for a Redis that hangs', sub {
    $hung{ digest_of($n++ % 2 ? $r : $other, 'f') }++;
});
is_deeply([keys %hung], [$images[3]{digest}], 'and all are right');
ok(wait_until(20, sub {
    my $begin = time;
    tag($r, 'f', $images[1]);
    return time - $begin < 1;
}), 'nor does a push');
is(digest_of($_, 'f'), $images[1]{digest}, 'which is seen by all')
    for $r, $other;
$redis->resume;
for my $registry ($r, $other) {
    for (1 .. 20) {
        my $d = digest_of($registry, 'f');
        next if $d eq $images[1]{digest};
        is($d, $images[1]{digest}, 'what it knew before it hung is void');
    }
}
ok(is_used($_), 'used again') for $r, $other;

# Each reply 200 ms late.
my $slow_path = "$r->{dir}/slow.sock";
my $proxy = slow_proxy($slow_path, $redis->socket, 0.2);
my $late = Test::Registry->new(root => $r->root,
    config => "redis:\n  addr: $slow_path\n", worker => { %worker });
my %slow;
never_waits(0.15, 'no request waits for a Redis that is slow', sub {
    $slow{ digest_of($late, 'f') }++;
});
is_deeply([keys %slow], [$images[1]{digest}], 'and all are right');
ok(wait_until(10, sub { $late->log_of_worker =~ /not used: .*in time/ }),
    'the log says that it is slow') or diag($late->log_of_worker);
kill 'TERM', $proxy;
waitpid $proxy, 0;


# ---- nonsense instead of Redis

for my $nonsense ("-ERR no\r\n" x 100, "*1000000000\r\n" x 100,
    "\$536870911\r\n" . 'x' x 3_000_000, "HTTP/1.1 400 Bad Request\r\n\r\n",
    "_\r\n,1.5\r\n#t\r\n" x 100, "%1\r\n+a\r\n+b\r\n>1\r\n+a\r\n" x 100,
    '', "\0" x 1000, "*3\r\n*3\r\n*3\r\n*3\r\n*3\r\n*3\r\n*3\r\n*3\r\n*3\r\n")
{
    my $path = "$r->{dir}/nonsense.sock";
    unlink $path;
    my $pid = nonsense_server($path, $nonsense);
    my $odd = Test::Registry->new(root => $r->root,
        config => "redis:\n  addr: $path\n  password: geheim\n",
        worker => { %worker });
    ok(wait_until(10, sub { $odd->log_of_worker =~ /redis: .* not used/ }),
        'nonsense is not used');
    is(digest_of($odd, 'f'), $images[1]{digest}, 'the disk answers');
    tag($odd, 'odd', $images[3]);
    is(digest_of($odd, 'odd'), $images[3]{digest}, 'and takes');
    unlike($odd->log_of_worker, qr/geheim/, 'no password is in the log');
    my $size = rss_peak(($odd->worker_pids)[0]);
    ok(sanitized() || $size < 40_000, 'memory stays flat') or diag("$size KiB");
    kill 'TERM', $pid;
    waitpid $pid, 0;
    $odd->stop_nginx;
    $odd->_stop('worker', 'TERM');
    like($odd->log_of_worker, qr/info redis: tags: memory 0, redis 0, disk \d/,
        'what was done is counted');
}


# ---- a replica, a password, a user with few rights, a server without tracking

my $master = Test::Registry::Redis->new(port => 1);
my $replica = Test::Registry::Redis->new(port => 1,
    config => ["replicaof 127.0.0.1 $master->{port}"]);
my $lost = Test::Registry->new(root => $r->root, config => $replica->yaml,
    worker => { %worker });
ok(wait_until(10, sub { $lost->log_of_worker =~ /not used: it is a replica/ }),
    'a replica is not used') or diag($lost->log_of_worker);
is(digest_of($lost, 'f'), $images[1]{digest}, 'the disk answers');
my $both = Test::Registry->new(root => $r->root, worker => { %worker },
    config => "redis:\n  addrs: [" . $replica->address . ', '
        . $master->address . "]\n");
ok(wait_until(10, sub { $both->log_of_worker =~ /$master->{port}: connected/ }),
    'the master among several is found');

# One that is made a replica under way: READONLY.
$replica->cli('REPLICAOF', 'NO', 'ONE');
ok(wait_until(10, sub { $lost->log_of_worker =~ /connected/ }), 'used');
$replica->cli('REPLICAOF', '127.0.0.1', $master->port);
tag($lost, 'ro', $images[3]);
is(digest_of($lost, 'ro'), $images[3]{digest}, 'the disk answers');
ok(wait_until(10, sub {
    digest_of($lost, 'ro' . int rand 1e6);
    return $lost->log_of_worker =~ /connected.*not used/s;
}), 'what has become a replica is not used') or diag($lost->log_of_worker);

my $closed = Test::Registry::Redis->new(config => ['requirepass geheim',
    'user few on >streng ~nginx-registry:* resetchannels +@connection +get'
    . ' +set +del +exists +pttl +eval +evalsha -client',
    'user full on >ganz ~nginx-registry:* resetchannels'
    . ' &__redis__:invalidate +@connection +get +set +del +exists +pttl +eval'
    . ' +evalsha +subscribe +info +select +pexpire +unlink +zadd +zrem +zscore'
    . ' +zlexcount +zrangebylex +zremrangebylex +zrevrange']);
for my $case (
    ['no password',       [],                                qr/not used/],
    ['a wrong password',  [password => 'falsch'], qr/refuses AUTH \(WRONGPASS/],
    ['the password',      [password => 'geheim'],            qr/: connected$/m],
    ['another database',  [password => 'geheim', db => 3],   qr/: connected$/m],
    ['a user with few rights', [username => 'few', password => 'streng'],
        qr/CLIENT TRACKING is refused/],
    ['a user with all that is needed', [username => 'full',
        password => 'ganz'], qr/: connected$/m],
) {
    my ($what, $keys, $want) = @$case;
    my $some = Test::Registry->new(root => $r->root,
        config => $closed->yaml(@$keys), worker => { %worker });
    ok(wait_until(10, sub { $some->log_of_worker =~ $want }), $what)
        or diag($some->log_of_worker);
    tag($some, 'acl', $images[1]);
    is(digest_of($some, 'acl'), $images[1]{digest}, "$what: right");
    is(digest_of($some, 'acl'), $images[1]{digest}, "$what: again");
    tag($some, 'acl', $images[3]);
    is(digest_of($some, 'acl'), $images[3]{digest}, "$what: changed");
    unlike($some->log_of_worker, qr/geheim|falsch|streng|ganz/,
        "$what: no secret in the log");
    ok(wait_until(10, sub {
        digest_of($some, 'acl');
        return $closed->cli('--no-auth-warning', '-a', 'geheim', '-n', 3,
            'DBSIZE') =~ /^[1-9]/;
    }), "$what: is used") if $what eq 'another database';
    $some->stop_nginx;
    $some->_stop('worker', 'TERM');
}


fsck_ok($r, 'the tree is sound');
done_testing;


# ---- servers that are none -------------------------------------------------

sub listen_on {
    my ($path) = @_;

    return IO::Socket::UNIX->new(Local => $path, Listen => 64)
        // die "$path: $!";
}


sub slow_proxy {
    my ($path, $to, $seconds) = @_;

    my $listener = listen_on($path);
    my $pid = fork() // die;
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    $SIG{CHLD} = 'IGNORE';
    while (my $client = $listener->accept) {
        next if fork();
        my $server = IO::Socket::UNIX->new(Peer => $to) or POSIX::_exit(1);
        my $select = IO::Select->new($client, $server);
        while (my @ready = $select->can_read) {
            for my $from (@ready) {
                sysread($from, my $bytes, 65536) or POSIX::_exit(0);
                sleep $seconds if $from == $server;
                syswrite($from == $server ? $client : $server, $bytes);
            }
        }
    }
    POSIX::_exit(0);
}


sub nonsense_server {
    my ($path, $bytes) = @_;

    my $listener = listen_on($path);
    my $pid = fork() // die;
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    $SIG{PIPE} = 'IGNORE';
    while (my $client = $listener->accept) {
        sysread($client, my $ignored, 65536);
        my $at = 0;
        while ($at < length $bytes) {
            my $n = syswrite($client, $bytes, 65536, $at) or last;
            $at += $n;
        }
    }
    POSIX::_exit(0);
}
