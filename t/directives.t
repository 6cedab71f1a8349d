# The module's directives: what they take, what they refuse, and that a push
# and a pull work however nginx is tuned.

use Test::Registry;

my $r = Test::Registry->new;
my $conf = $r->tree->content("$r->{dir}/nginx.conf");


# nginx -t with something changed in the configuration.

sub nginx_t {
    my ($change) = @_;

    my $file = "$r->{dir}/try.conf";
    write_file($file, $change->($conf));
    local $ENV{LD_PRELOAD} = $ENV{REGISTRY_PRELOAD}
        if $ENV{REGISTRY_PRELOAD};
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
    return $r->run($r->nginx, '-t', '-c', $file, '-p', $r->dir,
        '-e', "$r->{dir}/try.log", '-g', "pid $r->{dir}/try.pid;");
}

sub in_location {
    my ($text) = @_;
    return sub { $_[0] =~ s/(fastcgi_pass)/$text\n            $1/r
        =~ s/^pid .*$//mr };
}

sub instead {
    my ($text) = @_;
    return sub { $_[0] =~ s/registry +\Q$r->{root}\E;/$text/r
        =~ s/^pid .*$//mr };
}

my ($status, $out) = nginx_t(in_location(''));
is($status, 0, 'the configuration as it is') or diag($out);

for my $case (
    ['registry twice',         in_location("registry $r->{root};"),
        qr/"registry" directive is duplicate/],
    ['registry without a root', instead('registry;'),
        qr/invalid number of arguments in "registry"/],
    ['registry with two',      instead('registry a b;'),
        qr/invalid number of arguments in "registry"/],
    ['a root that is too long', instead('registry /' . 'x' x 2000 . ';'),
        qr/"registry"/],
    ['registry in a server',   sub { $_[0] =~ s/(location)/registry \/x; $1/r
        =~ s/^pid .*$//mr }, qr/"registry" directive is not allowed here/],
    ['a buffer of no size',    in_location('registry_upload_buffer 0;'),
        qr/registry_upload_buffer/],
    ['a buffer of a word',     in_location('registry_upload_buffer big;'),
        qr/registry_upload_buffer/],
    ['directio of a word',     in_location('registry_upload_directio on;'),
        qr/registry_upload_directio/],
    ['directio twice',         in_location('registry_upload_directio 1m;'
        . ' registry_upload_directio off;'), qr/duplicate/],
    ['a buffer twice',         in_location('registry_upload_buffer 1m;'
        . ' registry_upload_buffer 2m;'), qr/duplicate/],
    ['a reserve of a word',    in_location('registry_min_free all;'),
        qr/registry_min_free/],
    ['a reserve twice',        in_location('registry_min_free 1m;'
        . ' registry_min_free 1m;'), qr/duplicate/],
    ['a pool that is not there', in_location('registry_thread_pool nosuch;'),
        qr/nosuch/],
    ['a zone in a location',   in_location('registry_auth_zone a:1m;'),
        qr/"registry_auth_zone" directive is not allowed here/],
    ['a cache of a word',      in_location('registry_auth_cache long;'),
        qr/registry_auth_cache/],
    ['auth of a word',         in_location('registry_auth maybe;'),
        qr/registry_auth/],
    (map { my $zone = $_;
        ["a zone of $zone",    sub { $_[0] =~ s/(http \{)/$1 registry_auth_zone $zone;/r
        =~ s/^pid .*$//mr }, qr/zone/] }
        'a', 'a:', ':1m', 'a:x', 'a:4k', 'a:-1', 'a:1m; registry_auth_zone b:1m'),
    ['a pool twice',           in_location('registry_thread_pool default;'
        . ' registry_thread_pool default;'), qr/duplicate/],
)
{
    my ($title, $change, $says) = @$case;
    ($status, $out) = nginx_t($change);
    isnt($status, 0, "refused: $title");
    like($out, $says, 'and why');
}

for my $good ('registry_upload_buffer 64k;', 'registry_min_free 10g;',
    'registry_auth_cache 0;', 'registry_auth_cache 500ms;', 'registry_auth off;',
    'registry_min_free 0;', 'registry_thread_pool default;',
    'client_max_body_size 0;')
{
    ($status, $out) = nginx_t(in_location($good));
    is($status, 0, "taken: $good") or diag($out);
}

($status, $out) = nginx_t(in_location('client_max_body_size 10m;'));
is($status, 0, 'a limit on bodies is the user\'s to set');
like($out, qr/\[warn\].*client_max_body_size/, 'but there is a word about it');


# ---- however nginx is tuned

my $layer = bytes('layer', 2_500_000);
for my $case (
    ['a small upload buffer',  registry => 'registry_upload_buffer 4k;'],
    ['a large upload buffer',  registry => 'registry_upload_buffer 8m;'],
    ['all past the page cache', registry => 'registry_upload_directio 0;'],
    ['nothing past it',        registry => 'registry_upload_directio off;'],
    ['a thread pool of one',   main => 'thread_pool one threads=1;',
        registry => 'registry_thread_pool one;'],
    ['sendfile off',           location => 'sendfile off;'],
    ['aio threads',            location => 'aio threads; sendfile on;'],
    ['aio threads, sendfile off', location => 'aio threads; sendfile off;'],
    ['directio',               location => 'directio 512;'],
    ['no open_file_cache',     location => 'open_file_cache off;'],
    ['gzip everywhere else',   server => 'gzip on; gzip_types *;'
        . ' gzip_min_length 0; gzip_proxied any;'],
    ['large header buffers',   server => 'client_header_buffer_size 64k;'
        . ' large_client_header_buffers 4 64k;'],
    ['a body in one buffer',   location => 'client_body_in_single_buffer on;'],
    ['a limited rate',         location => 'limit_rate 20m;'],
    ['sendfile_max_chunk',     location => 'sendfile_max_chunk 16k;'],
    ['tcp_nopush',             location => 'tcp_nopush on;'],
    ['an error_page',          server => 'error_page 404 500 /oops;'
        . ' location = /oops { return 200 oops; }'],
    ['limit_except',           location => 'limit_except GET HEAD POST PUT'
        . ' PATCH DELETE { deny all; }'],
    ['headers added',          location => 'add_header X-Ours yes always;'],
)
{
    my ($title, %how) = @$case;
    my $n = eval { Test::Registry->new(%how) };
    if (!$n) {
        fail("$title: it starts");
        diag($@);
        next;
    }
    my $good = eval {
        my $image = $n->push_image('t', 'v1', layers => [$layer, 'small', '']);
        $n->push_blob('t', $layer, patch => 1);
        my $where = $n->start_upload('t');
        $n->expect(202, 'PATCH', $where, body => $layer, chunked => 3333);
        $n->expect(201, 'PUT', with_digest($where, sha256($layer)),
            body => '');
        for my $bytes ($layer, 'small', '') {
            my $path = '/v2/t/blobs/' . sha256($bytes);
            my $a = $n->expect(200, 'GET', $path,
                headers => ['Accept-Encoding' => 'gzip']);
            die "other bytes\n" if $a->{body} ne $bytes;
            die "no length\n" if $a->header('content-length')
                != length $bytes;
            $n->expect(200, 'HEAD', $path);
        }
        my $part = $n->expect(206, 'GET', '/v2/t/blobs/' . sha256($layer),
            headers => [Range => 'bytes=100000-1299999']);
        die "another part\n"
            if $part->{body} ne substr($layer, 100_000, 1_200_000);
        my $a = $n->expect(200, 'GET', '/v2/t/manifests/v1');
        die "another manifest\n" if $a->{body} ne $image->{bytes};
        $a = $n->request('GET', '/v2/t/blobs/' . sha256('absent'));
        die "an odd error: $a\n" if $a->{status} != 404
            || $a->code ne 'BLOB_UNKNOWN';
        my @wrong = $n->fsck;
        die "@wrong\n" if @wrong;
        1;
    };
    ok($good, "$title: a push and a pull") or diag($@);
    $n->stop_nginx;
    $n->stop_worker;
}


# ---- nginx and the worker must mean the same tree

my $other = Test::Registry->new;
my $text = $other->tree->content("$other->{dir}/nginx.conf");
mkdir "$other->{dir}/elsewhere";
$text =~ s{registry +\Q$other->{root}\E;}{registry $other->{dir}/elsewhere;};
write_file("$other->{dir}/nginx.conf", $text);
kill 'HUP', $other->nginx_pid;
my $a;
ok(wait_until(15, sub {
    $a = $other->request('POST', '/v2/a/blobs/uploads/', body => '');
    return $a->{status} != 202;
}), 'two trees are noticed');
error_is($a, 503, 'UNAVAILABLE', 'and nothing is written to either');


# ---- another module that reads the body first

{
    my $r = Test::Registry->new(location => 'mirror /copy;',
        server => 'location = /copy { internal; return 204; }');

    my $small = bytes('mirrored', 30_000);
    is(eval { $r->push_blob('m', $small, patch => 1) }, sha256($small),
        'a body that is in memory is taken from there') or diag($@);

    my $large = bytes('mirrored', 300_000);
    for my $how ([], [chunked => 5000]) {
        my $location = $r->start_upload('m');
        error_is($r->request('PATCH', $location, body => $large, @$how),
            500, 'UNKNOWN', "one in a file is refused (@$how)");
        is(-s $r->tree->upload('m', uuid_of($location)) . '/data', 0,
            'and not taken for an empty one');
        error_is($r->request('PUT', with_digest($location, sha256('')),
            body => $large, @$how), 500, 'UNKNOWN', 'nor is that of a PUT');
    }
}

done_testing;
