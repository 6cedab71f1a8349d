# A tree that can only be read is served: at the start, and when it becomes so
# while the registry runs.  What would change it gets 503 with a sentence that says
# why, and all is well again by itself when it can be written.

use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Test::Registry;

plan(skip_all => 'a file system can be mounted by root only') if $> != 0;

# Where nobody else has what is mounted here.
if (!$ENV{REGISTRY_READ_ONLY_ALONE} && system('unshare', '-m', 'true') == 0) {
    $ENV{REGISTRY_READ_ONLY_ALONE} = 1;
    exec('unshare', '-m', '--propagation', 'private', $^X,
        (map { "-I$_" } @INC), $0) or die "unshare: $!";
}

my $dir = tempdir('registry-ro-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $owner = $$;
my @mounted;

END {
    if ($$ == $owner) {
        system('umount', '-l', $_) for reverse @mounted;
    }
}

sub can  { return system("($_[0]) >> $dir/tools.log 2>&1") == 0 }
sub must { can($_[0]) or die "$_[0]\n" }

can("mkdir $dir/try && mount --bind $dir/try $dir/try && umount $dir/try")
    or plan(skip_all => 'this machine lets nobody mount anything');

# Over the tree, the tree itself, but not to be written.  It is so before anybody
# can open something there to write.
sub forbid {
    my ($root) = @_;

    mkdir "$root.ro";
    must("mount --bind $root $root.ro");
    push @mounted, "$root.ro";
    must("mount -o remount,bind,ro $root.ro && mount --bind $root.ro $root");
    push @mounted, $root;
}

sub allow {
    must("umount -l " . pop @mounted) for 1 .. 2;
}

# The same by permissions, for who has no capabilities.
sub forbid_by_mode { must("chmod -R a-w $_[0]") }
sub allow_by_mode  { must("chmod -R u+w $_[0]") }

# What it holds; a file that is open already, the journal's, is still written.
sub state_of {
    my ($root) = @_;

    return [qx{cd $root/docker/registry/v2 &&
        find blobs repositories _catalog _tmp -printf '%p %y %s %T@\\n' | sort}];
}


# ---- what is asked of it

my ($image, $session);

sub fill {
    my ($r) = @_;

    $image = $r->push_image('team/app', 'v1',
        layers => [bytes('layer', 100_000)]);
    $r->push_blob('team/app', '{}');
    $r->push_manifest('team/app', 'signed', json(image_manifest(
        more => { subject => { mediaType => $image->{type},
            digest => $image->{digest},
            size => length $image->{bytes} } })));
    $session = $r->start_upload('team/app');
}

sub reads_ok {
    my ($r, $title) = @_;

    my $layer = "/v2/team/app/blobs/$image->{blobs}[1]";
    my @wrong;
    for (
        ['/v2/', 200], ['/v2/_catalog', 200, qr{"team/app"}],
        ['/v2/team/app/tags/list', 200, qr{"signed",(?:.*,)?"v1"}],
        ['/v2/team/app/manifests/v1', 200, qr/^\Q$image->{bytes}\E$/],
        ["/v2/team/app/manifests/$image->{digest}", 200],
        ["/v2/team/app/referrers/$image->{digest}", 200, qr/"digest"/],
        [$layer, 200, qr/^\Q@{[ bytes('layer', 100_000) ]}\E$/],
        [$session, 204], ['/v2/team/none/manifests/v1', 404],
    ) {
        my ($path, $status, $body) = @$_;
        my $answer = $r->request('GET', $path);
        push @wrong, "$path: $answer" if $answer->{status} != $status
            || $body && $answer->{body} !~ $body;
    }
    push @wrong, 'a range' if $r->request('GET', $layer,
        headers => [Range => 'bytes=5-9'])->{status} != 206;
    ok(!@wrong, "$title: it is read") or diag(join "\n", @wrong);
}

my $n = 0;

sub put {
    my ($r, $tag) = @_;

    return $r->request('PUT', "/v2/team/app/manifests/$tag", body =>
        json({ %{ JSON::PP->new->utf8->decode($image->{bytes}) },
            annotations => { n => ++$n } }),
        headers => ['Content-Type' => $TYPE{oci}]);
}

sub writes_refused {
    my ($r, $title) = @_;

    my $blob = "/v2/team/app/blobs/$image->{blobs}[1]";
    my $new = '/v2/team/app/blobs/uploads/';
    my @wrong;
    for (
        put($r, 'v1'), put($r, 'new'),
        $r->request('POST', $new, body => ''),
        $r->request('POST', "$new?digest=" . sha256('x'), body => 'x'),
        $r->request('POST', "/v2/other/blobs/uploads/?from=team/app&mount="
            . $image->{blobs}[1], body => ''),
        $r->request('PATCH', $session, body => 'x'),
        $r->request('PUT', with_digest($session, sha256('')), body => ''),
        $r->request('DELETE', $session),
        $r->request('DELETE', $blob),
        $r->request('DELETE', '/v2/team/app/manifests/v1'),
        $r->request('DELETE', "/v2/team/app/manifests/$image->{digest}"),
    ) {
        my ($error) = $_->errors;
        push @wrong, "$_" if $_->{status} != 503
            || $error->{code} ne 'UNAVAILABLE'
            || $error->{message} !~ /disk is read-only/;
    }
    ok(!@wrong, "$title: all that would change it gets 503 and says why")
        or diag(join "\n", @wrong);
}

# Somebody pulls all the time: the answers that were wrong.
sub pull_meanwhile {
    my ($r, $what) = @_;

    my $stop = "$dir/stop";
    unlink $stop;
    pipe my $in, my $out or die $!;
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        my $pulls = 0;
        until (-e $stop) {
            for ('manifests/v1', "blobs/$image->{blobs}[1]") {
                my $answer = eval { $r->request('GET', "/v2/team/app/$_") };
                $pulls++;
                print $out "$_: ", $answer // $@, "\n"
                    if !$answer || $answer->{status} != 200;
            }
        }
        print $out "pulls: $pulls\n";
        close $out;
        POSIX::_exit(0);
    }
    close $out;
    my $ok = $what->();
    write_file($stop, '');
    my @said = <$in>;
    waitpid $pid, 0;
    my ($pulls) = map { /^pulls: (\d+)/ } @said;
    return ($ok, $pulls, grep { !/^pulls/ } @said);
}

