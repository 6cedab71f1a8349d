# The log of the worker: a line for each request, of which nothing that a client
# sends can make two, or drive a terminal; and only so many of trouble.

use Test::Registry;

use File::Temp ();
use JSON::PP qw(decode_json);

my $dir = File::Temp->newdir;
my $users = "$dir/users";
accounts($users, 'al ice' => 'x');
my $auth = "auth: {htpasswd: {path: $users}}\n";
my @alice = basic('al ice' => 'x');

# The last line about a path, when it is there.

sub line_of {
    my ($r, $path) = @_;

    my $line;
    wait_until(20, sub {
        ($line) = reverse grep { index($_, $path) >= 0 }
            split /\n/, $r->log_of_worker;
        return defined $line;
    });
    return $line // '';
}

sub with_log {
    my ($log, $more) = @_;

    my $r = Test::Registry->new(config => $more // '');
    $r->write_config($r->tree->content($r->config_file)
        =~ s/^log:\n  level: info\n/log: $log\n/mr);
    $r->restart_worker;
    return $r;
}


# ---- what clients send

my $r = Test::Registry->new(config => $auth);
my $evil = "\"evil\\ \x01\x1b[31m\x7f\xff\tend";

$r->request('GET', '/v2/one/tags/list', headers => [@alice,
    'User-Agent' => $evil]);
my $line = line_of($r, '/v2/one/tags/list');
like($line, qr{^[-\d]+T[\d:.]+Z\ info\ 127\.0\.0\.1\ al\\x20ice
    \ "GET\ /v2/one/tags/list"\ 404\ \d+\ \d+\.\d{3}\ "\S.*"\ NAME_UNKNOWN:}x,
    'who, what, and how it ended') or diag($line);
like($line, qr/"\\x22evil\\x5c \\x01\\x1b\[31m\\x7f\\xff\\x09end"/,
    'what could end a word or drive a terminal is not there as it came')
    or diag($line);

$r->request('GET', '/v2/two/tags/list?' . 'q' x 3000, headers => [@alice,
    'User-Agent' => 'a' x 3000]);
$line = line_of($r, '/v2/two/tags/list');
cmp_ok(length $line, '<', 1200, 'a long one is cut');


# ---- as JSON

my $json = with_log('{formatter: json}', $auth);
$json->request('GET', '/v2/one/tags/list', headers => [@alice,
    'User-Agent' => $evil]);
my $entry = eval { decode_json(line_of($json, '/v2/one/tags/list')) };
is_deeply([map { $entry->{$_} } qw(level user method path status error)],
    ['info', 'al ice', 'GET', '/v2/one/tags/list', 404, 'NAME_UNKNOWN'],
    'a line is an object') or diag($@, explain($entry));
like($entry->{agent} // '', qr/^"evil\\ \x01\x1b\[31m/, 'with what was sent');


# ---- trouble

sub damaged {
    my ($registry) = @_;

    my $image = $registry->push_image('a', 'v1');
    write_file($registry->tree->blob($image->{digest}), 'damaged');
    return "/v2/a/manifests/$image->{digest}";
}

my $quiet = with_log('{level: error}');
my $path = damaged($quiet);
$quiet->expect(200, 'GET', '/v2/');
$quiet->expect(404, 'GET', '/v2/a/manifests/never');
$quiet->expect(500, 'GET', $path);
like(line_of($quiet, $path),
    qr/Z error GET \Q$path\E: UNKNOWN: .* \(corrupt manifest: its content/,
    'a failure of ours is an error, with what the client is not told');
unlike($quiet->log_of_worker, qr{manifests/never}, 'and at this level all');
is(() = $quiet->log_of_worker =~ / info ready: /g, 1,
    'since the worker was told so');

my $brief = with_log('{accesslog: {disabled: true}}');
$brief->expect(200, 'GET', '/v2/?fine');
$brief->expect(404, 'GET', '/v2/a/manifests/never');
like(line_of($brief, 'manifests/never'), qr/ info .* 404 /,
    'without a log of all, what failed is there');
unlike($brief->log_of_worker, qr{/v2/\?fine}, 'and nothing else');
unlike($brief->log_of_worker, qr/ warn GET/,
    'what is not there is no trouble of ours');


# ---- the same by the thousand

my $n = 1000;
in_parallel(4, sub {
    my $c = $quiet->connect;
    $c->request('GET', $path) for 1 .. $n / 4;
    return 1;
});
my %second;
$second{$_}++ for $quiet->log_of_worker =~ /^([-\dT:]+)\.\d+Z error GET/mg;
my ($most) = sort { $b <=> $a } values %second;
# 100, and what was admitted before the second began, but written in it.
cmp_ok($most, '<=', 216, 'so many lines in a second, and no more');
my $logged = 0;
$logged += $_ for values %second;
ok($logged >= $n || wait_until(20, sub {
    $quiet->request('GET', $path);
    return $quiet->log_of_worker =~ /\d+ more lines like these were left out/;
}), 'the others are counted');


# What is said once is said in the middle of that.

{
    my $busy = with_log('{level: warn}', <<"YAML");
  access:
    rules:
      - { who: anonymous, repositories: "**", actions: "*" }
      - { who: "*", repositories: "**", actions: "*" }
$auth
YAML
    my $path = damaged($busy);
    my $stop = $busy->dir . '/stop';
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        in_parallel(4, sub {
            my $c;
            for (my $i = 0; !-e $stop; $i++) {
                $c = $busy->connect if $i % 500 == 0;
                $c->request('GET', $path, headers => \@alice);
            }
            return 1;
        });
        POSIX::_exit(0);
    }
    my @unheard;
    my $accounts = $busy->tree->content($users);
    for my $n (2 .. 6) {
        wait_until(20, sub { $busy->log_of_worker =~ /left out/ });
        write_file("$users.new", $accounts . "#\n" x ($n - 2) . "odd:{SHA}x\n");
        rename "$users.new", $users or die "$users: $!\n";
        my $end = time + 30;
        wait_until(20, sub { time > $end
            || $busy->log_of_worker =~ /users:$n: not used/ });
        push @unheard, $n if $busy->log_of_worker !~ /users:$n: not used/;
    }
    write_file($stop, '');
    waitpid $pid, 0;
    is("@unheard", '', 'what is said once is not left out with the others');
}

done_testing;
