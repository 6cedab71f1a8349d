# The same registry over HTTP/2, in clear and over TLS.

use Test::Registry;

for my $tool (qw(curl nghttp h2load)) {
    grep { -x "$_/$tool" } split /:/, $ENV{PATH}
        or die "no $tool: apt-get install curl nghttp2-client\n";
}

my $r = Test::Registry->new(workers => 2, http2 => 1, tls => 1);

my %base = (
    'h2c'    => 'http://127.0.0.1:' . $r->port('http2'),
    'h2 TLS' => 'https://127.0.0.1:' . $r->port('tls'),
);
my $file = "$r->{dir}/body";
my $out  = "$r->{dir}/out";


# (status, headers, body)

sub curl {
    my (@arguments) = @_;

    unlink $out;
    open(my $pipe, '-|', 'curl', '-sk', '--http2-prior-knowledge',
        '--max-time', 60, '-D', '-', '-o', $out, '-w', "\n%{http_version}",
        @arguments) or die "curl: $!";
    local $/;
    my $text = <$pipe>;
    close $pipe;

    my ($status) = $text =~ m{.*^HTTP/2 (\d+)}ms;
    my %header = $text =~ /^([\w-]+): (.*?)\r?$/mg;
    my $version = ($text =~ /\n([\d.]+)\z/)[0] // '';
    return ($version eq '2' ? $status // 0 : "HTTP $version", \%header,
        $r->tree->content($out) // '');
}

for my $how (sort keys %base) {
    my $base = $base{$how};
    (my $repo = lc $how) =~ tr/ /-/;

    my ($status, $header) = curl("$base/v2/");
    is($status, 200, "$how: GET /v2/");

    for my $size (0, 1, 16_384, 16_385, 100_000, 5_000_003) {
        my $bytes = bytes("$how $size", $size);
        my $digest = sha256($bytes);
        write_file($file, $bytes);

        ($status, $header)
            = curl('-X', 'POST', '-d', '', "$base/v2/$repo/blobs/uploads/");
        is($status, 202, "$how, $size bytes: POST");
        my $location = $header->{location};

        ($status, $header) = curl('-X', 'PATCH', '--data-binary', "\@$file",
            '-H', 'Content-Type: application/octet-stream', "$base$location");
        is($status, 202, "$how, $size bytes: PATCH");
        ($status, $header) = curl('-X', 'PUT', '-d', '',
            $base . with_digest($header->{location} // $location, $digest));
        is($status, 201, "$how, $size bytes: PUT");

        ($status, $header, my $body)
            = curl("$base/v2/$repo/blobs/$digest");
        is($status, 200, "$how, $size bytes: GET");
        ok($body eq $bytes, "$how, $size bytes: the bytes");
        is($header->{'content-length'}, $size, 'Content-Length');

        ($status, $header) = curl('-I', "$base/v2/$repo/blobs/$digest");
        is("$status " . ($header->{'docker-content-digest'} // ''),
            "200 $digest", "$how, $size bytes: HEAD");
    }

    my $bytes;
    for my $size (258_049, 262_144, 275_000, 300_000) {
        $bytes = bytes("$how mono", $size);
        ($status, $header)
            = curl('-X', 'POST', '-d', '', "$base/v2/$repo/blobs/uploads/");
        open(my $pipe, '|-', 'curl', '-sk', '--http2-prior-knowledge', '-m', 30,
            '-o', $out, '-X', 'PUT', '-T', '-', '-H', 'Expect:',
            $base . with_digest($header->{location}, sha256($bytes)))
            or die "curl: $!";
        print $pipe $bytes;
        close $pipe;
        is($r->request('GET', "/v2/$repo/blobs/" . sha256($bytes))->{body},
            $bytes, "$how: a PUT of unknown length, $size bytes");
    }

    my $image = $r->push_image($repo, 'v1');
    write_file($file, $image->{bytes});
    ($status) = curl('-X', 'PUT', '--data-binary', "\@$file",
        '-H', "Content-Type: $TYPE{oci}", "$base/v2/$repo/manifests/v2");
    is($status, 201, "$how: a manifest");
    ($status, $header, my $body) = curl("$base/v2/$repo/manifests/v2");
    is($body, $image->{bytes}, "$how: comes back");

    ($status, $header, $body) = curl('-r', '100-199',
        "$base/v2/$repo/blobs/" . sha256($bytes));
    is($status, 206, "$how: a range");
    ok($body eq substr($bytes, 100, 100), "$how: its bytes");

    ($status, $header, $body) = curl("$base/v2/$repo/blobs/" . sha256('none'));
    is($status, 404, "$how: an absent blob");
    like($body, qr/BLOB_UNKNOWN/, "$how: in JSON");

    ($status, $header)
        = curl('-X', 'POST', '-d', '', "$base/v2/$repo/blobs/uploads/");
    my $location = $header->{location};
    ($status, $header, $body) = curl('-X', 'PATCH', '--data-binary', 'gap',
        '-H', 'Content-Range: 10-12', "$base$location");
    is($status, 416, "$how: a gap");
    is($header->{range}, '0-0', "$how: Range");

    # Many streams of one connection.
    my $path = "/v2/$repo/blobs/" . sha256($bytes);
    my $report = `h2load -n 200 -c 2 -m 50 $base$path 2>&1`;
    like($report, qr/200 succeeded, 0 failed, 0 errored/,
        "$how: 200 pulls of many streams") or diag($report);
    like($report, qr/status codes: 200 2xx/, "$how: all good");
    $report = `nghttp -ns $base$path $base/v2/$repo/manifests/v1 2>&1`;
    is(scalar(() = $report =~ / 200 /g), 2, "$how: nghttp agrees")
        or diag($report);
}

# A stream that is reset in the middle of its body leaves the session usable.
my $location = $r->start_upload('reset');
write_file($file, bytes('reset', 3_000_000));
my $pid = open(my $pipe, '|-', 'curl', '-s', '--http2-prior-knowledge',
    '-X', 'PATCH', '-T', '-', '-H', 'Expect:', '-o', $out,
    "$base{h2c}$location") or die "curl: $!";
$pipe->autoflush;
print $pipe bytes('reset', 1_000_000);
my $data = $r->tree->upload('reset', uuid_of($location)) . '/data';
wait_until(10, sub { (-s $data // 0) > 0 });
kill 'KILL', $pid;
close $pipe;
my $have = 0;
ok(wait_until(20, sub {
    my $answer = $r->request('PATCH', $location, body => '');
    $have = $1 + 1 if ($answer->header('range') // '') =~ /^0-([1-9]\d*)$/;
    return $answer->{status} == 202;
}), 'a reset stream lets go of the upload');
my $answer = $r->request('PUT',
    with_digest($location, sha256(bytes('reset', 3_000_000))),
    body => substr(bytes('reset', 3_000_000), $have));
is($answer->{status}, 201, "which goes on after $have bytes")
    or diag($answer);

fsck_ok($r, 'the tree is sound');

done_testing;
