# Clients that vanish at any moment leave nothing behind but sessions that
# can be resumed: no descriptor, no memory, no file.

use Test::Registry;

my $r = Test::Registry->new;
my ($nginx)  = $r->nginx_workers;
my ($worker) = $r->worker_pids;
my $absent = sha256('absent');

sub descriptors { return scalar(() = glob "/proc/$_[0]/fd/*") }

my $body   = bytes('body', 1_200_000);
my $big    = bytes('big', 3_000_000);

my @ways = (
    # before the body, in it, after it; by length and in chunks
    sub { PATCH => $_[0], length => 100_000, body => '' },
    sub { PATCH => $_[0], length => 2_000_000,
        body => substr($body, 0, 300_000) },
    sub { PATCH => $_[0], body => substr($body, 0, 30_000) },
    sub { PATCH => $_[0], chunked => 1000, unfinished => 1,
        body => substr($body, 0, 30_000) },
    sub { PUT => with_digest($_[0], $absent), length => 9_000_000,
        body => $body },
    sub { PUT => with_digest($_[0], $absent),
        body => substr($body, 0, 30_000) },
    sub { POST => "/v2/whole/blobs/uploads/?digest=$absent",
        length => 1_000_000, body => substr($body, 0, 50_000) },
    sub { POST => "/v2/whole/blobs/uploads/?digest=$absent",
        length => 1_000_000, body => substr($body, 0, 600_000) },
    sub { POST => "/v2/whole/blobs/uploads/?digest=$absent",
        body => substr($body, 0, 50_000) },
    sub { PUT => '/v2/whole/manifests/x', length => 100_000,
        body => 'x' x 500 },
    sub { GET => '/v2/big/blobs/' . sha256($big) },
);
$r->push_blob('big', $big);

my $sessions = 0;

sub vanish {
    my ($rounds) = @_;

    for my $n (1 .. $rounds) {
        for my $way (@ways) {
            my $location = $r->start_upload('parts');
            $sessions++;
            my $c = $r->connect;
            $c->send_request($way->($location));
            $n % 2 ? $c->close : $c->reset;
        }
    }

    # All are done when none of the descriptors is theirs.
    my $before = -1;
    wait_until(20, sub {
        my $now = descriptors($nginx) + descriptors($worker);
        my $same = $now == $before;
        $before = $now;
        select undef, undef, undef, 0.2;
        return $same;
    });
}

vanish(10);
my %fds = map { $_ => descriptors($_) } $nginx, $worker;

# How many are worked on at once is another number each time, and so is what is
# kept for the next, which of an upload are 8 MiB: the least of some rounds is
# held against the least of as many before.  What is lost is lost each time.
sub least {
    my ($rounds) = @_;

    my %least;
    for (1 .. $rounds) {
        vanish(20);
        for my $pid ($nginx, $worker) {
            my $now = rss($pid);
            $least{$pid} = $now if !$least{$pid} || $now < $least{$pid};
        }
    }
    return %least;
}

my %was = least(sanitized() ? 1 : 6);
my %is = least(sanitized() ? 1 : 6);

# the 16 connections between the two that nginx keeps, and a few
for (['nginx', $nginx, 4096], ['registry-fcgi', $worker, 1024]) {
    my ($name, $pid, $most) = @$_;
    ok(wait_until(20, sub { descriptors($pid) <= $fds{$pid} + 18 }),
        "$name holds no more descriptors") or diag(descriptors($pid));
    SKIP: {
        skip 'memory is not bounded under a sanitizer', 1 if sanitized();
        my $grown = $is{$pid} - $was{$pid};
        cmp_ok($grown, '<', $most, "$name does not grow");
        note("$name: $was{$pid} KiB, then $is{$pid}");
    }
}

ok(wait_until(10, sub { !grep { m{^repositories/whole/} } $r->tree->files }),
    'a single POST that failed leaves no session')
    or diag(join "\n", grep { m{^repositories/whole/} } $r->tree->files);
ok(wait_until(10, sub { !grep { m{^_tmp/} } $r->tree->files }),
    'no temporary file is left');
is(scalar(grep { m{^repositories/parts/_uploads/[^/]+/startedat$} }
    $r->tree->files), $sessions, 'every other session is still there');
my ($one) = grep { m{_uploads/.*/data$} } $r->tree->files;
my $again = '/v2/parts/blobs/uploads/' . ($one =~ m{_uploads/([^/]+)})[0];
ok(wait_until(10, sub {
    $r->request('PATCH', $again, body => 'more')->{status} == 202
}), 'and goes on');
ok(!-e $r->tree->blob($absent), 'nothing was published');

fsck_ok($r, 'the tree is sound');

done_testing;
