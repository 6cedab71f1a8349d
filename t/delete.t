# Deletes: what was asked for goes at once, nothing else does.

use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });

sub code {
    my ($method, $path) = @_;
    return $r->request($method, $path)->{status};
}

# Asked of every process: a delete must not linger in anybody's cache.

sub everywhere_is {
    my ($path, $status, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %seen;
    for (1 .. 12) {
        $seen{ code($_, $path) }++ for qw(GET HEAD);
    }
    is_deeply([keys %seen], [$status], $title) or diag(explain(\%seen));
}


# ---- a tag

my $image = $r->push_image('a', 'v1', layers => [bytes('layer', 3000)]);
$r->push_manifest('a', $_, $image->{bytes}) for 'v2', 'v3';
everywhere_is("/v2/a/manifests/$_", 200, "$_ is warm") for 'v1', 'v2';

is(code('DELETE', '/v2/a/manifests/v1'), 202, 'a tag is deleted');
everywhere_is('/v2/a/manifests/v1', 404, 'the tag is gone');
everywhere_is('/v2/a/manifests/v2', 200, 'another tag stays');
everywhere_is("/v2/a/manifests/$image->{digest}", 200, 'the manifest stays');
ok(!-e $r->path('repositories/a/_manifests/tags/v1'), 'gone from the disk');
error_is($r->request('DELETE', '/v2/a/manifests/v1'), 404, 'MANIFEST_UNKNOWN',
    'a second time it is unknown');
$r->push_manifest('a', 'v1', $image->{bytes});
everywhere_is('/v2/a/manifests/v1', 200, 'it can be set again');
fsck_ok($r, 'the tree is sound after a tag');


# ---- a manifest, and with it its tags

my $other = $r->push_image('a', 'other', config => json({ other => 1 }));
is(code('DELETE', "/v2/a/manifests/$image->{digest}"), 202,
    'a manifest is deleted');
everywhere_is("/v2/a/manifests/$_", 404, "$_ is gone")
    for $image->{digest}, 'v1', 'v2', 'v3';
everywhere_is('/v2/a/manifests/other', 200, 'another manifest stays');
is_deeply($r->request('GET', '/v2/a/tags/list')->json->{tags}, ['other'],
    'the list of tags shows it');
is(code('GET', "/v2/a/blobs/$image->{blobs}[1]"), 200, 'its layers stay');
error_is($r->request('DELETE', "/v2/a/manifests/$image->{digest}"), 404,
    'MANIFEST_UNKNOWN', 'a second time it is unknown');
error_is($r->request('DELETE', '/v2/a/manifests/' . sha256('x')), 404,
    'MANIFEST_UNKNOWN', 'so is one that never was');
like($r->request('DELETE', "/v2/no/such/manifests/$image->{digest}")->code,
    qr/^(?:MANIFEST|NAME)_UNKNOWN$/, 'and a repository that never was');

$r->push_manifest('a', 'v1', $image->{bytes});
everywhere_is("/v2/a/manifests/$_", 200, "$_ can be pushed again")
    for 'v1', $image->{digest};

# A tag that has moved on does not go with the manifest that it once had.
$r->push_manifest('a', 'moving', $image->{bytes});
$r->push_manifest('a', 'moving', $other->{bytes});
is(code('DELETE', "/v2/a/manifests/$image->{digest}"), 202,
    'a manifest that a tag once had');
everywhere_is('/v2/a/manifests/moving', 200, 'the tag has moved on and stays');
fsck_ok($r, 'the tree is sound after a manifest');


# ---- an index and its children

my $child = $r->push_image('b', undef);
my $index = json(index_manifest(children => [$child]));
$r->push_manifest('b', 'multi', $index);
is(code('DELETE', '/v2/b/manifests/' . sha256($index)), 202, 'an index');
everywhere_is("/v2/b/manifests/$child->{digest}", 200, 'its child stays');
is(code('DELETE', "/v2/b/manifests/$child->{digest}"), 202, 'a child');


# ---- the same manifest elsewhere

$r->push_image($_, 'v1', config => '{"two":2}') for 'c', 'd';
my $digest = $r->request('HEAD', '/v2/c/manifests/v1')
    ->header('docker-content-digest');
is(code('DELETE', "/v2/c/manifests/$digest"), 202, 'in one repository');
everywhere_is("/v2/c/manifests/$digest", 404, 'it is gone there');
everywhere_is("/v2/d/manifests/$digest", 200, 'it stays in another');


# ---- a blob

my $blob = $r->push_blob('e', bytes('blob', 5000));
$r->push_blob('f', bytes('blob', 5000));
everywhere_is("/v2/$_/blobs/$blob", 200, 'warm') for 'e', 'f';
is(code('DELETE', "/v2/e/blobs/$blob"), 202, 'a blob is deleted');
everywhere_is("/v2/e/blobs/$blob", 404, 'the blob is gone');
everywhere_is("/v2/f/blobs/$blob", 200, 'it stays in another repository');
ok(!-e $r->tree->layer('e', $blob), 'its link is gone from the disk');
error_is($r->request('DELETE', "/v2/e/blobs/$blob"), 404, 'BLOB_UNKNOWN',
    'a second time it is unknown');
error_is($r->request('DELETE', '/v2/e/blobs/' . sha256('x')), 404,
    'BLOB_UNKNOWN', 'so is one that never was');
error_is($r->request('DELETE', "/v2/no/such/blobs/$blob"), 404,
    'BLOB_UNKNOWN', 'so is one in a repository that never was');
$r->push_blob('e', bytes('blob', 5000));
everywhere_is("/v2/e/blobs/$blob", 200, 'it can be pushed again');


# ---- a push and a delete at the same time (reg_lock.h)

# What is asked while somebody else has the lock waits for it; what he has
# changed by then counts.

sub meanwhile {
    my ($how, $method, $path, $opt, $change) = @_;

    my $dir = $r->path('repositories/race/_manifests');
    open(my $lock, '<', $dir) or die "$dir: $!";
    flock($lock, $how) or die "$dir: $!";
    my $inode = (stat $dir)[1];

    my $c = $r->connect;
    $c->send_request($method, $path, @$opt);
    ok(wait_until(60, sub {
        return $r->tree->content('/proc/locks')
            =~ /-> FLOCK +ADVISORY +\w+ +\d+ \w+:\w+:$inode /;
    }), "$method " . ($path =~ s/[0-9a-f-]{36,}/.../gr) . ' waits');
    $change->();
    close $lock;

    my $answer = $c->response($method);
    $c->close;
    return $answer;
}

my $race = $r->push_image('race', 'v1', layers => ['layer']);
my $layer = $r->tree->layer('race', $race->{blobs}[1]);
my @put = (body => $race->{bytes}, headers => ['Content-Type' => $race->{type}]);

error_is(meanwhile(LOCK_EX, 'PUT', '/v2/race/manifests/v2', \@put, sub {
    unlink $layer or die "$layer: $!";
}), 400, 'MANIFEST_BLOB_UNKNOWN', 'a layer went while its image was pushed');
is(code('GET', '/v2/race/manifests/v2'), 404, 'there is no such tag');

my $location = $r->start_upload('race');
is(meanwhile(LOCK_EX, 'PUT', with_digest($location, $race->{blobs}[1]),
    [body => 'layer'], sub { })->{status}, 201, 'a layer');
is(meanwhile(LOCK_EX, 'PUT', '/v2/race/manifests/v2', \@put, sub { })->{status},
    201, 'and its image');

# A tag that a push which is under way sets, as the last thing.
my $link = $r->tree->tag('race', 'v3');
is(meanwhile(LOCK_SH, 'DELETE', "/v2/race/manifests/$race->{digest}", [], sub {
    make_path(dirname($link));
    write_file($link, $race->{digest});
})->{status}, 202, 'a manifest is deleted while it gets another tag');
is(code('GET', "/v2/race/manifests/$_"), 404, "$_ went with it")
    for qw(v1 v2 v3);
ok(!-e $link, 'also from the disk');

fsck_ok($r, 'the tree is sound');


# ---- not allowed

my $closed = Test::Registry->new(delete => 0);
$image = $closed->push_image('a', 'v1');
for my $path ('manifests/v1', "manifests/$image->{digest}",
    "blobs/$image->{blobs}[0]")
{
    my $a = $closed->request('DELETE', "/v2/a/$path");
    error_is($a, 405, 'UNSUPPORTED', 'deletes are off');
    is($closed->request('GET', "/v2/a/$path")->{status}, 200, 'all stays');
}

$location = $closed->start_upload('a');
is($closed->request('DELETE', $location)->{status}, 204,
    'but an upload can be cancelled');

done_testing;
