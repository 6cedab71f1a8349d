# The audit: a JSON line for what was done and refused, and no secret in it
# (SECURITY.md S18).

use Test::Registry;

use File::Temp ();
use JSON::PP qw(decode_json);

my $dir = File::Temp->newdir;
my ($users, $audit) = ("$dir/users", "$dir/audit.log");

accounts($users, alice => 'w0nderland');

my $r = Test::Registry->new(config => <<"YAML");
  audit:
    path: $audit
auth:
  htpasswd:
    path: $users
YAML

my @alice = basic(alice => 'w0nderland');

sub lines {
    open my $file, '<', $_[0] // $audit or return ();
    return map { decode_json($_) } <$file>;
}

sub ask {
    my ($method, $path, %opt) = @_;

    my $headers = delete $opt{headers} // [];
    return $r->request($method, $path, headers => [@alice, @$headers], %opt);
}


# ---- what is noted

is(ask('GET', '/v2/')->{status}, 200, 'alice logs in');

my $body = json({ schemaVersion => 2, mediaType => $TYPE{oci_index},
    manifests => [] });
is(ask('PUT', '/v2/team/app/manifests/v1', body => $body,
    headers => ['Content-Type' => $TYPE{oci_index},
        'User-Agent' => "odd\"agent\\\t\x01"])->{status}, 201,
    'pushes');
is(ask('GET', '/v2/team/app/manifests/v1')->{status}, 200, 'pulls');
is(ask('DELETE', '/v2/team/app/manifests/v1')->{status}, 202, 'deletes');
is(ask('DELETE', '/v2/team/app/manifests/v1')->{status}, 404, 'once');
is($r->request('GET', '/v2/',
    headers => [basic(mallory => 's3cret')])->{status}, 401,
    'mallory does not log in');
is($r->request('GET', '/v2/')->{status}, 401, 'nobody is asked to');

my @lines = lines();
is(join(' ', map { $_->{event} } @lines), 'login push delete login-failed',
    'each is one line, a pull and a question are none');

my %push = %{ $lines[1] };
is($push{user}, 'alice', 'who');
is($push{client}, '127.0.0.1', 'from where');
is($push{repository}, 'team/app', 'to what repository');
is($push{reference}, 'v1', 'by which tag');
is($push{digest}, sha256($body), 'which content');
is($push{status}, 201, 'and how it ended');
like($push{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'when');
like($push{agent} // '', qr/^odd"agent\\/, 'what came from outside is escaped');
is($lines[3]{user}, undef, 'whom nobody knows has no name');
is($lines[0]{digest}, undef, 'and a login no digest');

# a line of the log is written after the answer
ok(wait_until(10, sub {
    $r->log_of_worker =~ m{127\.0\.0\.1 alice "PUT /v2/team/app}
}), 'the log names the user too');


# ---- no secret

my $all = do { local (@ARGV, $/) = ($audit); <> } . $r->log_of_worker;
unlike($all, qr/w0nderland|s3cret|\Q$alice[1]\E/, 'no secret is in them');


# ---- the file is moved away

rename $audit, "$audit.1";
kill 'HUP', $r->worker_pid;
ok(wait_until(10, sub { ask('GET', '/v2/'); -e $audit }),
    'after SIGHUP there is a new file');
is((stat $audit)[2] & 0777, 0640, 'that not everybody reads');



# ---- what is refused, and to whom tokens are given

my $second = "$dir/second.log";
my $two = Test::Registry->new(worker => { state => "$dir/state" },
    config => <<"YAML");
  audit: {path: $second}
  tokens: {enabled: true}
  access:
    rules: [{who: alice, repositories: "team/**", actions: "*"}]
auth: {htpasswd: {path: $users}}
YAML

my $blob = $two->request('POST', '/v2/team/app/blobs/uploads/?digest='
    . sha256('bytes'), body => 'bytes', headers => \@alice);
is($blob->{status}, 201, 'a blob');
my $layer = json(image_manifest(config => 'absent'));
my $type = ['Content-Type' => $TYPE{oci}];

my $token = $two->expect(200, 'GET',
    '/v2/_token?scope=repository:team/app:pull', headers => \@alice)->json;
my @token = (Authorization => "Bearer $token->{token}");
$two->expect(200, 'GET', '/v2/_token');
$two->expect(401, 'PUT', '/v2/team/app/manifests/v1', body => $layer,
    headers => [@token, @$type]);
$two->expect(403, 'POST', '/v2/other/blobs/uploads/', body => '',
    headers => \@alice);
$two->expect(403, 'GET', '/v2/other/blobs/' . sha256('bytes'),
    headers => \@alice);
$two->expect(400, 'PUT', '/v2/team/app/manifests/v1', body => $layer,
    headers => [@alice, @$type]);
$two->expect(202, 'DELETE', '/v2/team/app/blobs/' . sha256('bytes'),
    headers => \@alice);

is(join(', ', map { join ' ', map { $_ // '-' }
    @$_{qw(event status user repository reference)} } lines($second)),
    join(', ', 'token 200 alice - -', 'denied 401 alice team/app v1',
        'denied 403 alice other -',
        'denied 403 alice other ' . sha256('bytes'),
        'delete 202 alice team/app ' . sha256('bytes')),
    'each once, though nginx asked as well; what fails is none');

my $guesses = 0;
$guesses++ while $guesses < 50 && $two->request('GET', '/v2/',
    headers => [basic(alice => "guess$guesses")])->{status} == 401;
is(join(' ', map { "$_->{event} $_->{status}" } (lines($second))[5 .. 4
    + $guesses + 1]), 'login-failed 401 ' x $guesses . 'login-failed 429',
    'guesses, and that they became too many');


# ---- nothing can be written

my $full = Test::Registry->new(config => <<"YAML");
  audit: {path: /dev/full}
auth: {htpasswd: {path: $users}}
YAML
is($full->request('GET', '/v2/', headers => \@alice)->{status}, 200,
    'a full disk does not close the door');
ok(wait_until(10, sub {
    $full->log_of_worker =~ /error audit: No space left on device/ }),
    'but the log tells of it');

done_testing;
