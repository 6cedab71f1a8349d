# Small blobs, which nginx writes to the journal while a worker has it open
# (src/reg_guest.h), and does not keep it open for anybody.

use Test::Registry;

my $r = Test::Registry->new;
my $n = 0;

sub blob_status {
    my ($registry, $digest) = @_;

    return $registry->request('GET', "/v2/app/blobs/$digest")->{status};
}

# What a power cut may take of a blob that was not synced.

sub lose {
    my ($registry, $digest) = @_;

    my ($hex) = $digest =~ /:(.*)/;
    my $v2 = $registry->root . '/docker/registry/v2';
    my @files = ("$v2/blobs/sha256/" . substr($hex, 0, 2) . "/$hex/data",
        "$v2/repositories/app/_layers/sha256/$hex/link");
    return @files == unlink @files;
}


# ---- a crash -------------------------------------------------------------------

# nginx makes a checkpoint after half a second: one of a few crashes comes
# before it, however slow this machine is, if nothing is done in between.
my ($lost, $found) = (0, 0);
for (1 .. 40) {
    my ($nginx) = $r->nginx_workers;
    my @worker = ($r->worker_pid, $r->worker_pids);
    my $digest = $r->push_blob('app', 'pushed ' . $n++);
    $r->kill_process($_) for $nginx, @worker;
    $r->kill_worker;
    wait_until(20, sub { grep { $_ != $nginx } $r->nginx_workers });
    $lost += lose($r, $digest);
    $r->start_worker;
    # nginx knows who may, and asks the worker only for what it does not find
    $r->expect(200, 'GET', '/v2/');
    $found += blob_status($r, $digest) == 200;
    last if $found;
}
is($found, 1, 'what was pushed before a crash is there after it');
cmp_ok($lost, '>', 0, 'though it was lost');
ok(wait_until(20, sub { $r->log_of_worker =~ /after a crash [2-9] files/ }),
    'the worker says so');

# With the worker alive nothing is lost when nginx dies, nor when it goes.
my $killed = $r->push_blob('app', 'killed');
$r->crash_nginx_worker;
is(blob_status($r, $killed), 200, 'nginx was killed');
my $stopped = $r->push_blob('app', 'stopped');
$r->restart_nginx;
$r->kill_worker;
$r->start_worker;
is(blob_status($r, $stopped), 200, 'nginx was stopped');


# ---- an nginx that stands still ------------------------------------------------

# Without nginx, who could be asked, it is seen by what it waits with.
sub serves {
    my ($registry) = @_;

    return grep { (readlink($_) // '') =~ /eventpoll/ }
        map { glob "/proc/$_/fd/*" } children($registry->worker_pid);
}

# One of a few times it does so in the half second after a push.
my @pushed;
my $left = qr/warn journal: a process of nginx's that stands still/;
for (1 .. 40) {
    push @pushed, $r->push_blob('app', 'stood still ' . $n++);
    my @still = $r->nginx_workers;
    kill 'STOP', @still;
    $r->kill_worker;
    $r->start_worker;
    wait_until(300, sub { serves($r) }) or last;
    kill 'CONT', @still;
    last if $r->log_of_worker =~ $left;
}
like($r->log_of_worker, $left, 'a worker does not wait for ever for an nginx that'
    . ' stands still');
push @pushed, $r->push_blob('app', 'goes on');
$r->kill_worker;
$r->start_worker;
is(scalar(grep { blob_status($r, $_) != 200 } @pushed), 0,
    'and what either has acknowledged is there');


# ---- who decides about it ------------------------------------------------------

# nginx pushes all the time; the worker is started with a journal and without,
# and each time it is as the worker says.
my $stop = "$r->{dir}/stop";
my $log  = "$r->{dir}/answers";
my $pid = fork() // die "fork: $!";
if ($pid == 0) {
    open(my $out, '>>', $log) or die $!;
    for (my $i = 0; !-e $stop; $i++) {
        my $digest = eval { $r->push_blob('app', "one of many $i") };
        syswrite $out, "$digest\n" if $digest;
    }
    POSIX::_exit(0);
}

sub answers { return (Test::Registry::Tree->content($log) // '') =~ tr/\n// }

for my $journal ('false', 'true', 'false') {
    my $before = answers();
    wait_until(60, sub { answers() > $before + 3 }) or die 'no answers';
    $r->{opt}{worker}{journal} = $journal;
    $r->write_config;
    my $length = length $r->log_of_worker;
    $r->restart_worker;
    is($r->request('GET', '/v2/')->{status}, 200, "journal: $journal");
    unlike(substr($r->log_of_worker, $length), qr/others work on this tree/,
        'nginx has no say in that');
}
write_file($stop, '');
waitpid $pid, 0;
my @digests = split /\n/, Test::Registry::Tree->content($log);
is(scalar(grep { blob_status($r, $_) != 200 } @digests), 0,
    'and all that was answered is there');


# ---- without a worker ----------------------------------------------------------

my $alone = Test::Registry->new(registry => 'registry_auth off;');
my $digest = $alone->push_blob('app', 'asks nobody');
is(blob_status($alone, $digest), 200, 'registry_auth off');
$alone->kill_worker;
is(blob_status($alone, $digest), 200, 'without a worker');

my $more = sha256('brings all');
$alone->expect(201, 'POST', "/v2/app/blobs/uploads/?digest=$more",
    body => 'brings all');
is(blob_status($alone, $more), 200, 'a whole blob needs no worker either');

# After a power cut the worker must have been there once.
$alone->crash_nginx_worker;
like(blob_status($alone, $more), qr/^50[23]$/,
    'nothing is served that may be torn');
$alone->start_worker;
ok(wait_until(20, sub { blob_status($alone, $more) == 200 }),
    'until a worker has seen to it');
is(blob_status($alone, $digest), 200, 'then all is');

done_testing;
