#!/usr/bin/perl

# The benchmark runs, tells the three servers apart, and notices a wrong one.

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Process qw(daemon needs read_file run runs_ok scratch
    write_file);

needs(python3 => 'python3', nginx => 'nginx', wrk => 'wrk',
    ab => 'apache2-utils', 'docker-registry' => 'docker-registry');

my $bench = "$FindBin::Bin/../bench/bench";
my $dir   = scratch();

like(runs_ok('--list', $bench, '--list'), qr/^blob_get_1k$/m,
    'names the workloads');


# A little of each kind of load.

my $out = runs_ok('a quick run', $bench, '--quick', '--dir', $dir,
    '--json', "$dir/out.json", '--only',
    'blob_get_1k,blob_head,manifest_get_tag,upload_chunked.c1,small,manifest_p');

like($out, qr/^\| workload \| unit \| ours \| nginx \| docker-registry \|/m,
    'the table has a column for each server');
for my $name (qw(blob_get_1k blob_head manifest_get_tag upload_chunked.c1
    small_push manifest_put))
{
    like($out, qr/^\| \Q$name\E \| \S+ \|(?: \d[^|]*\|){3}/m,
        "it has a row for $name");
}
unlike($out, qr/WRONG/, 'and every answer was right');
like($out, qr/^- \Q$_\E:/m, "it says its $_")
    for qw(command processor kernel), 'file system';
like($out, qr/^- blob_get_1k >= 0\.9x nginx: [\d.]+ (?:ok|MISSED)$/m,
    'it compares with the minimum');
like($out, qr/^- ours: .*nginx: worker process [\d.]+ MiB/m,
    'it says how much memory our processes took');

my $json = decode_json(read_file("$dir/out.json"));
is_deeply([sort keys %{ $json->{results}{blob_get_1k} }],
    [qw(docker-registry nginx ours)], 'the JSON has the samples of all three');
is_deeply([glob "$dir/registry-bench-*"], [], 'its trees are removed');


# A registry that lies is shown as that, and not as a fast one.

write_file("$dir/liar.py", <<'PYTHON');
import http.server, sys

class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"not what was stored")

    def do_POST(self):
        self.answer(202, Location="/v2/upload")

    def do_PUT(self):
        self.answer(201)

server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
my $liar = daemon($dir, 'liar', 'python3', "$dir/liar.py");
ok(wait_until(15, sub { $liar->log =~ /^\d+$/m }), 'a lying registry is up');
my ($port) = $liar->log =~ /^(\d+)$/m;

(my $status, $out) = run($bench, '--quick', '--dir', $dir, '--servers', '',
    '--only', 'blob_get_1k', "liar=http://127.0.0.1:$port");
is($status, 1, 'a run with wrong content exits with 1');
like($out, qr/^WRONG: blob_get_1k: liar: .* another digest$/m,
    'and says what was wrong');

($status, $out) = run($bench, '--only', 'nothing', '--dir', $dir);
is($status, 1, 'a run without workloads fails');
like($out, qr/^bench: --only nothing: no such workload$/m, 'and says so');

$liar->stop;

done_testing;
