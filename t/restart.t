# A restart, or another version of the program, while everybody pulls and pushes:
# nobody hears of it.  Where systemd keeps the socket, by a restart; elsewhere by
# SIGUSR2, which starts the program anew in the same process.

use Test::Registry;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::Registry::Process qw(needs);

needs('python3' => 'python3');

package Kept;

our @ISA = ('Test::Registry');

# As systemd does, by t/lib/fdstore.py.
sub _worker_command {
    my ($self) = @_;

    return ('python3', main::abs_path(main::dirname($0) . '/lib/fdstore.py'),
        $self->dir . '/notify', $self->SUPER::_worker_command);
}

package main;

# nginx waits longer for a worker than anybody here
my $patience = 'fastcgi_read_timeout 1000s;';

# Everybody pulls and pushes until `what` is over: what was answered, and what
# was wrong.
sub meanwhile {
    my ($r, $what) = @_;

    my $stop = $r->dir . '/stop';
    my $image = $r->push_image('team/app', 'v1', layers => ['layer']);
    unlink $stop;
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        my @said = in_parallel(6, sub { clients($r, $image, $stop, @_) }, 300);
        write_file("$stop.said", json(\@said));
        POSIX::_exit(0);
    }
    $what->();
    write_file($stop, '');
    waitpid $pid, 0;
    my @said = @{ JSON::PP->new->decode(
        Test::Registry::Tree->content("$stop.said")) };
    my $answers = 0;
    $answers += $_->{answers} for @said;
    return ($answers, map { @{ $_->{wrong} } } @said);
}

