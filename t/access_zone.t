# A hundred thousand different headers and a small zone: the oldest go, what is
# in use stays, and nginx does not grow (SECURITY.md S13).

use Test::Registry;

use File::Temp ();
use MIME::Base64 qw(encode_base64);

my $dir = File::Temp->newdir;
my @users = map { "user$_" } 1 .. 10;

accounts("$dir/users", map { ($_ => 'x') } @users);

my $r = Test::Registry->new(
    http   => 'registry_auth_zone small:32k; keepalive_requests 1000000;',
    server => 'add_header X-Cache $registry_cache always;'
        . ' access_log off;',
    registry => 'registry_auth_cache 1h;',
    config => <<"YAML");
  access:
    rules:
      - { who: anonymous, repositories: "public/**", actions: "*" }
      - { who: "*", repositories: "**", actions: pull }
auth:
  htpasswd:
    path: $dir/users
YAML

my $bytes = bytes('blob', 1000);
my $blob = '/v2/public/app/blobs/' . $r->push_blob('public/app', $bytes);

# The same credentials, written in so many ways.
my $n = sanitized() ? 20_000 : 100_000;
my @basic = map { encode_base64("$_:x", '') } @users;

sub header {
    my ($i) = @_;

    my $user = $basic[$i % 10];
    my $bits = int($i / 10) % 32;
    my $word = join '', map {
        my $letter = substr('basic', $_, 1);
        $bits >> $_ & 1 ? uc $letter : $letter } 0 .. 4;

    return 'Authorization: ' . $word . ' ' x (1 + int($i / 320)) . $user;
}

my $c = $r->connect;

sub heads {
    my (@headers) = @_;

    $c->send(join '', map {
        "HEAD $blob HTTP/1.1\r\nHost: x\r\n$_\r\n\r\n" } @headers);
    return map { $c->response('HEAD') } @headers;
}

my $used = 'X-Nobody: at all';
heads($used);
is((heads($used))[0]->header('x-cache'), 'HIT', 'somebody is remembered');

my ($pid) = $r->nginx_workers;
my $begin = time;
my ($before, %status, %cache, $lost) = (0);
for (my $i = 0; $i < $n; $i += 50) {
    my @answers = heads($used, map { header($_) } $i .. $i + 49);
    $lost++ if (shift @answers)->header('x-cache') ne 'HIT';
    $status{ $_->{status} }++, $cache{ $_->header('x-cache') }++ for @answers;
    $before = rss($pid) if $i == 5000;
}

is(join(' ', %status), "200 $n", "$n different headers, and all were served");
is(join(' ', %cache), "MISS $n", 'each was asked for');
is($lost // 0, 0, 'who came all the time was remembered all the time');
is((heads(header($n - 1)))[0]->header('x-cache'), 'HIT',
    'the latest is remembered');
is((heads(header(0)))[0]->header('x-cache'), 'MISS', 'the first is not');
cmp_ok(rss($pid) - $before, '<', 2048, 'nginx has not grown')
    unless sanitized();
is(($r->nginx_workers)[0], $pid, 'nor died');

my $warned = () = $r->nginx_log =~ /zone "small" is full/g;
cmp_ok($warned, '>=', 1, 'the log says that the zone is too small');
cmp_ok($warned, '<=', 2 + (time - $begin) / 60, 'once a minute');
unlike($r->nginx_log, qr/\[(?:error|crit|alert)\]/, 'and of no error');

done_testing;
