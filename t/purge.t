# Uploads that nobody goes on with time out and free their space: the worker
# removes them, and registryctl does so at once (conformance.md 32; SECURITY.md
# S9, F10; distribution#4074).

use Test::Registry;

use Time::HiRes qw(time);

my $ctl   = $ENV{REGISTRY_CTL} // 'build/registryctl';
my $purge = 'REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING';


# As if nothing had been added for so many seconds.

sub age {
    my ($r, $location, $seconds) = @_;

    my ($repo) = $location =~ m{^/v2/(.+?)/blobs/uploads/};
    my $dir = $r->tree->upload($repo, uuid_of($location));
    my $then = time() - $seconds;
    utime($then, $then, $_) == 1 or die "$_: $!\n"
        for "$dir/data", "$dir/startedat", $dir;

    return $dir;
}


sub start_with {
    my ($r, $repo, $bytes) = @_;

    my $location = $r->start_upload($repo);
    $r->expect(202, 'PATCH', $location, body => $bytes);

    return $location;
}


# ---- the worker

my $r = Test::Registry->new(
    workers => 2,
    worker  => { processes => 2 },
    env     => { "${purge}_AGE" => '1h', "${purge}_INTERVAL" => '1s' },
);

# one that is slow: begun long ago, and a few bytes come now and then
my $slow = $r->start_upload('a');
my $writer = $r->connect;
$writer->send_request('PATCH', $slow, length => 20, body => 'slow ');
my $slow_dir = $r->tree->upload('a', uuid_of($slow));
ok(wait_until(30, sub {
    sleep 1;
    $writer->send('.') if -s "$slow_dir/data" == 0;
    -s "$slow_dir/data" > 0;
}), '32: the bytes of a slow client reach the disk');
my $sent = -s "$slow_dir/data";

my $forgotten = start_with($r, 'a', bytes('forgotten', 100_000));
my $young = start_with($r, 'a', 'young');
my $future = start_with($r, 'a', 'future');
my $only = start_with($r, 'only/here', 'x');
my $last = start_with($r, 'zz', 'x');        # found after all others

# all of it is old when the next round comes
$r->stop_worker;
age($r, $slow, 100_000);
age($r, $young, 3000);
age($r, $future, -365 * 86400);
my @gone = map { age($r, $_, 4000) } $forgotten, $only, $last;
write_file($r->path('_tmp/litter'), 'x');
utime(1, 1, $r->path('_tmp/litter'));
$r->start_worker;

for my $dir (@gone) {
    ok(wait_until(30, sub { !-e $dir }), '32: a forgotten upload is gone');
}
ok(wait_until(30, sub { !-e $r->path('repositories/only') }),
    '32: and the directories that were there for it alone');
ok(wait_until(30, sub { !-e $r->path('_tmp/litter') }),
    'what a crash left goes as well');

for my $method (qw(GET PATCH PUT DELETE)) {
    my $a = $r->request($method, $method eq 'PUT'
        ? with_digest($forgotten, sha256('x')) : $forgotten,
        $method =~ /^P/ ? (body => 'x') : ());
    error_is($a, 404, 'BLOB_UPLOAD_UNKNOWN', "32: $method of it is 404");
    is(($a->errors)[0]{detail}{uuid}, uuid_of($forgotten),
        '32: and detail names it');
}

is($r->request('GET', $_)->{status}, 204, '32: young ones stay')
    for $young, $future;
ok(-e $slow_dir, '32: what is being written to stays, whatever its age');
$writer->send('x' x 20);
my $a = $writer->response('PATCH');
is($a->{status}, 202, '32: and ends well') or diag($a);
$writer->close;
$a = $r->request('GET', $slow);
is($a->header('range'), '0-19', '32: with all its bytes');

ok(wait_until(30, sub { $r->log_of_worker =~
    /info purge: 3 of 6 uploads removed, 100002 bytes, 0 failed/ }),
    'the log says what was done');
