# registryctl cache: what Redis remembers, compared with the disk, made void.

use Test::Registry;
use Test::Registry::Redis;

my $redis = Test::Registry::Redis->new(config => ['requirepass geheim']);
my $r = Test::Registry->new(config => $redis->yaml(password => 'geheim'),
    worker => { tags => '{ask: always, ttl: 1h, timeout: 60s}' });
my $ctl = $ENV{REGISTRY_CTL} // 'build/registryctl';

my @tags = map { "t$_" } 1 .. 40;
my $image = $r->push_image('a/b', $tags[0]);
$r->push_manifest('a/b', $_, $image->{bytes}) for @tags;
my $new = $r->push_image('a/b', 'new', config => '{"new":1}');


sub cache {
    my (@args) = @_;
    return $r->run($ctl, 'cache', @args, '--config', $r->config_file);
}

sub cli { return $redis->cli('--no-auth-warning', '-a', 'geheim', @_) }

sub counts {
    my ($command) = @_;
    my ($status, $out) = cache($command, '--json');
    return ($status, eval { JSON::PP->new->decode(($out =~ /^(\{".*\})$/m)[0]) }
        // $out);
}

sub warm {
    return wait_until(10, sub {
        $r->request('HEAD', "/v2/a/b/manifests/$_") for @tags;
        return (counts('stats'))[1]{tags} == @tags;
    });
}

ok(warm(), 'all tags are in Redis');
my ($status, $sum) = counts('stats');
is($status, 0, 'stats');
is($sum->{address}, $redis->address, 'names the server');
is($sum->{$_}, 0, "none $_") for qw(void odd differ);
($status, my $out) = cache('verify');
is($status, 0, 'verify: all is well');
like($out, qr/: 40 tags, 0 lists, .*0 differ$/m, 'it says so');
unlike($out, qr/geheim/, 'without a secret');

# A list of tags, all of which were found on disk.
sub list { return $r->request('GET', '/v2/a/b/tags/list') }
my $key = 'nginx-registry:l:{a/b}';
ok(wait_until(10, sub {
    list();
    my $members = cli('ZRANGEBYLEX', $key, '-', '+');
    return $members =~ /^![0-9a-f]{16} / && $members !~ /\x01/;
}), 'a list is in Redis');
($status, $sum) = counts('verify');
is($status, 0, 'verify: all is well');
is($sum->{lists}, 1, 'with a list');
is($sum->{differ}, 0, 'that is as the disk');
my $t40 = $r->path('repositories/a/b/_manifests/tags/t40');
my $more = $r->path('repositories/a/b/_manifests/tags/more');
rename $t40, $more or die;
($status, $out) = cache('verify');
is($status, 1, 'verify: two tags of a list differ, and one by itself');
like($out, qr/^\Q$key\E: t40 is in Redis, and not on disk$/m, 'one');
like($out, qr/^\Q$key\E: more is on disk, and not in Redis$/m, 'the other');
like($out, qr/^nginx-registry:v:\{a\/b\}:t40: .* the disk no such tag$/m,
    'and the tag');
is((counts('verify'))[1]{differ}, 3, 'three in all');
rename $more, $t40 or die;
is((cache('verify'))[0], 0, 'all is well again');
is((counts('stats'))[1]{lists}, 1, 'stats counts it');
cli('ZADD', $key, 0, 'no tag');
is((counts('verify'))[1]{odd}, 1, 'one that has what is no tag is not ours');
cli('ZREM', $key, 'no tag');

# What another program wrote.
write_file($r->path("repositories/a/b/_manifests/tags/t7/current/link"),
    $new->{digest});
unlink $r->path("repositories/a/b/_manifests/tags/t8/current/link");
cli('SET', 'nginx-registry:v:{a/b}:odd', 'nonsense', 'PX', 60_000);
cli('RPUSH', 'nginx-registry:v:{a/b}:list', 1);
cli('SET', 'other', 1);
($status, $out) = cache('verify');
is($status, 1, 'verify: some differ');
my $difference = "t7: Redis says $image->{digest}, the disk $new->{digest}";
like($out, qr/^nginx-registry:v:\{a\/b\}:$difference$/m, 'which, and what');
like($out, qr/:t8: Redis says \S+, the disk no such tag$/m, 'which is gone');
($status, $sum) = counts('verify');
is($sum->{differ}, 3, 'two, and one of them in the list as well');
is($sum->{odd}, 2, 'and two that are not ours');
is($sum->{tags}, 38, 'the others are right');

is($r->request('HEAD', '/v2/a/b/manifests/t7')
    ->header('docker-content-digest'), $image->{digest},
    'the worker believes it');
($status, $out) = cache('flush');
is($status, 0, 'flush') or diag($out);
ok(wait_until(10, sub { !grep { $_ eq 't8' } @{ list()->json->{tags} } }),
    'the list is read from disk');
ok(wait_until(10, sub { ($r->request('HEAD', '/v2/a/b/manifests/t7')
    ->header('docker-content-digest') // '') eq $new->{digest} }),
    'the worker has forgotten it');
is($r->request('HEAD', '/v2/a/b/manifests/t8')->{status}, 404, 'and that');
is(cli('GET', 'other'), 1, 'what is not ours stays');
($status, $sum) = counts('stats');
cmp_ok($sum->{void}, '>', 30, 'the rest is void');

# It waits longer than a request, of which none may take more than 10 ms.
$redis->pause;
my $resumes = fork() // die "fork: $!";
if ($resumes == 0) {
    select undef, undef, undef, 0.3;
    $redis->resume;
    POSIX::_exit(0);
}
($status, $sum) = counts('stats');
is($status, 0, 'stats of a Redis that is slow') or diag($sum);
waitpid $resumes, 0;

# Without Redis.
$redis->stop;
($status, $out) = cache('stats');
is($status, 1, 'stats without Redis');
like($out, qr/registryctl: .*redis\.sock.*No such file/, 'says why')
    or diag($out);
($status, $out) = cache('flush');
is($status, 0, 'flush needs none');
write_file($r->config_file, $r->tree->content($r->config_file)
    =~ s/^redis:.*\z//msr);
($status, $out) = cache('stats');
is($status, 1, 'no redis in the configuration');
like($out, qr/no redis/, 'says so');

($status, $out) = $r->run($ctl, 'cache', '--help');
is($status, 0, '--help');
like($out, qr/verify/, 'helps');
for my $wrong ([], ['what'], ['stats', 'more'], ['--what']) {
    ($status, $out) = $r->run($ctl, 'cache', @$wrong);
    is($status, 2, "cache @$wrong");
}

done_testing;
