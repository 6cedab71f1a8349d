# A worker that remembers tags stays within nginx_registry.tags.memory and
# 20 MiB more, however many there are.
#
# 20 000 tags in 100 repositories; `make test-tags` takes a million in 1000
# (REGISTRY_TAGS, REGISTRY_REPOSITORIES, REGISTRY_TAGS_MEMORY in MiB).

use Test::Registry;
use Test::Registry::Redis;

use Time::HiRes qw(time);

my $tags = $ENV{REGISTRY_TAGS} // 20_000;
my $repositories = $ENV{REGISTRY_REPOSITORIES} // 100;
my $memory = $ENV{REGISTRY_TAGS_MEMORY} // 1;
my $each = $tags / $repositories;

my $redis = Test::Registry::Redis->new;
my $r = Test::Registry->new(config => $redis->yaml,
    worker => { tags => "{ttl: 1h, memory: ${memory}m}" });

my $image = $r->push_image('many/r0', 'first');
my $link = $r->path('repositories/many/r0/_manifests/tags/first/current/link');
my $revision = sprintf '_manifests/revisions/sha256/%s/link',
    $image->{digest} =~ s/^sha256://r;

# One file under many names, until it can have no more of them.

sub place {
    my ($path) = @_;

    return if link $link, $path;
    write_file($path, $image->{digest});
    $link = $path;
}

# As another registry would have left them.
my $begin = time;
for my $n (0 .. $repositories - 1) {
    my $repository = $r->path("repositories/many/r$n");
    if ($n > 0) {
        system('mkdir', '-p', "$repository/_manifests/tags",
            "$repository/$revision" =~ s{/link$}{}r) == 0 or die;
        place("$repository/$revision");
    }
    for my $tag (1 .. $each) {
        my $dir = "$repository/_manifests/tags/v$tag";
        mkdir $dir and mkdir "$dir/current" or die "$dir: $!";
        place("$dir/current/link");
    }
}
diag(sprintf '%d tags made in %.0f s', $tags, time - $begin);

my $pid = ($r->worker_pids)[0];
my $before = rss($pid);
$begin = time;
my @wrong = grep { $_ ne 0 } in_parallel(4, sub {
    my ($part) = @_;
    my ($bad, $connection, $n) = (0, undef, 0);
    for (my $repo = $part; $repo < $repositories; $repo += 4) {
        for my $tag (1 .. $each) {
            $connection = $r->connect if $n++ % 900 == 0;
            my $a = $connection->request('HEAD',
                "/v2/many/r$repo/manifests/v$tag");
            $bad++ if $a->{status} != 200;
        }
    }
    return $bad;
}, 1800);
is_deeply(\@wrong, [], 'every tag was read');
diag(sprintf '%d reads in %.0f s', $tags, time - $begin);

my $peak = rss_peak($pid);
diag(sprintf 'worker: %.1f MiB before, %.1f at most, %d MiB for tags',
    $before / 1024, $peak / 1024, $memory);
ok(sanitized() || $peak < 1024 * ($memory + 20),
    "no more than $memory + 20 MiB");

done_testing;
