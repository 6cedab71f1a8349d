# Behind an nginx that ends TLS: realms and Locations are right there, and a
# stranger's headers change nothing (SECURITY.md S14).

use Test::Registry;

use File::Temp ();

my $dir = File::Temp->newdir;
my $users = "$dir/users";
accounts($users, alice => 'secret');
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    . " -keyout $dir/key.pem -out $dir/cert.pem 2>$dir/openssl.log") == 0
    or die "openssl failed\n";

my $r = Test::Registry->new(worker => { state => "$dir/state" },
    config => <<"YAML");
  tokens:
    enabled: true
auth:
  htpasswd:
    path: $users
YAML


# ---- the proxy

my $port = Test::Registry->free_port;
mkdir "$dir/temp";
write_file("$dir/nginx.conf", <<"CONF");
daemon off; pid $dir/nginx.pid; error_log $dir/error.log;
@{[ $> == 0 ? 'user root;' : '' ]}
events { }
http {
    access_log off;
@{[ map { "    ${_}_temp_path $dir/temp/$_;\n" }
    qw(client_body proxy fastcgi uwsgi scgi) ]}
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;
        client_max_body_size 0;
        location / {
            proxy_pass               http://127.0.0.1:@{[ $r->port ]};
            proxy_request_buffering  off;
            proxy_http_version       1.1;
            proxy_set_header         Host \$http_host;
            proxy_set_header         X-Forwarded-Proto https;
            proxy_set_header         X-Forwarded-Host  \$http_host;
        }
    }
}
CONF

$r->start_beside($r->nginx, '-p', $dir, '-e', "$dir/error.log", '-c',
    "$dir/nginx.conf");

sub curl {
    my ($path, @more) = @_;

    my ($status, $out) = $r->run('curl', '-sk', '-D', '-', '-o', '/dev/null',
        @more, "https://127.0.0.1:$port$path");
    return $out;
}

ok(wait_until(10, sub { curl('/v2/') =~ /^HTTP/ }), 'the proxy is up');


# ---- through it

like(curl('/v2/'), qr{realm="https://127\.0\.0\.1:$port/v2/_token"},
    'the realm is where the client came');
like(curl('/v2/', '-H', 'X-Forwarded-Proto: http', '-H',
    'X-Forwarded-Host: evil.example'),
    qr{realm="https://127\.0\.0\.1:$port/v2/_token"},
    'whatever the client says');

my ($status, $out) = $r->run('curl', '-sk', '-u', 'alice:secret',
    "https://127.0.0.1:$port/v2/_token?scope=repository:a:pull,push");
my ($token) = $out =~ /"token": ?"([^"]+)"/;
ok($token, 'a token comes through') or diag($out);

my $head = curl('/v2/a/blobs/uploads/', '-X', 'POST', '-H',
    "Authorization: Bearer $token");
my ($location) = $head =~ /^location: *(\S+)/im;
like($location // '', qr{^/v2/a/blobs/uploads/}, 'a Location is a path');

my $bytes = bytes('through', 300_000);
write_file("$dir/blob", $bytes);
like(curl(with_digest($location, sha256($bytes)), '-X', 'PUT', '-T',
    "$dir/blob", '-H', "Authorization: Bearer $token"), qr/ 201 /,
    'bytes go up through it');
like(curl('/v2/a/blobs/' . sha256($bytes), '-H',
    "Authorization: Bearer $token"), qr/ 200 .*content-length: 300000/is,
    'and down');


# ---- a stranger, and a configured URL

$r->write_config(do { local (@ARGV, $/) = ($r->config_file); <> }
    =~ s/^nginx_registry:\n/nginx_registry:\n  trusted_proxies: [10.0.0.0\/8]\n/mr);
$r->restart_worker;
like($r->request('GET', '/v2/', headers => ['X-Forwarded-Proto' => 'https',
    'X-Forwarded-Host' => 'evil.example'])->header('www-authenticate'),
    qr{realm="http://registry\.test/v2/_token"},
    'who is no trusted proxy is not believed');

$r->write_config(do { local (@ARGV, $/) = ($r->config_file); <> }
    =~ s{^nginx_registry:\n}
        {nginx_registry:\n  external_url: https://images.example.org/\n}mr);
$r->restart_worker;
like($r->request('GET', '/v2/', headers => ['X-Forwarded-Host' => 'evil'])
    ->header('www-authenticate'),
    qr{realm="https://images\.example\.org/v2/_token"},
    'a configured URL is said whatever comes');

done_testing;
