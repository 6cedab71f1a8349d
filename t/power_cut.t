# The power is cut in the middle of pushes: what was acknowledged is there when
# the worker has started again, what was deleted stays away, nothing is torn.
#
# The tree lies on a file system of its own, in a file.  A copy of that file,
# taken while the servers and the disk stand still, is what a disk without a cache
# of its own holds at that moment: what the kernel had not written is not in it.
# REGISTRY_POWER_CUTS says how many for each file system (4).

use File::Temp qw(tempdir);
use Test::Registry;
use Time::HiRes qw(sleep);

plan(skip_all => 'a file system can be mounted by root only') if $> != 0;

# Whoever gets a name space of mounts meanwhile, a container say, has ours in it
# and keeps them when we unmount; and what is mounted there cannot be mounted
# again as a copy, with the same UUID.  So ours are where nobody else sees them.
if (!$ENV{REGISTRY_POWER_ALONE} && system('unshare', '-m', 'true') == 0) {
    $ENV{REGISTRY_POWER_ALONE} = 1;
    exec('unshare', '-m', '--propagation', 'private', $^X,
        (map { "-I$_" } @INC), $0) or die "unshare: $!";
}

my $cuts    = $ENV{REGISTRY_POWER_CUTS} // 4;
my $clients = 6;
my $owner   = $$;
my $dir     = tempdir('registry-power-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @mounted;

END {
    if ($$ == $owner) {
        write_file("$dir/$_.stop", '') for qw(ext4 xfs btrfs);
        system('umount', '-l', $_) for @mounted;
    }
}

sub run_quietly { return system("$_[0] >> $dir/tools.log 2>&1") == 0 }

sub mount_image {
    my ($image) = @_;

    my $place = "$image.mnt";
    mkdir $place;
    run_quietly("mount -o loop $image $place") or return;
    push @mounted, $place;
    return $place;
}

sub unmount {
    my ($place) = @_;

    @mounted = grep { $_ ne $place } @mounted;
    # a process that was just ended may hold it for a moment
    wait_until(10, sub { run_quietly("umount $place") });
}


# ---- what the clients do, line by line ---------------------------------------

# BEGIN and END of what a client asks for, in the order in which it happened:
# a line is written before the request and after its answer.  Of a blob, which
# nobody deletes, only the latter.

sub journal {
    my ($out, @words) = @_;

    syswrite($out, join(' ', @words) . "\n") or die "log: $!";
}

sub ask {
    my ($r, $out, $id, $repo, $tag, $want, $what) = @_;

    journal($out, 'begin', $id, $repo, $tag, $want);
    my $answer = eval { $what->() };
    journal($out, 'end', $id)
        if $answer && $answer->{status} && $answer->{status} =~ /^20[12]$/;
}

sub client {
    my ($r, $log, $stop, $i) = @_;

    open(my $out, '>>', $log) or die $!;
    srand(7000 + $i);
    my @mine;

    for (my $n = 0; !-e $stop; $n++) {
        my $repo = 'power/' . int rand 3;
        my $blob = bytes("$i/$n", 1 + int rand 20_000);
        my $body = json(image_manifest(config => $blob, layers => [$blob]));
        my $tag  = rand() < 0.3 ? 'moving' . int rand 2 : "own$i-$n";

        my $digest = eval { $r->push_blob($repo, $blob) } or next;
        journal($out, 'blob', $repo, $digest);
        ask($r, $out, "$i-$n", $repo, $tag, sha256($body), sub {
            $r->request('PUT', "/v2/$repo/manifests/$tag", body => $body,
                headers => ['Content-Type' => $TYPE{oci}], timeout => 20) });
        push @mine, [$repo, $tag] if $tag =~ /^own/;

        if (@mine > 3 && rand() < 0.2) {
            my ($where, $old) = @{ splice @mine, rand @mine, 1 };
            ask($r, $out, "$i-$n-d", $where, $old, 'gone', sub {
                $r->request('DELETE', "/v2/$where/manifests/$old",
                    timeout => 20) });
        }
    }
    return 1;
}


# ---- what may be found after it ----------------------------------------------

# For each tag, what it may be: what was begun and not followed by something
# that began after it had ended.

sub allowed {
    my ($file) = @_;

    open(my $in, '<', $file) or die $!;
    my (%op, @order, @blobs);
    my $time = 0;
    while (my $line = <$in>) {
        my ($what, $id, @rest) = split ' ', $line;
        if ($what eq 'blob') {
            push @blobs, [$id, @rest];
            next;
        }
        $time++;
        if ($what eq 'begin') {
            $op{$id} = { begin => $time, repo => $rest[0], tag => $rest[1],
                want => $rest[2] };
            push @order, $id;
        } else {
            $op{$id}{end} = $time;
        }
    }

    my %of;
    push @{ $of{"$_->{repo}:$_->{tag}"} }, $_ for map { $op{$_} } @order;
    for my $tag (keys %of) {
        my @ops = @{ $of{$tag} };
        # before all of them there was nothing
        unshift @ops, { begin => 0, end => 0, want => 'gone' };
        my $last = 0;
        for (@ops) {
            $last = $_->{begin} if defined $_->{end} && $_->{begin} > $last;
        }
        $of{$tag} = { map { $_->{want} => 1 }
            grep { !defined $_->{end} || $_->{end} >= $last } @ops };
    }

    return (\%of, \@blobs, scalar grep { defined $_->{end} } values %op);
}

sub lacks {
    my ($r, $repo, $digest) = @_;

    my $blob = $r->request('GET', "/v2/$repo/blobs/$digest");
    return $blob->{status} != 200 || sha256($blob->{body}) ne $digest
        ? "$repo lacks $digest: $blob->{status}" : ();
}

sub check {
    my ($r, $of) = @_;

    my @wrong;
    for my $name (sort keys %$of) {
        my ($repo, $tag) = split /:/, $name;
        my $answer = $r->request('GET', "/v2/$repo/manifests/$tag");
        my $found = $answer->{status} == 404 ? 'gone' : sha256($answer->{body});
        if ($answer->{status} !~ /^(?:200|404)$/ || !$of->{$name}{$found}) {
            push @wrong, "$name is $answer->{status} $found, not "
                . join(' or ', sort keys %{ $of->{$name} });
            next;
        }
        next if $found eq 'gone';
        my $config = JSON::PP->new->decode($answer->{body})->{config}{digest};
        push @wrong, map { "$name: $_" } lacks($r, $repo, $config);
    }
    return @wrong;
}


# ---- the cuts ------------------------------------------------------------------

sub stand_still {
    my ($r) = @_;

    my @pids = ($r->nginx_workers, $r->worker_pids, $r->worker_pid);
    kill 'STOP', @pids;
    for my $pid (@pids) {
        wait_until(10, sub {
            open(my $stat, '<', "/proc/$pid/stat") or return 1;
            return (readline($stat) // '') =~ /\) T /;
        });
    }
    return @pids;
}

# What the kernel has written to the disk of an image, and is writing.

sub written {
    my ($image) = @_;

    my $loop = `losetup -n -O NAME -j $image` =~ m{/dev/(\w+)} ? $1
        : die "$image is no loop device's";
    open(my $stat, '<', "/sys/block/$loop/stat") or die "$loop: $!";
    return join ' ', (split ' ', readline $stat)[4, 6, 8];
}

# A call that was under way when its process was stopped goes on in the kernel.
# What it writes while the copy is made would be in the one part of it and not
# in the other, as on no disk: then the copy is made again.

sub cut_power {
    my ($r, $image, $log) = @_;

    my $copy = "$image.$_[3]";
    my @pids = stand_still($r);
    run_quietly("cp $log $copy.log") or die "no copy of $log";
    wait_until(20, sub {
        my $before = written($image);
        run_quietly("cp --sparse=always $image $copy")
            or die "no copy of $image";
        return $before =~ / 0$/ && $before eq written($image);
    }) or die "the disk of $image does not come to rest";
    kill 'CONT', @pids;
    return $copy;
}

sub answers { return scalar(() = Test::Registry::Tree->content($_[0]) =~ /^end /mg) }

# So many answers, however long that takes.

sub await_answers {
    my ($log, $n) = @_;

    wait_until(60, sub { answers($log) >= $n })
        or die "there are no $n answers in $log";
}

sub push_and_cut {
    my ($image, $place) = @_;

    my ($log, $stop) = ("$image.log", "$image.stop");
    my $r = Test::Registry->new(root => $place, workers => 2,
        worker => { processes => 2 }, registry => 'registry_min_free 0;');
    my @copies;

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        in_parallel($clients, sub { client($r, $log, $stop, @_) }, 200);
        POSIX::_exit(0);
    }
    wait_until(20, sub { -s $log });
    for my $n (1 .. $cuts) {
        await_answers($log, 12 * $n);
        sleep 0.15 + rand 0.9;
        # at any moment, and right after an answer, of which only the journal knows
        await_answers($log, 1 + answers($log)) if $n % 2;
        push @copies, cut_power($r, $image, $log, $n);
    }
    write_file($stop, '');
    waitpid $pid, 0;
    $r->stop_nginx;
    $r->stop_worker;
    return @copies;
}

sub cut_ok {
    my ($kind, $copy) = @_;

    my $place = mount_image($copy) or die "$copy cannot be mounted";
    my $r = Test::Registry->new(root => $place,
        registry => 'registry_min_free 0;');
    my ($of, $blobs, $ended) = allowed("$copy.log");
    my @wrong = (check($r, $of), map { lacks($r, @$_) } @$blobs);
    my ($again) = $r->log_of_worker =~ /after a crash (\d+) files/;

    ok(!@wrong, "$kind: $ended answers and " . @$blobs
        . " blobs, and all of them hold"
        . (defined $again ? ", $again files by the journal" : ''))
        or diag(join "\n", @wrong > 10 ? @wrong[0 .. 9] : @wrong);
    fsck_ok($r, "$kind: the tree is sound");
    $r->stop_nginx;
    $r->stop_worker;
    unmount($place);
    unlink $copy;
    return ($ended, $again // 0);
}

# What the journal is used on (reg_sync.h).  Not ext4 without a journal of its
# own: after a power cut e2fsck guesses there, and may put together what never
# belonged together.
srand(5);
for my $case (['ext4', '128M', '-q -F -N 65536'], ['xfs', '320M', '-q'],
    ['btrfs', '256M', '-q']) {
    my ($kind, $size, $options) = @$case;
    my $image = "$dir/$kind";

    run_quietly("truncate -s $size $image")
        && run_quietly("mkfs.$kind $options $image")
        or die "no $kind can be made";

    SKIP: {
        my $place = mount_image($image)
            or skip("this machine lets nobody mount $kind", 1);
        my @copies = push_and_cut($image, $place);
        unmount($place);

        my ($ended, $again) = (0, 0);
        for my $copy (@copies) {
            my @counts = cut_ok($kind, $copy);
            $ended += $counts[0];
            $again += $counts[1];
        }
        cmp_ok($ended, '>', 10 * $cuts, "$kind: there was something to lose");
        cmp_ok($again, '>', 0, "$kind: the journal was needed");
    }
}

done_testing;
