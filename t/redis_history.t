# What clients see of tags that many write at once, through two workers on one
# tree and one Redis, while Redis and the workers are killed and stopped
# (SECURITY.md F7, F11): a read that begins after a write was acknowledged never
# shows what was before it, beyond the bound of docs/redis.md, and nothing shows
# what was never written.  The same of lists: none lacks a tag that was there, or
# shows one that was gone, when it was asked for.
#
# REGISTRY_HISTORY_SECONDS makes it longer than 10 seconds.

use Test::Registry;
use Test::Registry::Redis;

use POSIX ();
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime sleep);

my $seconds = $ENV{REGISTRY_HISTORY_SECONDS} // 10;
my $bound = 0.25;                          # REG_REDISPOOL_WINDOW
my @tags = qw(one two three);

my $redis = Test::Registry::Redis->new;
my @registries;
push @registries, Test::Registry->new(
    @registries ? (root => $registries[0]->root) : (),
    config => $redis->yaml, workers => 2,
    worker => { tags => '{ask: always, ttl: 1h, breaker: {retry: 50ms}}' })
    for 1 .. 2;
my $r = $registries[0];
my $dir = $r->dir;

$r->push_image('h', 'base');
sub manifest { return json(image_manifest(more => { annotations => $_[0] })) }

$r->push_blob('h', '{}');
for my $tag (@tags) {
    $r->push_manifest('h', $tag, manifest({ begin => $tag }));
}

# More tags than come from Redis in one step, between which the three stand.
my @others = sort map { sprintf '%s%03d', (qw(a p z))[$_ % 3], $_ } 1 .. 600;
my ($bytes, @rest) = (manifest({ begin => 'one' }), @others);
@others = sort 'base', @others;
while (my @some = splice @rest, 0, 30) {
    my $query = join '&', map { "tag=$_" } @some;
    $r->expect(201, 'PUT', '/v2/h/manifests/' . sha256($bytes) . "?$query",
        headers => ['Content-Type' => $TYPE{oci}], body => $bytes);
}

my @clients;
push @clients, client("write$_", $registries[$_ % 2], \&write_one) for 0 .. 3;
push @clients, client("read$_", $registries[$_ % 2], \&read_one) for 0 .. 3;
push @clients, client("list$_", $registries[$_ % 2], \&list_one) for 0 .. 1;


# ---- meanwhile

my $end = now() + $seconds;
my @trouble = (
    sub { $redis->kill; sleep 0.3; $redis->start },
    sub { $registries[0]->crash_worker },
    sub { $redis->pause; sleep 0.5; $redis->resume },
    sub { my ($pid) = $registries[1]->worker_pids;
          kill 'STOP', $pid; sleep 0.6; kill 'CONT', $pid },
    sub { $registries[1]->crash_worker },
    sub { $redis->cli('FLUSHALL') },
    sub { $redis->cli('CLIENT', 'KILL', 'TYPE', 'pubsub') },
    sub { $redis->cli('CLIENT', 'KILL', 'TYPE', 'normal') },
);
my $troubles = 0;
while (now() < $end) {
    sleep 0.3;
    $trouble[$troubles++ % @trouble]->();
}
waitpid($_, 0) for @clients;
diag("$troubles troubles in $seconds seconds");


# ---- the verdict

my @history = map { JSON::PP->new->decode($_) }
    map { split /\n/, Test::Registry::Tree->content($_) } glob "$dir/*.history";

for my $tag (@tags) {
    my @of = grep { $_->{tag} eq $tag } @history;
    my %write = (sha256(manifest({ begin => $tag }))
        => [{ begin => 0, end => 0 }], 404 => []);
    my @acked;
    for my $op (grep { $_->{what} eq 'write' } @of) {
        push @{ $write{ $op->{value} } }, $op;
        push @acked, $op if defined $op->{end};
    }
    @acked = sort { $a->{end} <=> $b->{end} } @acked;

    # Of a list, all digests are the same.
    $write{gone} = $write{404};
    $write{there} = [map { $_ eq '404' || $_ eq 'gone' ? () : @{ $write{$_} } }
        keys %write];

    my ($read, $stale, $worst, @wrong, @never) = (0, 0, 0);
    for my $op (grep { $_->{what} eq 'read' } @of) {
        $read++;
        push(@never, $op), next unless exists $write{ $op->{value} };

        # The longest that any write of this value can have been over.
        my $age = age($op, $write{ $op->{value} }, \@acked);
        next unless $age > 0;
        $stale++;
        $worst = $age if $age > $worst;
        push @wrong, $op if $age > $bound;
    }

    my $lists = grep { $_->{value} =~ /^(?:gone|there)$/ } @of;
    ok($lists > $seconds, "$tag was listed, or not") or diag($lists);

    my $deletes = grep { $_->{value} eq '404' } @acked;
    diag(sprintf '%s: %d reads, %d writes of which %d deletes acknowledged;'
        . ' %d reads were late, the latest by %.1f ms', $tag, $read,
        scalar(@acked), $deletes, $stale, 1000 * $worst);
    ok($read > 20 * $seconds, "$tag was read") or diag($read);
    ok(@acked > $seconds, "$tag was written") or diag(scalar @acked);
    ok(!@never, "$tag never had what nobody wrote")
        or diag(explain($never[0]));
    ok(!@wrong, "$tag is not older than $bound s") or diag(explain($wrong[0]));
}