sub comes_back {
    my ($r, $title, $how, $done) = @_;

    my ($ok, $pulls, @wrong) = pull_meanwhile($r, sub {
        $how->();
        return wait_until(300, sub {
            $done->() && put($r, 'again')->{status} == 201 });
    });
    ok($ok, "$title: it is written again, and nobody has restarted it");
    ok(!@wrong && $pulls > 2, "$title: and all who pulled meanwhile could")
        or diag(@wrong);
    is($r->request('PATCH', $session, body => 'x')->{status}, 202,
        "$title: the upload goes on");
    $session = $r->start_upload('team/app');
    fsck_ok($r, "$title: the tree is sound");
}


# Each process says so once, when it has found out.
sub said {
    my ($r, $why) = @_;

    return scalar(() = $r->log_of_worker
        =~ /error .*cannot be written \($why\)/g);
}


# ---- by a mount, and by permissions

package Powerless;

our @ISA = ('Test::Registry');

# Root without what makes permissions mean nothing to him.
my @powerless = ('setpriv', '--bounding-set=-dac_override,-dac_read_search',
    '--inh-caps=-dac_override,-dac_read_search');

sub _worker_command { return (@powerless, $_[0]->SUPER::_worker_command) }

sub start_nginx {
    my ($self) = @_;

    my $program = $self->dir . '/nginx.sh';
    main::write_file($program, "#!/bin/sh\nexec @powerless " . $self->nginx
        . " \"\$@\"\n");
    chmod 0755, $program;
    local $ENV{REGISTRY_NGINX} = $program;
    $self->SUPER::start_nginx;
}

package main;

