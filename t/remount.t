# The disk of the tree is unmounted under the registry and comes back as another
# device: what was acknowledged is there, and all is well again by itself.

use File::Temp qw(tempdir);
use Test::Registry;

plan(skip_all => 'a file system can be mounted by root only') if $> != 0;

# Where nobody else has what is mounted here.
if (!$ENV{REGISTRY_REMOUNT_ALONE} && system('unshare', '-m', 'true') == 0) {
    $ENV{REGISTRY_REMOUNT_ALONE} = 1;
    exec('unshare', '-m', '--propagation', 'private', $^X,
        (map { "-I$_" } @INC), $0) or die "unshare: $!";
}

my $dir = tempdir('registry-remount-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $root = "$dir/root";
my $owner = $$;

sub can { return system("($_[0]) >> $dir/tools.log 2>&1") == 0 }
sub must { can($_[0]) or die "$_[0]\n" }

END { can("umount -l $root") if $$ == $owner }

mkdir $root or die $!;
must("truncate -s 64M $dir/disk0 && mkfs.ext4 -q -F $dir/disk0");
can("mount -o loop $dir/disk0 $root")
    or plan(skip_all => 'this machine lets nobody mount ext4');

my $r = Test::Registry->new(root => $root, workers => 2,
    worker => { processes => 2 }, registry => 'registry_min_free 0;');
$r->expect_log(qr/No such file or directory|Stale file handle/);

my $image = $r->push_image('team/app', 'v1', layers => [bytes('l', 100_000)]);
my $layer = "/v2/team/app/blobs/$image->{blobs}[1]";
my @acknowledged;

sub put {
    my ($tag) = @_;

    my $bytes = json({ %{ JSON::PP->new->utf8->decode($image->{bytes}) },
        annotations => { tag => $tag } });
    my $answer = $r->request('PUT', "/v2/team/app/manifests/$tag",
        body => $bytes, headers => ['Content-Type' => $TYPE{oci}]);
    push @acknowledged, [$tag, $bytes] if $answer->{status} == 201;
    return $answer;
}

# What a disk has that was pulled out: a copy that is made while nobody writes.
sub pull_out {
    my ($from, $to) = @_;

    my @pids = ($r->nginx_workers, $r->worker_pids);
    kill 'STOP', @pids;
    my ($loop) = `losetup -n -O NAME -j $from` =~ m{/dev/(\w+)};
    wait_until(300, sub {
        my $written = sub { return join ' ',
            (split ' ', Test::Registry::Tree->content(
                "/sys/block/$loop/stat"))[4, 6, 8] };
        my $before = $written->();
        must("cp --sparse=always $from $to");
        return $before =~ / 0$/ && $before eq $written->();
    }) or die "$from does not come to rest\n";
    kill 'CONT', @pids;
}

my $master = $r->worker_pid;

for my $n (1 .. 3) {
    is(put("just-before-$n")->{status}, 201, "$n: a push, just before");
    must("umount -l $root");
    error_is($r->request('GET', '/v2/team/app/manifests/v1'), 503,
        'UNAVAILABLE', "$n: a manifest of a disk that is away");
    ok(wait_until(300, sub { $r->request('GET', $layer)->{status} == 503 }),
        "$n: and, when a second is over, a blob");
    cmp_ok(put('never')->{status}, '>=', 500, "$n: nothing is pushed");
    pull_out("$dir/disk@{[ $n - 1 ]}", "$dir/disk$n");
    must("mount -o loop $dir/disk$n $root");

    ok(wait_until(300, sub {
        return !grep { put("back-$n-$_")->{status} != 201 } 1 .. 10 }),
        "$n: it is back, and pushes go on") or diag(put('now'));
    ok(wait_until(300, sub { $r->request('GET', $layer)->{status} == 200 }),
        "$n: a blob") or diag($r->request('GET', $layer));
    my @wrong = grep { my ($tag, $bytes) = @$_;
        $r->request('GET', "/v2/team/app/manifests/$tag")->{body} ne $bytes
    } (['v1', $image->{bytes}], @acknowledged);
    is(join(' ', map { $_->[0] } @wrong), '',
        "$n: all manifests that were acknowledged");
    $r->push_image('team/new', "v$n", layers => [bytes("new$n", 10_000)]);
    is($r->request('GET', '/v2/team/app/manifests/never')->{status}, 404,
        "$n: what was refused is not there");
    fsck_ok($r, "$n: the tree is sound");
}

is($r->worker_pid, $master, 'nobody has started the worker again');
$r->stop_nginx;
$r->stop_worker;
done_testing;
