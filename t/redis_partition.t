# Two workers on one tree, of which one is cut off from Redis, or reads the disk
# slowly while the other one writes (SECURITY.md F7, F11; T1, T3, T4 of
# src/reg_tagcache.h).

use Test::Registry;
use Test::Registry::Redis;

use POSIX ();
use Time::HiRes qw(sleep time);

my $bound = 0.25;
my $redis = Test::Registry::Redis->new;
my %worker = (tags => '{ask: always, ttl: 1h, timeout: 50ms,'
    . ' breaker: {retry: 50ms}}');
my $near = Test::Registry->new(config => $redis->yaml, worker => { %worker });

my $wire = "$near->{dir}/wire.sock";
my $proxy = $redis->proxy($wire);
my $far = Test::Registry->new(root => $near->root, worker => { %worker },
    config => "redis:\n  addr: $wire\n");

my @images = map { $near->push_image('a', "image$_",
    config => json({ n => $_ })) } 0 .. 2;


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

sub value { return $redis->cli('GET', "nginx-registry:v:{a}:$_[0]") }

sub warm {
    my ($tag, $image) = @_;

    return wait_until(10, sub {
        (grep { digest_of($_, $tag) ne $image->{digest} } ($near, $far) x 2)
            == 0 && value($tag) =~ /$image->{digest}/;
    });
}

sub is_soon {
    my ($registry, $tag, $image, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($begin, $late) = (time, 0);
    while (time - $begin < 2 * $bound) {
        my $asked = time;
        $late = $asked - $begin
            if digest_of($registry, $tag) ne $image->{digest};
    }
    diag(sprintf '%s: late by %.0f ms', $title, 1000 * $late);
    ok($late <= $bound, $title);
}


# ---- cut off

tag($near, 'v', $images[0]);
ok(warm('v', $images[0]), 'both are warm');
kill 'STOP', -$proxy;
tag($near, 'v', $images[1]);
is_soon($far, 'v', $images[1],
    'who is cut off hears nothing, and goes to disk');

is(digest_of($near, 'v'), $images[1]{digest}, 'the other one is warm') for 1, 2;
tag($far, 'v', $images[2]);
is_soon($near, 'v', $images[2], 'who is cut off raises the fence');
is(digest_of($far, 'v'), $images[2]{digest}, 'and sees what it wrote');
is($far->request('DELETE', '/v2/a/manifests/v')->{status}, 202,
    'a delete there');
is_soon($near, 'v', { digest => '404' }, 'is seen');
like($far->log_of_worker, qr/not used: it did not answer in time/,
    'the log says why');
kill 'CONT', -$proxy;

tag($near, 'v', $images[0]);
ok(warm('v', $images[0]), 'healed');
tag($far, 'v', $images[1]);
ok(wait_until(10, sub { digest_of($near, 'v') eq $images[1]{digest} }),
    'messages go through again');


# ---- slow

# Each open below repositories/ takes this long; a read of a tag has two, of
# the tag's link and then of the manifest's.
my $slow = Test::Registry->new(root => $near->root, config => $redis->yaml,
    worker => { tags => '{ask: always, ttl: 1h, timeout: 50ms}' }, env => {
        LD_PRELOAD => join(' ', grep { length } $ENV{REGISTRY_PRELOAD},
            $ENV{REGISTRY_SLOW_OPEN} // 'build/slow_open.so'),
        SLOW_OPEN_US => 400_000 });
ok(wait_until(10, sub { digest_of($slow, 'image1');
    value('image1') =~ /sha256/ }), 'a slow worker uses Redis');

for my $case (
    ['a write', $images[2]{digest}, sub { tag($near, $_[0], $images[2]) }],
    ['a delete', 404, sub {
        $near->request('DELETE', "/v2/a/manifests/$_[0]") }],
) {
    my ($what, $want, $change) = @$case;
    my ($tag, $lease, $read);

    # A reader that was slower still has read what is: then once more.
    for (1 .. 10) {
        $tag = 'race' . int rand 1e9;
        tag($near, $tag, $images[0]);

        my ($reader) = fork() // die;
        if ($reader == 0) {
            my $old = eval { digest_of($slow, $tag) } // '';
            POSIX::_exit($old eq $images[0]{digest} ? 0 : 1);
        }
        # The lease is there before the link is opened, and the link was read
        # before the manifest's is opened.
        my $ended;
        wait_until(20, sub {
            return ($lease = value($tag) =~ /^\?/)
                || ($ended = waitpid($reader, POSIX::WNOHANG()));
        });
        sleep 0.6;
        $change->($tag);
        waitpid $reader, 0 if !$ended;
        $read = $?;
        last if $lease && $read == 0;
    }
    ok($lease, "$what: a lease");
    is($read, 0, "$what: a slow reader had read what was");
    unlike(value($tag), qr/$images[0]{digest}/, 'which it does not put back');
    is(digest_of($_, $tag), $want, "$what is what is seen") for $near, $far;
    is(digest_of($slow, $tag), $want, 'by the slow one too');
}

kill 'KILL', -$proxy;
waitpid $proxy, 0;
fsck_ok($near, 'the tree is sound');
done_testing;
