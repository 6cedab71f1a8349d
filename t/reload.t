# nginx -s reload and SIGHUP of the worker during pushes: no request fails.

use Test::Registry;
use Time::HiRes qw(sleep);

my $r = Test::Registry->new(workers => 2);
my $stop = "$r->{dir}/stop";

my $pid = open(my $pipe, '-|') // die "fork: $!";
if ($pid == 0) {
    open my $pushed, '>>', "$r->{dir}/pushed" or die "pushed: $!";
    my @results = in_parallel(5, sub {
        my ($i) = @_;
        my $n = 0;

        if ($i == 0) {
            # One upload that lasts through them all.
            my $bytes = bytes('slow', 1_000_000);
            my $location = $r->start_upload('slow');
            my $sent = 0;
            my $answer = $r->request('PATCH', $location, chunked => 1,
                body => sub {
                    sleep 0.01;
                    return if $sent >= length $bytes
                        || (-e $stop && $sent > 500_000);
                    my $part = substr($bytes, $sent, 1000);
                    $sent += 1000;
                    return $part;
                });
            die "PATCH: $answer\n" if $answer->{status} != 202;
            my $end = $r->request('PUT', with_digest($location,
                sha256(substr($bytes, 0, $sent))), body => '');
            die "PUT: $end\n" if $end->{status} != 201;
            return { done => 1 };
        }

        until (-e $stop) {
            $n++;
            my $image = $r->push_image("reload/$i", "v$n",
                layers => [bytes("$i/$n", 300_000)]);
            my $back = $r->expect(200, 'GET', "/v2/reload/$i/manifests/v$n");
            die "another manifest\n" if $back->{body} ne $image->{bytes};
            my $blob = $image->{blobs}[1];
            $back = $r->expect(200, 'GET', "/v2/reload/$i/blobs/$blob");
            die "another blob\n" if sha256($back->{body}) ne $blob;
            syswrite $pushed, '.';
        }
        return { done => $n };
    });
    print json(\@results);
    close STDOUT;
    POSIX::_exit(0);
}

for my $n (1 .. 10) {
    my %old = map { $_ => 1 } $r->nginx_workers;
    kill 'HUP', $r->nginx_pid;
    kill 'HUP', $r->worker_pid;
    wait_until(20, sub {
        my @new = grep { !$old{$_} } $r->nginx_workers;
        return @new == 2 && !grep { $old{$_} } $r->nginx_workers;
    }) or fail("reload $n: new workers take over");
    sleep 0.2;
}
wait_until(60, sub { (-s "$r->{dir}/pushed" // 0) > 10 });
write_file($stop, '');

my @results = do { local $/; @{ JSON::PP->new->decode(scalar <$pipe>) } };
close $pipe;
my @bad = map { $_->{died} // () } @results;
ok(!@bad, 'ten reloads of both: no request failed') or diag(@bad);
my $pushes = 0;
$pushes += $_->{done} // 0 for @results;
cmp_ok($pushes, '>', 10, "$pushes pushes went on meanwhile");

fsck_ok($r, 'the tree is sound');


# A worker of nginx's that may not wait any longer keeps what has come.

{
    my $hurry = Test::Registry->new(main => 'worker_shutdown_timeout 1s;');
    my $location = $hurry->start_upload('cut');
    my $data = $hurry->tree->upload('cut', uuid_of($location)) . '/data';
    my $c = $hurry->connect;
    $c->send_request('PATCH', $location, length => 1_000_000,
        headers => ['Content-Range' => '0-999999'], body => bytes('cut', 1 << 19));
    ok(wait_until(20, sub { -s $data == 1 << 19 }), 'half of it is written');
    my ($old) = $hurry->nginx_workers;
    kill 'HUP', $hurry->nginx_pid;
    ok(wait_until(20, sub { !grep { $_ == $old } $hurry->nginx_workers }),
        'the old worker goes');
    my $answer;
    ok(wait_until(20, sub {
        $answer = $hurry->request('PATCH', $location, body => '');
        return $answer->{status} == 202;
    }), 'the session is free') or diag($answer);
    is($answer->header('range'), '0-524287', 'and has what had come');
    $c->close;
}

done_testing;
