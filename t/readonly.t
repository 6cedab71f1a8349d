# Read-only for maintenance (storage.maintenance.readonly): all that is there is
# read, and nothing is written, neither by the worker nor by nginx, which has
# been told before that the registry is open to everybody.

use Test::Registry;

my $r = Test::Registry->new;
my $image = $r->push_image('a/b', 'v1', layers => [bytes('layer', 20_000)]);
my $blob = "/v2/a/b/blobs/$image->{blobs}[1]";
my $manifest = "/v2/a/b/manifests/$image->{digest}";
my $session = $r->start_upload('a/b');
my $bytes = bytes('part', 30_000);
$r->expect(202, 'PATCH', $session, body => substr($bytes, 0, 10_000));

my $text = $r->tree->content($r->config_file);


# Restarts the worker with that, and waits until nginx has heard of it.

sub readonly {
    my ($enabled, $status) = @_;

    $r->write_config($text =~ s/^storage:\n/storage:
  maintenance: {readonly: {enabled: $enabled}}\n/mr);
    $r->restart_worker;
    ok(wait_until(20, sub {
        $r->request('PATCH', $session, body => '')->{status} == $status
    }), "readonly: $enabled");
}

# The tree, but for what every worker leaves there when it starts.

sub tree {
    return { map { $_ => $r->tree->content($r->path($_)) }
        grep { !/^_/ } $r->tree->files };
}


readonly(true => 405);
my $before = tree();
my @writes = (
    ['POST', '/v2/a/b/blobs/uploads/', ''],
    ['POST', '/v2/new/blobs/uploads/', ''],
    ['POST', '/v2/new/blobs/uploads/?digest=' . sha256($bytes), $bytes],
    ['POST', "/v2/new/blobs/uploads/?mount=$image->{blobs}[1]&from=a/b", ''],
    ['PATCH', $session, substr($bytes, 10_000)],
    ['PUT', with_digest($session, sha256($bytes)), substr($bytes, 10_000)],
    ['PUT', with_digest($session, sha256(substr($bytes, 0, 10_000))), ''],
    ['DELETE', $session],
    ['PUT', '/v2/a/b/manifests/v2', $image->{bytes}],
    ['PUT', $manifest, $image->{bytes}],
    ['DELETE', '/v2/a/b/manifests/v1'],
    ['DELETE', $manifest],
    ['DELETE', $blob],
);

sub all_refused {
    for (@writes) {
        my ($method, $path, $body) = @$_;
        my $title = "$method $path" =~ s/[0-9a-f-]{36,}/.../gr;
        my $a = $r->request($method, $path,
            defined $body ? (body => $body) : (),
            headers => ['Content-Type' => $image->{type}]);

        error_is($a, 405, 'UNSUPPORTED', "$title is refused");
        like($a->{body}, qr/read-only for maintenance/, 'with the reason');
    }
}

all_refused();
is($r->request('OPTIONS', $_)->header('allow'), 'GET, HEAD, OPTIONS',
    'what is left can be asked: ' . $_ =~ s/[0-9a-f-]{36,}/.../gr)
    for $manifest, $blob, $session;

is($r->request('GET', $manifest)->{body}, $image->{bytes}, 'a manifest');
is($r->request('GET', '/v2/a/b/manifests/v1')->{body}, $image->{bytes},
    'by tag');
is($r->request('GET', $blob)->{body}, bytes('layer', 20_000), 'a blob');
is_deeply($r->request('GET', '/v2/a/b/tags/list')->json->{tags}, ['v1'],
    'tags');
is_deeply($r->request('GET', '/v2/_catalog')->json->{repositories}, ['a/b'],
    'the catalog');
is($r->request('GET', $session)->header('range'), '0-9999', 'a session');

# That everybody may read does not say that everybody may write.
all_refused();
is_deeply(tree(), $before, 'nothing was written');


readonly(false => 202);
is($r->request('PATCH', $session, body => substr($bytes, 10_000))->{status},
    202, 'afterwards it goes on where it was');
is($r->request('PUT', with_digest($session, sha256($bytes)), body => '')
    ->{status}, 201, 'to its end');
is($r->request('DELETE', '/v2/a/b/manifests/v1')->{status}, 202,
    'and a tag can be deleted');

fsck_ok($r, 'the tree is sound');

done_testing;
