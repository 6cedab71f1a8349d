# The tree is gone while the registry runs, as when its disk is not mounted: no
# empty registry answers then, nothing is written where it was, and all is well
# again when it is back (SECURITY.md F5).

use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });
$r->expect_log(qr/No such file or directory|Stale file handle|was ended by/);

my $image = $r->push_image('team/app', 'v1', layers => [bytes('l', 100_000)]);
my ($tree, $away) = ("$r->{root}/docker", "$r->{dir}/away");
my $manifest = "/v2/team/app/manifests/$image->{digest}";
my $blob = "/v2/team/app/blobs/$image->{blobs}[1]";
my $session = $r->start_upload('team/app');
my $n = 0;

sub put {
    my ($tag) = @_;

    my $bytes = json({ %{ JSON::PP->new->utf8->decode($image->{bytes}) },
        annotations => { n => ++$n } });
    return $r->request('PUT', "/v2/team/app/manifests/$tag", body => $bytes,
        headers => ['Content-Type' => $TYPE{oci}]);
}

is(put('before')->{status}, 201, 'a manifest, just before');
rename $tree, $away or die "$tree: $!\n";

for my $case (
    ['GET',    '/v2/team/app/manifests/v1'],
    ['HEAD',   '/v2/team/app/manifests/v1'],
    ['GET',    $manifest],
    ['DELETE', $manifest],
    ['GET',    $blob],
    ['HEAD',   $blob],
    ['DELETE', $blob],
    ['GET',    '/v2/team/app/tags/list'],
    ['GET',    '/v2/_catalog'],
    ['GET',    $session],
    ['POST',   '/v2/team/app/blobs/uploads/', body => ''],
    ['POST',   '/v2/new/blobs/uploads/', body => ''],
    ['POST',   '/v2/new/blobs/uploads/?digest=' . sha256('x'), body => 'x'],
    ['POST',   "/v2/new/blobs/uploads/?mount=$image->{blobs}[1]&from=team/app",
        body => ''],
)
{
    my ($method, $path, @opt) = @$case;
    my $answer = $r->request($method, $path, @opt);
    my $title = "$method $path" =~ s/[0-9a-f]{64}/.../gr;
    if ($method eq 'HEAD') {
        is($answer->{status}, 503, $title);
    } else {
        error_is($answer, 503, 'UNAVAILABLE', $title);
    }
}
like(put('while')->{status}, qr/^5/, 'a manifest');
is($r->request('GET', '/v2/')->{status}, 200, 'the door is open');
ok(!-e $tree, 'nothing was written where it was');

# The journal has found out as well: its checkpoint is half a second late.
ok(wait_until(20, sub { put('while')->{status} >= 500 && ++$n > 40 }),
    'it stays so');
ok(!-e $tree, 'and nothing is written');

# Nor does a worker that takes another one's place.
$r->kill_process(($r->worker_pids)[0]);
ok(wait_until(20, sub {
    $r->log_of_worker =~ /worker \d+ ended with status 1/ }),
    'a new worker does not start');

# It is tried again later and later.
my $deaths = qr/T(\d\d):(\d\d):(\d\d\.\d+)Z warn worker \d+ ended with status 1$/m;
my @at;
ok(wait_until(60, sub {
    my $log = $r->log_of_worker;
    @at = ();
    push @at, $1 * 3600 + $2 * 60 + $3 while $log =~ /$deaths/g;
    return @at >= 5;
}), 'again and again');
my @soon = grep {
    my $gap = $at[$_] - $at[$_ - 1];
    $gap += 86_400 if $gap < 0;
    $gap < 0.1 * 2 ** ($_ - 1) - 0.01;
} 1 .. 4;
ok(!@soon, 'but each time after twice as long') or diag("@at");
ok(!-e $tree, 'and makes no tree');

rename $away, $tree or die "$away: $!\n";
ok(wait_until(20, sub { $r->request('GET', $blob)->{status} == 200 }),
    'it is back: a blob') or diag($r->request('GET', $blob));
is($r->request('GET', '/v2/team/app/manifests/v1')->{body}, $image->{bytes},
    'a manifest');
my $answer = put('after');
is($answer->{status}, 201, 'a push, without a restart') or diag($answer);
$r->push_image('new', 'v1', layers => [bytes('new', 10_000)]);
is($r->request('PATCH', $session, body => 'x')->{status}, 202,
    'the upload goes on');

fsck_ok($r, 'the tree is sound');


# Another tree in its place is seen as well: what is not linked there is absent.

sub statuses { join ' ', map { $r->request('GET', $blob)->{status} } 1 .. 20 }

ok(wait_until(20, sub { statuses() eq join(' ', (200) x 20) }),
    'all workers of nginx have it') or diag(statuses());
system('cp', '-a', $tree, "$tree.copy") == 0 or die "cp failed\n";
rename $tree, $away or die "$tree: $!\n";
rename "$tree.copy", $tree or die "$tree: $!\n";
unlink $r->tree->layer('team/app', $image->{blobs}[1]) or die $!;
ok(wait_until(20, sub { statuses() eq join(' ', (404) x 20) }),
    'another tree is seen') or diag(statuses());

done_testing;