is(scalar(() = $r->log_of_worker =~ /purge: \d+ of/g), 1,
    'once, by one of two processes');


# ---- not for real, not at all

for my $case (['DRYRUN', 'true'], ['ENABLED', 'false']) {
    my $other = Test::Registry->new(env => {
        "${purge}_AGE" => '1h', "${purge}_INTERVAL" => '1s',
        "${purge}_$case->[0]" => $case->[1] });
    my $kept = start_with($other, 'a', 'kept');
    age($other, $kept, 4000);
    write_file($other->path('_tmp/litter'), 'x');
    utime(1, 1, $other->path('_tmp/litter'));

    ok(wait_until(30, sub { !-e $other->path('_tmp/litter') }),
        "@$case: a round was made");
    ok(wait_until(30, sub { $other->log_of_worker
        =~ /purge: 1 of 1 uploads would be removed, 4 bytes/ }),
        "@$case: the log says what would be done") if $case->[0] eq 'DRYRUN';
    is($other->request('GET', $kept)->{status}, 204,
        "@$case: but it is not");
    unlike($other->log_of_worker, qr/uploads removed/,
        "@$case: and nothing else is said");
    $other->stop_worker;
}


# ---- registryctl, in numbers: 10 000 that were opened and forgotten

my $many = sanitized() ? 1000 : 10_000;
my $each = $many / 4;
$r = Test::Registry->new(workers => 2, worker => { processes => 2 },
    server => 'keepalive_requests 1000000;');
my $blob = $r->push_blob('served', bytes('served', 10_000));
my @opened = in_parallel(4, sub {
    my ($i) = @_;
    my $c = $r->connect;
    my $good = grep { $c->request('POST', "/v2/many/$i/blobs/uploads/",
        body => '')->{status} == 202 } 1 .. $each;
    return $good;
});
is_deeply(\@opened, [($each) x 4], "S9: $many uploads are opened");

my @sessions = glob($r->path('repositories/many/*/_uploads/*'));
my $then = time() - 25 * 3600;
utime($then, $then, "$_/data", "$_/startedat", $_) for @sessions;
my $fresh = start_with($r, 'many/0', 'fresh');

my @all = ($ctl, 'purge-uploads', '--root', $r->root);
my ($status, $out) = $r->run(@all, '--older-than', '24h', '--dry-run');
is($status, 0, '--dry-run') or diag($out);
like($out, qr/^$many of @{[$many + 1]} uploads in \d+ repositories would be /m,
    'counts');
is(scalar(@{[ glob($r->path('repositories/many/*/_uploads/*')) ]}),
    $many + 1, 'and removes nothing');

my $pid = $r->start_beside(@all, '--older-than', '24h', '--json');
my ($slowest, $wrong, $asked) = (0, 0, 0);
my $began = time();
my $c = $r->connect;
until (waitpid($pid, POSIX::WNOHANG())) {
    my $begin = time();
    my $a = $c->request('GET', "/v2/served/blobs/$blob");
    $wrong++ if $a->{status} != 200;
    $slowest = time() - $begin if time() - $begin > $slowest;
    $asked++;
}
is($? >> 8, 0, 'S9: the purge ends well');
is($wrong, 0, "S9: others are served meanwhile ($asked)");
ok($slowest < 2 || $slowest < (time() - $began) / 2, 'S9: and do not wait')
    or diag($slowest);

@sessions = glob($r->path('repositories/many/*/_uploads/*'));
is(scalar @sessions, 1, 'S9: what was forgotten is gone, with its space');
is($r->request('GET', $fresh)->{status}, 204, 'S9: a fresh one is not');
is(scalar(@{[ glob($r->path('_tmp/*')) ]}), 0, 'and nothing is left over');


# ---- registryctl, in words

age($r, $fresh, 8 * 86400);
($status, $out) = $r->run('sh', '-c', "exec @all --json 2> /dev/null");
is($status, 0, 'seven days are the default') or diag($out);
is_deeply(JSON::PP::decode_json($out), { repositories => 1, uploads => 1,
    purged => 1, bytes => 5, failed => 0, dry_run => JSON::PP::false() },
    '--json');

