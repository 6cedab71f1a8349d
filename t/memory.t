# A layer of 2 GiB goes in and out through processes that stay small.
# REGISTRY_BIG_MB says how large it is.

use Test::Registry;
use Digest::SHA;
use Time::HiRes qw(time);

my $mb = $ENV{REGISTRY_BIG_MB} // 2048;
my $allowed = 20 * 1024;

my $r = Test::Registry->new;

# What a bare nginx worker takes that has sent a file.
my $port = $r->free_port;
my $conf = "$r->{dir}/plain.conf";
write_file($conf, <<"CONF");
daemon off;
@{[ $> == 0 ? 'user root;' : '' ]}
pid $r->{dir}/plain.pid;
error_log $r->{dir}/plain.log;
events { }
http {
    access_log off;
    client_body_temp_path $r->{dir}/temp/body;
    fastcgi_temp_path     $r->{dir}/temp/fastcgi;
    proxy_temp_path       $r->{dir}/temp/proxy;
    uwsgi_temp_path       $r->{dir}/temp/uwsgi;
    scgi_temp_path        $r->{dir}/temp/scgi;
    sendfile on;
    server {
        listen 127.0.0.1:$port;
        root $r->{dir};
    }
}
CONF
my $master = $r->start_beside($r->nginx, '-c', $conf, '-p', $r->dir);
my $got;
wait_until(10, sub {
    $got = eval { Test::Registry::Connection->new(port => $port)
        ->request('GET', '/config.yml') };
    return $got && $got->{status} == 200;
}) or die 'a plain nginx does not start';
my ($plain) = map { rss_peak($_) } children($master);

my ($nginx)  = $r->nginx_workers;
my ($worker) = $r->worker_pids;
my $idle = rss($nginx);


# ---- push, as docker does: PATCH of unknown length, then an empty PUT

my $block = bytes('block', 4 << 20);
my $sha = Digest::SHA->new(256);
my $n = 0;

my $location = $r->start_upload('big');
my $begin = time();
my $answer = $r->request('PATCH', $location, chunked => 1, body => sub {
    return if $n >= $mb / 4;
    # Each block begins with its number: none may be lost or doubled.
    my $piece = sprintf('%016d', $n++) . substr($block, 16);
    $sha->add($piece);
    return $piece;
});
is($answer->{status}, 202, "a PATCH of $mb MiB") or diag($answer);
my $size = $n * length $block;
is($answer->header('range'), '0-' . ($size - 1), 'all of it has arrived');
my $pushed = time() - $begin;
my %after = (nginx => rss($nginx), worker => rss($worker));

$begin = time();
my $digest = 'sha256:' . $sha->hexdigest;
$answer = $r->request('PUT', with_digest($location, $digest), body => '');
is($answer->{status}, 201, 'the PUT') or diag($answer);
my $put = time() - $begin;
ok($put < 30 || $put < $pushed / 8, 'is answered while a client waits')
    or diag($put);


# ---- pull

$sha = Digest::SHA->new(256);
$begin = time();
$answer = $r->request('GET', "/v2/big/blobs/$digest",
    sink => sub { $sha->add($_[0]) });
is($answer->{status}, 200, 'a GET of it');
is($answer->header('content-length'), $size, 'its length');
is('sha256:' . $sha->hexdigest, $digest, 'the same bytes');
my $pulled = time() - $begin;

is(($r->nginx_workers)[0], $nginx, 'the nginx worker is the same');
is(($r->worker_pids)[0], $worker, 'the worker is the same');

my $top = rss_peak($nginx);
my $worker_top = rss_peak($worker);
note(sprintf '%d MiB: PATCH %.1f s, PUT %.2f s, GET %.1f s (client included)',
    $mb, $pushed, $put, $pulled);
note("RSS in KiB: plain nginx worker $plain; our nginx worker $idle idle, "
    . "$after{nginx} after the push, " . rss($nginx) . " now, $top at most; "
    . "registry-fcgi $after{worker} after the push, " . rss($worker)
    . " now, $worker_top at most");

SKIP: {
    skip 'memory is not bounded under a sanitizer', 2 if sanitized();

    cmp_ok($top - $plain, '<=', $allowed,
        "nginx's worker takes at most 20 MiB more than a plain one: "
        . ($top - $plain) . ' KiB');
    cmp_ok($worker_top, '<=', $allowed,
        "registry-fcgi takes at most 20 MiB: $worker_top KiB");
}

done_testing;
