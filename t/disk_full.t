# A disk that fills up in the middle of a push: a clear 507, nothing lost, and
# all is well again when there is room.

use File::Temp qw(tempdir);
use Test::Registry;

my $dir = tempdir('registry-disk-XXXXXX', TMPDIR => 1, CLEANUP => 0);
my ($disk, @mounted) = "$dir/tmpfs";
my $owner = $$;

END {
    if ($$ == $owner) {
        system('umount', '-l', $_) for @mounted;
        system('rm', '-rf', '--one-file-system', $dir);
    }
}

sub mounted {
    my ($where, $how) = @_;

    mkdir $where or die "$where: $!\n";
    return 0 if system("mount $how $where 2> $dir/mount.log") != 0;
    push @mounted, $where;
    return 1;
}

plan(skip_all => 'a file system can be mounted by root only') if $> != 0;
mounted($disk, '-t tmpfs -o size=24m registry-test')
    or plan(skip_all => 'this machine lets nobody mount a tmpfs');

my $r = Test::Registry->new(root => $disk,
    registry => 'registry_min_free 0;');
$r->expect_log(qr/No space left on device/);

my $image = $r->push_image('a', 'kept', layers => [bytes('kept', 1_000_000)]);


sub full_ok {
    my ($answer, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    error_is($answer, 507, 'INSUFFICIENT_STORAGE', $title);
}

sub kept_ok {
    my ($title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @lost = grep { sha256($r->request('GET', "/v2/a/blobs/$_")->{body})
        ne $_ } @{ $image->{blobs} };
    push @lost, 'the manifest' if $r->request('GET', '/v2/a/manifests/kept')
        ->{body} ne $image->{bytes};
    ok(!@lost, "$title: what was there can be pulled") or diag("@lost");
}

sub room { return (split ' ', (`df -kP $disk`)[-1])[3] }

my $before = room();
my $big = bytes('big', 30_000_000);


# ---- full in the middle of a body

for my $case (
    ['PATCH', 'with a length'],
    ['PATCH', 'chunked',       chunked => 65_536],
    ['PUT',   'with a length'],
    ['PUT',   'chunked',       chunked => 65_536],
)
{
    my ($method, $title, @how) = @$case;
    my $location = $r->start_upload('a');
    my $target = $method eq 'PUT' ? with_digest($location, sha256($big))
        : $location;
    full_ok($r->request($method, $target, body => $big, @how),
        "$method $title: the disk is full");
    kept_ok("$method $title");
    ok(!-e $r->tree->blob(sha256($big)), 'nothing is published');

    my $status = $r->request('GET', $location);
    if ($status->{status} == 204) {
        my ($last) = $status->header('range') =~ /^0-(\d+)$/;
        cmp_ok($last, '<', 24 << 20, 'the session says what it could keep');
        is($r->request('DELETE', $location)->{status}, 204,
            'and can be cancelled');
    }
    cmp_ok(room(), '>=', $before - 256, 'which frees the room');
}

full_ok($r->request('POST', '/v2/a/blobs/uploads/?digest=' . sha256($big),
    body => $big), 'a single POST: the disk is full');
system('find', $r->path('repositories/a/_uploads'), '-mindepth', 1, '-delete');


# ---- full to the last page

my $location = $r->start_upload('a');
my $filler = "$disk/filler";
system("dd if=/dev/zero of=$filler bs=64k 2>/dev/null");
is(room(), 0, 'there is no room at all');

full_ok($r->request('PATCH', $location, body => bytes('some', 100_000)),
    'PATCH without any room');
my $manifest = json({ %{ JSON::PP->new->utf8->decode($image->{bytes}) },
    annotations => { n => 'x' x 5000 } });
full_ok($r->request('PUT', '/v2/a/manifests/new', body => $manifest,
    headers => ['Content-Type' => $TYPE{oci}]), 'a manifest without any room');
is($r->request('HEAD', '/v2/a/manifests/new')->{status}, 404,
    'no tag was set');
my $a = $r->request('PUT', '/v2/a/manifests/kept', body => $manifest,
    headers => ['Content-Type' => $TYPE{oci}]);
full_ok($a, 'a tag that would move');
kept_ok('without any room');
like($r->request('POST', '/v2/a/blobs/uploads/', body => '')->{status},
    qr/^(?:202|507)$/, 'a new session: yes, or a clear no');
is($r->request('GET', '/v2/a/tags/list')->{status}, 200, 'lists can be had');
my $gone = $r->request('DELETE', "/v2/a/blobs/$image->{blobs}[1]");
is($gone->{status}, 202, 'a delete works without room') or diag($gone);

unlink $filler;
$r->push_blob('a', bytes('kept', 1_000_000));
$r->push_image('a', 'after', layers => [bytes('after', 2_000_000)]);
kept_ok('with room again');
my $left = bytes('some', 100_000);
$a = $r->request('GET', $location);
my $have = ($a->header('range') // '') =~ /^0-([1-9]\d*)$/ ? $1 + 1 : 0;
$a = $r->request('PUT', with_digest($location, sha256($left)),
    body => substr($left, $have));
is($a->{status}, 201, "the interrupted upload goes on from $have") or diag($a);
is(scalar(grep { m{^_tmp/} } $r->tree->files), 0, 'no temporary file is left');

fsck_ok($r, 'the tree is sound');


# ---- a reserve that pushes must leave

my $reserve = Test::Registry->new(root => $disk,
    registry => 'registry_min_free 100m;');
$reserve->expect_log(qr/No space left on device|INSUFFICIENT|disk is full/i);
$location = eval { $reserve->start_upload('b') };
if (defined $location) {
    my $answer = $reserve->request('PATCH', $location, body => 'x' x 1000);
    error_is($answer, 507, 'INSUFFICIENT_STORAGE',
        'registry_min_free keeps its reserve');
} else {
    like($@, qr/507/, 'registry_min_free keeps its reserve');
}
is($reserve->request('GET', '/v2/a/manifests/after')->{status}, 200,
    'pulls are served');


# ---- a body that nobody told the length of leaves the reserve alone

{
    my $small = Test::Registry->new(root => $disk,
        registry => 'registry_min_free 4m;');
    $small->expect_log(qr/INSUFFICIENT|disk is full/i);
    system('rm', '-rf', glob("$disk/docker/registry/v2/repositories/*"),
        glob("$disk/docker/registry/v2/blobs/*"));
    my $location = $small->start_upload('b');
    full_ok($small->request('PATCH', $location, body => $big,
        chunked => 65_536), 'chunked: the reserve is left alone');
    cmp_ok(room(), '>=', 4 << 10, 'and is there');
    is($small->request('DELETE', $location)->{status}, 204,
        'the session can be cancelled');
}


# ---- no inode is left: what df calls free is no room

SKIP: {
    my ($file, $few) = ("$dir/ext4", "$dir/few");
    is(system("truncate -s 64M $file && mkfs.ext4 -q -F -N 1000 $file"), 0,
        'an ext4 of a thousand inodes is made');
    mounted($few, "-o loop $file")
        or skip('this machine lets nobody mount ext4', 1);
    my $r = Test::Registry->new(root => $few,
        registry => 'registry_min_free 0;');
    $r->expect_log(qr/No space left on device|INSUFFICIENT_STORAGE/);

    $r->push_blob('few', $_) for '{}', 'layer';
    my $manifest = sub { json(image_manifest(config => '{}',
        layers => ['layer'], more => { annotations => { n => "$_[0]" } })) };
    my $put = sub { $r->request('PUT', "/v2/few/manifests/v$_[0]",
        body => $manifest->($_[0]),
        headers => ['Content-Type' => $TYPE{oci}]) };
    my ($n, $answer) = 0;
    do { $answer = $put->(++$n) } while $answer->{status} == 201 && $n < 1000;

    full_ok($answer, "and the manifest that finds none, $n");
    like($answer->{body}, qr/inodes/, 'it says that it may be these');
    cmp_ok((split ' ', (`df -kP $few`)[-1])[3], '>', 10_000,
        'there is much room');
    my @lost = grep { $r->request('GET', "/v2/few/manifests/v$_")->{body}
        ne $manifest->($_) } 1 .. $n - 1;
    ok(!@lost, 'all that were acknowledged are there') or diag("@lost");
    is($r->request('GET', "/v2/few/manifests/v$n")->{status}, 404,
        'and the other one is not');
    is($r->request('GET', '/v2/few/tags/list?n=1000')->{status}, 200,
        'lists can be had');

    is($r->request('DELETE', "/v2/few/manifests/v$_")->{status}, 202,
        "a tag can be deleted, $_") for 1 .. 5;
    is($put->($n)->{status}, 201, 'and then it can be pushed');
    fsck_ok($r, 'that tree is sound, too');
}

done_testing;