my @broken = grep { $_->{what} eq 'broken' } @history;
ok(!@broken, 'what was always there is in each list, once and in its place')
    or diag(explain($broken[0]));

# In the end, all agree with the disk.
for my $tag (@tags) {
    my ($disk) = Test::Registry::Tree->content(
        $r->path("repositories/h/_manifests/tags/$tag/current/link")) // 404;
    my %seen;
    ok(wait_until(20, sub {
        %seen = map { value_of($_, $tag) => 1 } (@registries) x 4;
        return keys %seen == 1 && $seen{$disk};
    }), "$tag is everywhere what it is on disk") or diag(explain(\%seen));
}

fsck_ok($r, 'the tree is sound');
done_testing;


sub now { return clock_gettime(CLOCK_MONOTONIC) }


# How long before the read the last write of its value had surely been replaced;
# 0 if it may still have been there.

sub age {
    my ($op, $writes, $acked) = @_;

    my $least;
    for my $write (@$writes) {
        return 0 unless defined $write->{end};         # may come at any time
        return 0 if $write->{begin} > $op->{end};      # cannot be, but is not
                                                       # what is asked here
        my $over;
        for my $later (@$acked) {
            last if $later->{end} >= $op->{begin};
            next if $later->{begin} <= $write->{end};
            $over = $op->{begin} - $later->{end};
            last;
        }
        return 0 unless defined $over;
        $least = $over if !defined $least || $over < $least;
    }

    return $least // 1e9;
}


sub client {
    my ($name, $registry, $code) = @_;

    my $pid = fork() // die;
    return $pid if $pid;

    srand $$;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    open(my $file, '>', "$dir/$name.history") or POSIX::_exit(1);
    my $until = now() + $seconds;
    my $n = 0;
    while (now() < $until) {
        print $file json($_), "\n"
            for $code->($registry, $tags[rand @tags], "$name/" . $n++);
    }
    close $file;
    POSIX::_exit(0);
}


# A write that was not acknowledged may take place, now or later: it has no end.

sub write_one {
    my ($registry, $tag, $name) = @_;

    my $bytes = manifest({ name => $name });
    my $delete = rand() < 0.2;
    my $op = { what => 'write', tag => $tag, begin => now(),
        value => $delete ? '404' : sha256($bytes) };
    my $a = eval { $registry->request($delete ? 'DELETE' : 'PUT',
        "/v2/h/manifests/$tag", timeout => 5,
        $delete ? () : (body => $bytes, headers => [
            'Content-Type' => $TYPE{oci} ])) };

    return if $a && $a->{status} == 404;               # it was gone already
    $op->{end} = now() if $a && $a->{status} =~ /^20[12]$/;
    sleep 0.02;

    return $op;
}


sub value_of {
    my ($registry, $tag) = @_;

    my $a = eval { $registry->request('HEAD', "/v2/h/manifests/$tag",
        timeout => 5) } or return '';
    return $a->{status} == 200 ? $a->header('docker-content-digest')
                               : $a->{status};
}


sub read_one {
    my ($registry, $tag) = @_;

    my $begin = now();
    my $value = value_of($registry, $tag);
    return unless $value =~ /^(?:sha256:.*|404)$/;     # it was down

    return { what => 'read', tag => $tag, begin => $begin, end => now(),
        value => $value };
}


# One list is a read of each tag.

sub list_one {
    my ($registry) = @_;

    my $begin = now();
    my $a = eval { $registry->request('GET', '/v2/h/tags/list', timeout => 5) };
    return unless $a && $a->{status} == 200;           # it was down

    my $end = now();
    my @seen = @{ $a->json->{tags} };
    my %is = map { $_ => 1 } @seen;
    my $want = join ' ', sort(@others, grep { $is{$_} } @tags);

    return { what => 'broken', tag => '', seen => "@seen" }
        if $want ne "@seen";
    return map { { what => 'read', tag => $_, begin => $begin, end => $end,
        value => $is{$_} ? 'there' : 'gone' } } @tags;
}
