# kill -9 of nginx's workers and of the FastCGI worker at random moments of
# pushes: what was acknowledged is there, what is served is whole.
# REGISTRY_CRASHES says how many times (50).

use Test::Registry;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{REGISTRY_CRASHES} // 50;
my $clients = 4;

my $r = Test::Registry->new(workers => 2);
my $stop = "$r->{dir}/stop";
my $log  = "$r->{dir}/acknowledged";

# Until it works or the test ends: servers come and go.

sub persist {
    my ($method, $path, %opt) = @_;

    for (1 .. 2000) {
        my $answer = eval { $r->request($method, $path, timeout => 60, %opt) };
        return $answer if $answer && !$answer->{cut}
            && $answer->{status} && $answer->{status} < 500
            && $answer->{status} != 409;
        die "stopped\n" if -e $stop;
        sleep 0.01;
    }
    die "$method $path never works\n";
}

sub push_blob {
    my ($repo, $bytes, $how) = @_;

    my $digest = sha256($bytes);
    for (1 .. 50) {
        my $location = persist('POST', "/v2/$repo/blobs/uploads/", body => '')
            ->header('location');
        my $rest = $bytes;
        if ($how) {
            # As a client that resumes: from what the server says it has.
            for (1 .. 20) {
                my $range = persist('GET', $location)->header('range') // '';
                my $have = $range =~ /^0-(\d+)$/ && $1 ? $1 + 1 : 0;
                $rest = substr($bytes, $have);
                last if !length $rest;
                eval { $r->request('PATCH', $location, body => $rest,
                    timeout => 60, chunked => 50_000) };
            }
        }
        my $answer = eval { $r->request('PUT', with_digest($location, $digest),
            body => $rest, timeout => 60) };
        return $digest if $answer && $answer->{status} == 201;
        # A broken answer may hide a 201; else what the upload holds must
        # have the digest that it was sent for.
        die "PUT: $answer\n" if $answer && $answer->{status} == 400;
        die "stopped\n" if -e $stop;
    }
    die "a blob cannot be pushed\n";
}

sub client {
    my ($i) = @_;

    open(my $out, '>>', $log) or die $!;
    my ($pushes, $pulls, @wrong, @mine) = (0, 0);
    srand(1000 + $i);

    until (-e $stop) {
        my $n = $pushes++;
        my $repo = 'crash/' . ($n % 3);
        my @blobs = map { bytes("$i/$n/$_", 1 + int rand 3 ** (5 + 2 * $_)) }
            1 .. 3;
        my $done = eval {
            push_blob($repo, $blobs[$_], $_ % 2) for 0 .. $#blobs;
            my $bytes = json(image_manifest(config => $blobs[0],
                layers => [@blobs[1, 2]]));
            my $answer = persist('PUT', "/v2/$repo/manifests/c$i-$n",
                body => $bytes, headers => ['Content-Type' => $TYPE{oci}]);
            die "manifest: $answer\n" if $answer->{status} != 201;
            syswrite $out, join(' ', $repo, "c$i-$n", sha256($bytes),
                map { sha256($_) } @blobs) . "\n";
            push @mine, [$repo, "c$i-$n", $bytes, @blobs];
            1;
        };
        push @wrong, $@ if !$done && $@ ne "stopped\n";

        # Whatever is served in between is whole.
        my $old = $mine[rand @mine] or next;
        for my $k (2 .. 5) {
            my $path = "/v2/$old->[0]/" . ($k == 2 ? "manifests/$old->[1]"
                : 'blobs/' . sha256($old->[$k]));
            my $answer = eval { $r->request('GET', $path, timeout => 60) }
                or next;
            next if !$answer->{status} || $answer->{cut}
                || $answer->{status} >= 500;
            $pulls++;
            push @wrong, "$path: $answer->{status}"
                if $answer->{status} != 200 || $answer->{body} ne $old->[$k];
        }
    }

    return { pushes => $pushes, pulls => $pulls, wrong => \@wrong };
}

sub wreck {
    srand(1);
    for my $n (1 .. $crashes) {
        # so that some pushes come through, however slow this machine is
        wait_until(60, sub {
            my $acknowledged = Test::Registry::Tree->content($log) // '';
            return $acknowledged =~ tr/\n// >= ($n - 1) / 5;
        });
        sleep rand 0.15;
        $n % 2 ? $r->crash_nginx_worker : $r->crash_worker;
    }
}

# The clients are children; the wrecking must be ours, who started the rest.
my $pid = open(my $pipe, '-|') // die "fork: $!";
if ($pid == 0) {
    my @results = in_parallel($clients, \&client, 1200);
    print json(\@results);
    close STDOUT;
    POSIX::_exit(0);
}
my $begin = time();
eval { wreck(); 1 } or fail("the servers come back: $@");
my $took = time() - $begin;
write_file($stop, '');
my @results = do { local $/; @{ JSON::PP->new->decode(scalar <$pipe>) } };
close $pipe;

my ($pushes, $pulls, @wrong) = (0, 0);
for (@results) {
    push @wrong, $_->{died} // (), @{ $_->{wrong} // [] };
    $pushes += $_->{pushes} // 0;
    $pulls  += $_->{pulls} // 0;
}
ok(!@wrong, "$crashes crashes: nothing wrong was served, no push was stuck")
    or diag(join "\n", @wrong > 20 ? @wrong[0 .. 19] : @wrong);

$r->restart_nginx;
$r->restart_worker;

open(my $in, '<', $log) or die $!;
my @acknowledged = map { [split] } <$in>;
note(sprintf '%d crashes in %.1f s, %d pushes begun, %d acknowledged,'
    . ' %d pulls', $crashes, $took, $pushes, scalar @acknowledged, $pulls);
cmp_ok(scalar @acknowledged, '>', $crashes / 10, 'pushes were acknowledged');

my @lost;
for (@acknowledged) {
    my ($repo, $tag, $manifest, @blobs) = @$_;
    for my $reference ($tag, $manifest) {
        my $answer = $r->request('GET', "/v2/$repo/manifests/$reference");
        push @lost, "$repo:$reference: $answer"
            if $answer->{status} != 200 || sha256($answer->{body}) ne $manifest;
    }
    for my $blob (@blobs) {
        my $answer = $r->request('GET', "/v2/$repo/blobs/$blob");
        push @lost, "$repo\@$blob: $answer->{status}"
            if $answer->{status} != 200 || sha256($answer->{body}) ne $blob;
    }
}
ok(!@lost, 'nothing acknowledged is lost')
    or diag(join "\n", @lost > 20 ? @lost[0 .. 19] : @lost);

fsck_ok($r, 'the tree is sound');

done_testing;
