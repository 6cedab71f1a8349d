# Metrics for Prometheus: what was asked is counted, once, over all processes and
# beyond the death of any, and nothing of a client's is in the text
# (SECURITY.md S18).  That Redis fails is counted (F7).

use Test::Registry;
use Test::Registry::Redis;

use Cwd qw(getcwd);
use File::Temp ();

my $location = 'location = /metrics { include ' . getcwd()
    . '/conf/registry_params; fastcgi_pass registry; }';
my $on = "http: {debug: {prometheus: {enabled: true}}}\n";
my $requests = 'registry_http_requests_total';
my $duration = 'registry_http_request_duration_seconds';


# ---- reading them

# The grammar of text format 0.0.4: { series => value }, and what is wrong.

sub parse {
    my ($text) = @_;

    my $name  = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
    my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
    my (%values, %type, %help, @bad);

    push @bad, 'the last line has no end' unless $text =~ /\n\z/;

    for (split /\n/, $text) {
        if (/^# HELP ($name) (\S.*)$/) {
            push @bad, "twice: $_" if $help{$1}++;
        } elsif (/^# TYPE ($name) (counter|gauge|histogram)$/) {
            push @bad, "twice, or before its help: $_"
                if $type{$1} || !$help{$1};
            $type{$1} = $2;
        } elsif (/^($name)(\{$label(?:,$label)*\})? (-?[0-9]+(?:\.[0-9]+)?)$/) {
            my ($of, $labels, $value) = ($1, $2 // '', $3);
            my $base = $of =~ s/_(?:bucket|sum|count)$//r;
            my $type = $type{$of} // ($type{$base} // '') eq 'histogram';
            push @bad, "no type: $_" unless $type;
            push @bad, "a counter is _total: $_"
                if $type eq 'counter' && $of !~ /_total$/;
            push @bad, "below zero: $_" if $value < 0;
            push @bad, "twice: $_" if exists $values{"$of$labels"};
            $values{"$of$labels"} = $value;
        } else {
            push @bad, "no line: $_";
        }
    }

    # what is in a bucket is in the next, and the last is the count
    my %last;
    while ($text =~ /^(\w+)_bucket\{(.*),le="([^"]+)"\} (\d+)$/mg) {
        my ($key, $le, $n) = ("$1_count{$2}", $3, $4);
        push @bad, "fewer than below: $&" if $n < ($last{$key} // 0);
        push @bad, "not the count: $&"
            if $le eq '+Inf' && $n != $values{$key};
        $last{$key} = $n;
    }

    return (\%values, @bad);
}


sub scrape {
    my ($registry) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $a = $registry->request('GET', '/metrics');
    is($a->{status}, 200, 'metrics are served') or diag($a);
    my ($values, @bad) = parse($a->{body});
    ok(!@bad, 'in their format') or diag(join "\n", @bad);

    return $values;
}


# Without a word: for what is waited for.

sub peek {
    my ($registry) = @_;

    return (parse($registry->request('GET', '/metrics')->{body}))[0];
}

sub value { return peek($_[0])->{$_[1]} // -1 }


# What has become more, without what any process or request changes.

sub risen {
    my ($before, $after) = @_;

    my %more;
    for (keys %$after) {
        next if /^registry_(?:process|threads|connections|catalog|list_cache)/
            || /handler="metrics"/ || /_(?:bucket|sum|count)\b/;
        my $n = $after->{$_} - ($before->{$_} // 0);
        $more{$_} = $n if $n != 0;
    }

    return \%more;
}


# ---- off by default

my $off = Test::Registry->new(server => $location);
error_is($off->request('GET', '/metrics'), 404, 'UNSUPPORTED',
    'there are none unless they are asked for');
$off->stop_nginx;
$off->stop_worker;


# ---- never for who comes by the registry's location

my $dir = File::Temp->newdir;
for my $path ('/metrics', '/v2/_metrics') {
    my $all = Test::Registry->new(root => "$dir/root", server => <<"CONF",
        location / {
            registry      $dir/root;
            include       @{[ getcwd() ]}/conf/registry_params;
            fastcgi_pass  registry;
        }
CONF
        config => "http: {debug: {prometheus:"
            . " {enabled: true, path: $path}}}\n");
    error_is($all->request('GET', $_), 404, 'UNSUPPORTED',
        "$path: no metrics at $_")
        for $path, '/v2/metrics', '/v2/../metrics';
    $all->stop_nginx;
    $all->stop_worker;
}


# ---- exactly what was asked

my $r = Test::Registry->new(config => $on, server => $location,
    worker => { processes => 3, threads => 1 });
my $image = $r->push_image('a/b', 'v1');
my $size = length $image->{bytes};
my @processes = map { "{process=\"$_\"}" } 0 .. 2;

sub three_serve {
    return wait_until(20, sub {
        my $now = peek($r);
        return 3 == grep { ($now->{"registry_threads$_"} // 0) == 1 }
            @processes;
    });
}

ok(three_serve(), 'three processes of one thread');
my $before = scrape($r);
is($before->{"registry_build_info{version=\"$_\"}"}, 1, 'the version')
    for ($r->run($r->fcgi, '--version'))[1] =~ /(\d\S+)/;
ok(abs($before->{registry_start_time_seconds} - time()) < 600,
    'the time of the start');
ok(!(grep { !$before->{"registry_process_resident_memory_bytes$_"} }
    @processes), 'the memory of each');
is((grep { /^registry_threads_busy/ && $before->{$_} == 1 }
    keys %$before), 1, 'one of them answers this');

$r->request('GET', '/v2/a/b/manifests/v1') for 1 .. 7;
$r->request('HEAD', '/v2/a/b/manifests/v1') for 1 .. 2;
$r->request('GET', '/v2/a/b/manifests/v2') for 1 .. 3;
$r->request('GET', '/v2/a/b/tags/list') for 1 .. 4;
$r->request('OPTIONS', '/v2/a/b/manifests/v1');
$r->push_manifest('a/b', 'v3', $image->{bytes}, $image->{type});

my $after = scrape($r);
my %cache = map { $_ => $after->{"registry_manifest_cache_total{result=\"$_\"}"}
    - $before->{"registry_manifest_cache_total{result=\"$_\"}"} } qw(hit miss);
my $reads = $after->{registry_list_reads_total}
    - $before->{registry_list_reads_total};
is($cache{hit} + $cache{miss}, 9, 'manifests were in memory or not');
ok($reads >= 1 && $reads <= 4, 'names were read') or diag($reads);

my $risen = risen($before, $after);
delete $risen->{$_} for 'registry_list_reads_total',
    map { "registry_manifest_cache_total{result=\"$_\"}" } qw(hit miss);
is_deeply($risen, {
    "$requests\{handler=\"manifest\",method=\"get\",code=\"2xx\"}" => 7,
    "$requests\{handler=\"manifest\",method=\"get\",code=\"4xx\"}" => 3,
    "$requests\{handler=\"manifest\",method=\"head\",code=\"2xx\"}" => 2,
    "$requests\{handler=\"manifest\",method=\"options\",code=\"2xx\"}" => 1,
    "$requests\{handler=\"manifest\",method=\"put\",code=\"2xx\"}" => 1,
    "$requests\{handler=\"tags\",method=\"get\",code=\"2xx\"}" => 4,
    'registry_manifest_bytes_total{direction="in"}' => $size,
    'registry_manifest_bytes_total{direction="out"}' => 7 * $size,
    'registry_tag_events_total{event="disk"}' => 12,
    'registry_list_opens_total' => 4,
    'registry_access_total{credentials="none",result="allowed"}' => 17,
}, 'counts are of what was asked, and of nothing else');
is($after->{"${duration}_count{handler=\"manifest\"}"}
    - $before->{"${duration}_count{handler=\"manifest\"}"}, 14,
    'and so are times');
ok($after->{"${duration}_sum{handler=\"manifest\"}"}
    > $before->{"${duration}_sum{handler=\"manifest\"}"}, 'which pass');

my $a = $r->request('HEAD', '/metrics');
is($a->{status}, 200, 'HEAD');
is($a->header('content-type'), 'text/plain; version=0.0.4; charset=utf-8',
    'with the type of the format');
is($a->header('cache-control'), 'no-store', 'of now, and not of a cache');
is($r->request($_, '/metrics', body => '')->{status}, 404, "no $_ of metrics")
    for qw(POST PUT DELETE);


# ---- of all processes, the dead ones too

my $put = "$requests\{handler=\"manifest\",method=\"put\",code=\"2xx\"}";
my $get = "$requests\{handler=\"manifest\",method=\"get\",code=\"2xx\"}";
$before = scrape($r);
my $rounds = 0;
ok(wait_until(60, sub {
    $rounds++;
    in_parallel(6, sub {
        my ($i) = @_;
        $r->push_manifest('a/b', "p$i", $image->{bytes}, $image->{type});
        $r->expect(200, 'GET', "/v2/a/b/manifests/p$i") for 1 .. 3;
        return 1;
    });
    my $now = peek($r);
    return 3 == grep { $now->{"registry_connections$_"} > 0 } @processes;
}), 'all three processes have served');
$after = scrape($r);
is($after->{$put} - $before->{$put}, 6 * $rounds, 'all pushes are counted');
is($after->{$get} - $before->{$get}, 18 * $rounds, 'and all pulls');

my @pids = $r->worker_pids;
$r->expect_log(qr/worker \d+ was ended by signal 9/);
$r->expect_log(qr/(?:recv|writev|connect)\(\)/);
for my $pid (@pids) {
    $r->kill_process($pid, 'KILL');
    wait_until(20, sub {
        my @now = $r->worker_pids;
        return @now == 3 && !grep { $_ == $pid } @now;
    }) or die "no new process\n";
}
ok(three_serve(), 'three processes again');

$before = $after;
$after = scrape($r);
is_deeply([grep { /_total/ && $after->{$_} < $before->{$_} } keys %$before],
    [], 'nothing has fallen when every process was killed');
is_deeply(risen($before, $after), {}, 'nor risen');
is($after->{registry_process_deaths_total}, 3, 'the deaths are counted');
$r->expect(200, 'GET', '/v2/a/b/manifests/v1');
is(value($r, $get), $after->{$get} + 1, 'and the counts go on');

kill 'HUP', $r->worker_pid;
ok(wait_until(20, sub {
    my $now = peek($r);
    return 3 == grep({ /^registry_threads\{/ } keys %$now)
        && !grep({ exists $now->{"registry_threads$_"} } @processes);
}), 'after a reload, the new ones are shown and the old ones are not');
is(value($r, $get), $after->{$get} + 1, 'with the same counts');
is(value($r, 'registry_process_deaths_total'), 3, 'nobody has died');


# ---- hostile text

$before = scrape($r);
my $evil = 'evil%22%7d%201%0aevil_total%7bx=%22%5c';
for my $path (map { ("/v2/$_/manifests/v1", "/v2/$_/tags/list",
    "/v2/a/manifests/$_", "/v2/a/blobs/$_", "/v2/_catalog?last=$_",
    "/v2/$_", "/v2/a/blobs/uploads/$_") } $evil, 'evil' x 100)
{
    $r->request('GET', $path, headers => [
        'User-Agent' => "evil\"} 1 \\", Accept => 'evil"}',
        basic("evil\"}\n", 'x'),
        Host => 'evil']);
}
$r->request($_, '/v2/a/tags/list', body => '')
    for 'EVIL', 'EVIL_' x 10, 'PROPFIND';
$a = $r->request('GET', '/metrics?evil=evil', headers => [
    'User-Agent' => 'evil"} 1']);
is($a->{status}, 200, 'a query changes nothing');
unlike($a->{body}, qr/evil/i, "nothing that was sent is in the text");
(my $values, my @bad) = parse($a->{body});
ok(!@bad, 'which is in its format') or diag(join "\n", @bad);
my $new = grep { !exists $before->{$_} } grep { !/^$duration/ } keys %$values;
ok($new <= 10, 'and has grown by what the table has') or diag($new);
ok($values->{"$requests\{handler=\"tags\",method=\"other\",code=\"4xx\"}"} >= 2,
    'odd methods are others');


# ---- logins

accounts("$dir/users", alice => 'wonder');
my $login = Test::Registry->new(server => $location, config => <<"YAML",
  tokens: {enabled: true}
auth: {htpasswd: {path: "$dir/users"}}
$on
YAML
    worker => { state => "$dir/state" });

$before = scrape($login);
$login->expect(401, 'GET', '/v2/');
$login->expect(200, 'GET', '/v2/', headers => [basic(alice => 'wonder')]);
$a = $login->expect(200, 'GET', '/v2/_token?service=nginx-registry&scope='
    . 'repository:a:pull', headers => [basic(alice => 'wonder')]);
# The password is known by now; another is slowed down, after five.
my $wrong = 0;
$wrong++ while $wrong < 50 && $login->request('GET', '/v2/',
    headers => [basic(alice => 'land')])->{status} == 401;
my ($token) = $a->{body} =~ /"token":"([^"]+)"/;
$login->expect(404, 'GET', '/v2/a/manifests/x',
    headers => [Authorization => "Bearer $token"]);
$login->expect(401, 'GET', '/v2/b/manifests/x',
    headers => [Authorization => "Bearer $token"]);
$login->expect(200, 'POST', '/v2/_token',
    headers => ['Content-Type' => 'application/x-www-form-urlencoded'],
    body => 'grant_type=password&service=nginx-registry&client_id=x'
        . '&access_type=offline&username=alice&password=wonder');

$risen = risen($before, scrape($login));
my %access = map { /^registry_access_total\{credentials="(\w+)",result="(\w+)"/
    ? ("$1 $2" => $risen->{$_}) : () } keys %$risen;
is_deeply(\%access, {
    'none login'       => 1,
    'password allowed' => 3,
    'password wrong'   => $wrong,
    'password slowed'  => 1,
    'token allowed'    => 1,
    'token short'      => 1,
}, 'who came in, and who did not');
is($risen->{"registry_tokens_issued_total{kind=\"access\"}"}, 2, 'tokens');
is($risen->{"registry_tokens_issued_total{kind=\"refresh\"}"}, 1,
    'and those that give more');


# ---- what is written about them

my $doc = do { local (@ARGV, $/) = ('docs/metrics.md'); <> };
my $text = $login->request('GET', '/metrics')->{body};
is_deeply([$doc =~ /^\| `(registry_\w+)`/mg], [$text =~ /^# TYPE (\w+)/mg],
    'docs/metrics.md has each of them');
is_deeply([grep { $doc !~ /^\|.*`\Q$_\E`.*\|/m } $text =~ /event="(\w+)"/g],
    [], 'and each event');


# ---- the worker's own work

my $old = 'REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING';
my $chores = Test::Registry->new(config => $on, server => $location,
    env => { "${old}_AGE" => '1h', "${old}_INTERVAL" => '1s' });
my $path = $chores->tree->upload('a', uuid_of($chores->start_upload('a')));
my $then = time() - 4000;
utime $then, $then, glob("$path/*"), $path;
ok(wait_until(30, sub {
    value($chores, 'registry_purge_uploads_total{result="done"}') == 1;
}), 'an upload that was removed is counted');
ok(value($chores, 'registry_purge_rounds_total') >= 1, 'so is the search');
ok(wait_until(30, sub {
    value($chores, 'registry_catalog_walks_total{result="done"}') >= 1;
}), 'and a walk of the tree');
ok(value($chores, $_) >= 0, $_) for 'registry_catalog_walk_duration_seconds',
    'registry_catalog_age_seconds';


# ---- Redis

my $redis = Test::Registry::Redis->new;
my $tags = Test::Registry->new(config => $on . $redis->yaml,
    server => $location, worker => {
    tags => '{ask: always, timeout: 50ms, breaker: {retry: 50ms}}' });
my ($up, $follows) = map { "registry_redis_$_\{process=\"0\"}" }
    qw(up follows);

sub event { return value($tags, "registry_tag_events_total{event=\"$_[0]\"}") }
sub turns { return value($tags, "registry_redis_changes_total{to=\"$_[0]\"}") }

is(value($r, $up), -1, 'nothing of Redis where there is none');
ok(wait_until(20, sub { value($tags, $up) == 1 }), 'Redis is up');
is(value($tags, $follows), 1, 'and tells of changes');
ok(turns('up') > 0, 'which is a change');
# A Redis that was too slow for the first one is not asked for it again: what
# was read from disk is in memory.  A push ends that.
$image = $tags->push_image('a', 'v1');
ok(wait_until(20, sub {
    $tags->push_manifest('a', 'v1', $image->{bytes}, $image->{type});
    $tags->expect(200, 'GET', '/v2/a/manifests/v1');
    return event('filled') > 0;
}), 'a tag is put into Redis');
ok(wait_until(20, sub {
    $tags->expect(200, 'GET', '/v2/a/manifests/v1');
    return event('memory') > 0;
}), 'a tag is in memory');

# What hangs is asked once more, if it has not hung for too long.
my $failed = event('failed');
ok(wait_until(60, sub {
    wait_until(20, sub { value($tags, $up) == 1 }) or return 0;
    $redis->pause;
    $tags->expect(404, 'GET', "/v2/a/manifests/absent$_") for 1 .. 3;
    $redis->resume;
    return event('failed') > $failed;
}), 'calls that are not answered are counted');

ok(wait_until(20, sub { value($tags, $up) == 1 }), 'it is back');
my $down = turns('down');
$redis->kill;
ok(wait_until(20, sub { value($tags, $up) == 0 }), 'Redis is killed');
is(value($tags, $follows), 0, 'and tells nothing');
ok(turns('down') > $down, 'which is a change');
my $disk = event('disk');
$tags->expect(200, 'GET', '/v2/a/manifests/v1') for 1 .. 3;
is(event('disk'), $disk + 3, 'the disk answers');
my $fenced = event('fenced');
$tags->push_image('a', 'v2');
is(event('fenced'), $fenced + 1, 'a push that Redis is not told of is counted');
$redis->start;
ok(wait_until(20, sub { value($tags, $up) == 1 }), 'until it is up again');
$tags->restart_worker;
is(value($tags, $put), -1, 'a new start begins anew');

done_testing;