for my $case (
    ['a mount', 'Test::Registry', \&forbid, \&allow,
        qr/Read-only file system/],
    ['permissions', 'Powerless', \&forbid_by_mode, \&allow_by_mode,
        qr/Permission denied/],
) {
    my ($title, $class, $forbid, $allow, $why) = @$case;
    my $root = "$dir/" . $title =~ s/ //gr;
    mkdir $root or die $!;
    my $r = $class->new(root => $root, workers => 2,
        worker => { processes => 2 });
    $r->expect_log(qr/$why/);
    fill($r);
    $r->stop_worker;
    $forbid->($root);
    my $before = state_of($root);

    my @check = ($r->_worker_command, '--check');
    my ($status, $out) = $r->run(@check);
    is($status, 0, "$title: --check lets it start");
    like($out, qr/cannot be written \($why\): pulls are served/, 'and says so');
    $r->start_worker;
    like($r->log_of_worker, qr/warn .*cannot be written \($why\)/,
        'as the log does');
    reads_ok($r, $title);
    writes_refused($r, $title);
    is_deeply(state_of($root), $before, "$title: nothing has changed in it");
    # those who began without the journal make way for others
    ok(wait_until(300, sub { said($r, $why) == 2 }), "$title: each process says"
        . ' so');
    my @blind = $r->worker_pids;
    comes_back($r, $title, sub { $allow->($root) }, sub {
        my %now = map { $_ => 1 } $r->worker_pids;
        return 2 == keys %now && !grep { $now{$_} } @blind });

    # and while it runs: one of them, since each finds out by itself
    $r->{opt}{worker}{processes} = 1;
    $r->write_config;
    $r->restart_worker;
    is(put($r, 'later')->{status}, 201, "$title: it runs");
    @blind = $r->worker_pids;
    $forbid->($root);
    $title .= ', later';
    $before = state_of($root);
    writes_refused($r, $title);
    reads_ok($r, $title);
    ok(wait_until(300, sub { said($r, $why) == 3 }), "$title: the log says so");
    is_deeply(state_of($root), $before, "$title: nothing has changed in it");
    comes_back($r, $title, sub { $allow->($root) }, sub { 1 });
    is_deeply([$r->worker_pids], \@blind, "$title: by the same process");
    $r->stop_nginx;
    $r->stop_worker;
}


# ---- what a crash has left in the journal

{
    my $root = "$dir/crash";
    mkdir $root or die $!;
    my $r = Test::Registry->new(root => $root);
    $r->expect_log(qr/Read-only file system/);
    fill($r);
    # a visit of nginx's would make a checkpoint of what was taken away
    $r->restart_nginx;
    # one of a few crashes comes before the checkpoint
    my $missing = qr/error journal: (\d+) files of the last .* are missing/;
    my $link = $r->path('repositories/team/app/_manifests/tags/last/current/link');
    for (1 .. 40) {
        put($r, 'last');
        $r->kill_worker;
        unlink $link or die $!;          # as a power cut may
        forbid($root);
        $r->start_worker;
        wait_until(300, sub { $r->request('GET', '/v2/')->{status} == 200 });
        last if $r->log_of_worker =~ $missing;
        allow();
        wait_until(300, sub { put($r, 'last')->{status} == 201 });
    }
    like($r->log_of_worker, $missing, 'what is in the journal is not served, and'
        . ' the log says so');
    $r->log_of_worker =~ $missing;
    is($1, 1, 'of how many files');
    is($r->request('GET', '/v2/team/app/manifests/last')->{status}, 404,
        'it is missing');
    allow();
    ok(wait_until(300, sub {
        $r->request('GET', '/v2/team/app/manifests/last')->{status} == 200 }),
        'until the tree can be written');
    $r->stop_nginx;
    $r->stop_worker;
}


# ---- keys that are on the same disk

{
    my $root = "$dir/keys";
    mkdir $root or die $!;
    accounts("$dir/users", alice => 'secret');
    my $r = Test::Registry->new(root => "$root/tree",
        worker => { state => "$root/state" },
        config => "  tokens:\n    enabled: true\n"
            . "auth:\n  htpasswd:\n    path: $dir/users\n");
    $r->stop_worker;
    forbid($root);
    my ($status, $out) = $r->run($r->_worker_command, '--check');
    is($status, 0, 'keys that cannot be written are read') or diag($out);
    $r->start_worker;
    my $answer = $r->request('GET', '/v2/_token?service=registry',
        headers => [basic('alice', 'secret')]);
    like($answer->{body}, qr/"token"/, 'and sign') or diag($answer);
    allow();
    $r->stop_nginx;
    $r->stop_worker;
}


# ---- nothing to serve is another matter