# One of them, on a connection that it keeps.
sub clients {
    my ($r, $image, $stop, $i) = @_;

    my $connection = $r->connect;
    my %said = (answers => 0, wrong => []);
    for (my $n = 0; !-e $stop; $n++) {
        my $body = json({ %{ JSON::PP->new->utf8->decode($image->{bytes}) },
            annotations => { n => "$i/$n" } });
        for (
            ['GET', '/v2/team/app/manifests/v1', 200],
            ['GET', "/v2/team/app/blobs/$image->{blobs}[1]", 200],
            ['PUT', "/v2/team/app/manifests/t$i", 201, body => $body,
                headers => ['Content-Type' => $TYPE{oci}]],
            ['POST', '/v2/team/app/blobs/uploads/?digest=' . sha256("$i/$n"),
                201, body => "$i/$n"],
            ['GET', "/v2/team/app/manifests/t$i", 200],
        ) {
            my ($method, $path, $status, @more) = @$_;
            my $answer = eval { $connection->request($method, $path, @more) };
            $said{answers}++;
            next if $answer && $answer->{status} == $status;
            push @{ $said{wrong} }, "$method $path: " . ($answer // $@);
            $connection = $r->connect;
        }
    }
    return \%said;
}

# Waits until they have been answered some more.
sub goes_on {
    my ($r) = @_;

    my $log = $r->dir . '/access.log';
    my $before = -s $log;
    return wait_until(300, sub { -s $log > $before + 2000 });
}

sub times_in {
    my ($text, $pattern) = @_;

    return scalar(() = $text =~ /$pattern/g);
}


# ---- a restart, with the socket kept

{
    my $r = Kept->new(worker => { processes => 2 }, location => $patience);
    my $starts = sub { times_in($r->log_of_worker, qr/^READY=1$/m) };
    my $restart = sub {
        my $n = $starts->();
        my ($before) = children($r->worker_pid);
        kill 'USR1', $r->worker_pid;
        wait_until(300, sub { $starts->() > $n }) or die "it does not start\n";
        return (children($r->worker_pid))[0] != ($before // 0);
    };

    like($r->log_of_worker, qr/^FDSTORE=1\nFDNAME=registry-fcgi$/m,
        'the socket is given to be kept');
    my $inode = (stat $r->socket)[1];
    my $new = 0;
    my ($answers, @wrong) = meanwhile($r, sub {
        for (1 .. 5) {
            goes_on($r) or die "nobody is answered\n";
            $new += $restart->();
        }
    });
    is($new, 5, 'five restarts, each of a new process');
    is(join("\n", @wrong), '', "and $answers answers were what they should be");
    cmp_ok($answers, '>', 50, 'which are many');
    is((stat $r->socket)[1], $inode, 'by the same socket');

    # nobody may come in by a socket with the mode of yesterday
    $r->{opt}{worker}{socket_mode} = '0600';
    $r->write_config;
    $restart->();
    is(sprintf('%o', (stat $r->socket)[2] & 07777), 600, 'it has the mode that'
        . ' is configured now');

    unlink $r->socket or die $!;
    $restart->();
    is($r->request('GET', '/v2/')->{status}, 200, 'what was removed is made anew');
    like($r->log_of_worker, qr/^FDSTOREREMOVE=1\nFDNAME=registry-fcgi$/m,
        'and the old one is not kept');
    $restart->();
    is($r->request('GET', '/v2/')->{status}, 200, 'but the new one is');

    # nobody waits for a process that does not come
    my $good = Test::Registry::Tree->content($r->config_file);
    my $drops = times_in($r->log_of_worker, qr/^FDSTOREREMOVE=1$/m);
    $r->expect_log(qr/connect\(\) to unix:/);
    $r->write_config("nonsense: [\n");
    kill 'USR1', $r->worker_pid;
    ok(wait_until(300, sub {
        $r->request('GET', '/v2/', timeout => 300)->{status} == 502 }),
        'a restart into a wrong configuration: who comes is refused at once');
    ok(wait_until(300, sub { $drops
        < times_in($r->log_of_worker, qr/^FDSTOREREMOVE=1$/m) }),
        'and the socket is not kept for it');
    $r->write_config($good);
    $restart->();
    is($r->request('GET', '/v2/')->{status}, 200, 'until it is mended');
    $r->stop_nginx;
    $r->stop_worker;
    fsck_ok($r, 'the tree is sound');
}


# ---- workers that end as soon as they begin

{
    my $r = Test::Registry->new(location => $patience);
    $r->stop_worker;
    my $journal = $r->path('_journal');
    rename $journal, "$journal.away" or die $!;
    write_file($journal, '');
    $r->start_worker;
    my $answer = $r->request('GET', '/v2/', timeout => 300);
    error_is($answer, 502, 'UNAVAILABLE', 'no worker can begin: who comes does'
        . ' not wait until nginx has no patience any more');
    unlink $journal or die $!;
    ok(wait_until(300, sub {
        $r->request('GET', '/v2/', timeout => 300)->{status} == 200 }),
        'and is served when one can');
}


# ---- the program anew, in the same process

{
    my $r = Test::Registry->new(worker => { processes => 2 });
    $r->stop_worker;
    my ($built, $program) = ($r->fcgi, $r->dir . '/registry-fcgi');
    my $install = sub {
        system('cp', $built, "$program.new") == 0 or die "cp\n";
        rename "$program.new", $program or die $!;
        return (stat $program)[1];
    };
    my $running = sub { (stat '/proc/' . $r->worker_pid . '/exe')[1] };
    my $others = sub {
        my %before = map { $_ => 1 } @_;
        return wait_until(300, sub { my @now = $r->worker_pids;
            @now >= 2 && !grep { $before{$_} } @now });
    };

    $install->();
    local $ENV{REGISTRY_FCGI} = $program;
    $r->start_worker;
    is($r->request('GET', '/v2/')->{status}, 200, 'a program of its own runs');
    my $pid = $r->worker_pid;
    my $new = 0;
    my ($answers, @wrong) = meanwhile($r, sub {
        for (1 .. 5) {
            my $inode = $install->();
            my @before = $r->worker_pids;
            goes_on($r) or die "nobody is answered\n";
            kill 'USR2', $pid;
            $new += $others->(@before) && $running->() == $inode;
        }
    });
    is($new, 5, 'five times another one is put there, and runs');
    is(join("\n", @wrong), '', "and $answers answers were what they should be");
    cmp_ok($answers, '>', 50, 'which are many');
    is($r->worker_pid, $pid, 'in the same process');

    # what would not start does not take over
    my @before = $r->worker_pids;
    my $good = Test::Registry::Tree->content($r->config_file);
    $r->write_config("nonsense: [\n");
    kill 'USR2', $pid;
    ok(wait_until(300, sub {
        $r->log_of_worker =~ /error upgrade: \S* --check failed; going on/ }),
        'one that would not start is refused');
    is_deeply([$r->worker_pids], \@before, 'and nothing changes');
    $r->write_config($good);
    unlink $program or die $!;
    kill 'USR2', $pid;
    ok(wait_until(300, sub { 2 == times_in($r->log_of_worker,
        qr/error upgrade: \S* --check failed; going on/) }),
        'so is one that is not there');
    is($r->request('GET', '/v2/')->{status}, 200, 'it serves');

    $install->();
    kill 'HUP', $pid;
    ok($others->(@before), 'a reload works as before');
    $r->stop_nginx;
    $r->stop_worker;
    ok(!-e $r->socket, 'the socket goes with the process');
    fsck_ok($r, 'the tree is sound');
}

done_testing;
