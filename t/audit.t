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
    open my $file, '<', $audit or return ();
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

done_testing;