{
    my $root = "$dir/empty";
    mkdir $root or die $!;
    my $r = Test::Registry->new;
    forbid($root);
    for my $option ('--check', '--socket') {
        my ($status, $out) = $r->run($r->_worker_command, '--root', $root,
            $option, $option eq '--check' ? () : "$dir/none.sock");
        is($status, 1, 'where there is no tree and none can be made, it ends');
        like($out, qr{\Q$root\E\S*: Read-only file system}, 'and says why');
    }
    allow();
}


# ---- a disk with an error

# What pushes hear until they are told to stop: what got 201.
sub push_all_the_time {
    my ($r, $log, $stop) = @_;

    my $pid = fork() // die "fork: $!";
    return $pid if $pid != 0;

    in_parallel(4, sub {
        my ($i) = @_;
        open(my $out, '>>', $log) or die $!;
        for (my $k = 0; !-e $stop; $k++) {
            my $body = json(image_manifest(config => '{}',
                layers => [], more => { annotations => { n => "$i/$k" } }));
            my $answer = eval { $r->request('PUT',
                "/v2/team/app/manifests/t$i-$k", body => $body,
                headers => ['Content-Type' => $TYPE{oci}]) };
            my $status = $answer ? $answer->{status} : 'nothing';
            syswrite $out, "$status t$i-$k " . sha256($body) . "\n";
        }
    }, 200);
    POSIX::_exit(0);
}

SKIP: {
    my $image_file = "$dir/ext4";
    my $root = "$dir/ext4.mnt";
    mkdir $root;
    must("truncate -s 64M $image_file && mkfs.ext4 -q -F $image_file");
    skip('this machine lets nobody mount ext4', 1)
        if system("mount -o loop,errors=remount-ro $image_file $root"
            . " 2> $dir/mount.log") != 0;
    push @mounted, $root;
    my ($loop) = qx{losetup -n -O NAME -j $image_file} =~ m{/dev/(\w+)};
    my $trigger = "/sys/fs/ext4/$loop/trigger_fs_error";

    my $r = Test::Registry->new(root => $root, worker => { processes => 2 },
        registry => 'registry_min_free 0;');
    $r->expect_log(qr/Read-only file system/);
    fill($r);
    my ($log, $stop) = ("$dir/ext4.log", "$dir/ext4.stop");
    write_file($log, '');
    my $pid = push_all_the_time($r, $log, $stop);
    wait_until(300, sub { 40 < (() = Test::Registry::Tree->content($log)
        =~ /^201 /mg) }) or die "nothing is pushed\n";
    write_file($trigger, 'a test');
    ok(wait_until(300, sub { Test::Registry::Tree->content($log)
        =~ /^503 /m }), 'an error of the disk: pushes get 503');
    write_file($stop, '');
    waitpid $pid, 0;
    my @heard = split /\n/, Test::Registry::Tree->content($log);
    # of what is under way at that moment the kernel says that it went wrong
    is(join(' ', grep { !/^(?:201|50[03]) / } @heard), '',
        'and nobody hears anything else');
    cmp_ok(scalar(grep { /^500 / } @heard), '<=', 4, 'which at most the four'
        . ' hear who were in the middle of it');
    writes_refused($r, 'an error of the disk');
    reads_ok($r, 'an error of the disk');
    ok(wait_until(300, sub { said($r, 'Read-only file system') > 0 }),
        'the log says so');

    # a start on it, too
    $r->restart_worker;
    writes_refused($r, 'a start after the error');
    reads_ok($r, 'a start after the error');

    $r->stop_nginx;
    $r->stop_worker;
    wait_until(300, sub {
        system("umount $root 2>> $dir/tools.log") == 0 })
        or die "$root: cannot be unmounted\n";
    system("e2fsck -fy $image_file > $dir/fsck.log 2>&1");
    must("mount -o loop $image_file $root");
    $r->start_worker;
    $r->start_nginx;
    my @lost = grep {
        my ($status, $tag, $digest) = split;
        my $answer = $r->request('GET', "/v2/team/app/manifests/$tag");
        $status eq '201' && ($answer->{status} != 200
            || sha256($answer->{body}) ne $digest)
    } @heard;
    is(join(', ', @lost), '', 'mended, it has all that was acknowledged');
    is(put($r, 'mended')->{status}, 201, 'and takes pushes');
    fsck_ok($r, 'the tree is sound');
    $r->stop_nginx;
    $r->stop_worker;
}

done_testing;