my %in = map { $_ => start_with($r, $_, 'four') } qw(a b/c);
($status, $out) = $r->run(@all, '--older-than', '0', 'b/c');
is($status, 0, 'one repository') or diag($out);
like($out, qr/^1 of 1 uploads in 1 repositories removed: 4 bytes freed$/m,
    'in words');
is($r->request('GET', $in{a})->{status}, 204, 'the other one is untouched');
is($r->request('GET', $in{'b/c'})->{status}, 404, 'its upload is gone');

($status, $out) = $r->run(@all, 'none', 'UPPER', 'a');
is($status, 1, 'names that are none') or diag($out);
like($out, qr/^registryctl: none: /m, 'are told');
like($out, qr/^registryctl: UPPER: invalid repository name/m, 'each');
like($out, qr/^NOT DONE: 2 failed$/m, 'and counted');

for my $bad ('7d', '-1h', '1', '') {
    ($status, $out) = $r->run(@all, '--older-than', $bad);
    is($status, 2, "--older-than '$bad' is wrong usage");
    like($out, qr/write a duration such as 90m/, 'with a sentence');
}

start_with($r, 'a', 'x') for 1 .. 120;
($status, $out) = $r->run('script', '-qec', "@all --older-than 0s",
    '/dev/null');
is($status, 0, 'on a terminal') or diag($out);
like($out, qr/\r\e\[K100 uploads, 100 to be purged\r\e\[K121 of 121 uploads/,
    'a line that is rewritten, then the sum');


# ---- a race: who comes for an upload wins, or hears that it is gone

# all go on until one has come too late
my $late = $r->dir . '/late';
my $end = time() + 180;
sub raced { return -e $late || time() > $end }

my @results = in_parallel(5, sub {
    my ($i) = @_;
    my %seen;
    if ($i == 0) {
        for (my $n = 0; $n < 30 || !raced(); $n++) {
            my ($status, $out) = $r->run(@all, '--older-than', '0s');
            $seen{"purge $status"}++;
        }
        return \%seen;
    }

    my $c = $r->connect;
    for (my $n = 0; $n < 100 || !raced(); $n++) {
        my $bytes = bytes("$i/$n", 3000);
        my $where = $c->request('POST', "/v2/race/$i/blobs/uploads/",
            body => '')->header('location');
        my $a = $c->request('PATCH', $where, body => $bytes);
        $seen{"PATCH $a->{status} " . $a->code}++;
        write_file($late, '') if $a->{status} == 404;
        $a = $c->request('PUT', with_digest($where, sha256($bytes)),
            body => '');
        $seen{"PUT $a->{status} " . $a->code}++;
        if ($a->{status} == 201) {
            my $got = $c->request('GET', $a->header('location'));
            $seen{ $got->{body} eq $bytes ? 'whole' : 'WRONG' }++;
        }
    }
    return \%seen;
});
my %sum;
for my $seen (@results) {
    $sum{$_} += $seen->{$_} for keys %$seen;
}
note(map { "$_: $sum{$_}\n" } sort keys %sum);
is_deeply([grep { !/^(?:purge[ ]0|whole|PATCH[ ]202[ ]|PUT[ ]201[ ]
    |(?:PATCH|PUT)[ ](?:404[ ]BLOB_UPLOAD_UNKNOWN|409[ ]BLOB_UPLOAD_INVALID)
    |PUT[ ]400[ ]DIGEST_INVALID)$/x } sort keys %sum], [],
    '32: a request wins, or hears that its upload is gone');
cmp_ok($sum{whole} // 0, '>', 0, '32: some win');
cmp_ok($sum{'PATCH 404 BLOB_UPLOAD_UNKNOWN'} // 0, '>', 0, '32: some do not');
fsck_ok($r, 'the tree is sound');

done_testing;
