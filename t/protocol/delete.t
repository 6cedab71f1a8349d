# The specification line by line: deleting tags, manifests and blobs.

use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });

sub delete_ { return $r->request('DELETE', "/v2/$_[0]") }

# Asked again and again, so that every process answers.

sub everywhere_is {
    my ($path, $status, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %seen;
    for (1 .. 8) {
        $seen{ $r->request($_, "/v2/$path")->{status} }++ for qw(HEAD GET);
    }
    is_deeply([keys %seen], [$status], $title) or diag(explain(\%seen));
}

my $image = $r->push_image('a', 'one', layers => ['layer']);
$r->push_manifest('a', $_, $image->{bytes}) for qw(two three);
everywhere_is('a/manifests/one', 200, '60: the tag is there');


# ---- 60

is(delete_('a/manifests/one')->{status}, 202, '60: DELETE of a tag is 202');
everywhere_is('a/manifests/one', 404, '60: the tag is 404 at once');
everywhere_is('a/manifests/two', 200, '60: another tag stays');
everywhere_is("a/manifests/$image->{digest}", 200, '60: the manifest stays');
is(scalar @{ $r->request('GET', '/v2/a/tags/list')->json->{tags} }, 2,
    '60: the number of tags falls');
error_is(delete_('a/manifests/one'), 404, 'MANIFEST_UNKNOWN',
    '60: an unknown tag is 404');


# ---- 61, 62

my $bytes = $image->{bytes};
my $index = json(index_manifest(children => [$image]));
$r->push_manifest('a', 'index', $index);
is(delete_('a/manifests/' . sha256($index))->{status}, 202,
    '61: DELETE of an index is 202');
everywhere_is("a/manifests/$image->{digest}", 200, '61: its child stays');
is(delete_("a/manifests/$image->{digest}")->{status}, 202,
    '61: DELETE by digest is 202');
everywhere_is("a/manifests/$image->{digest}", 404, '62: 404 at once');
everywhere_is("a/manifests/$_", 404, "61: its tag $_ is gone")
    for qw(two three);
error_is(delete_("a/manifests/$image->{digest}"), 404, 'MANIFEST_UNKNOWN',
    '61: an unknown digest is 404 MANIFEST_UNKNOWN');
is(delete_("none/manifests/$image->{digest}")->{status}, 404,
    '61: an unknown repository is 404');


# ---- 64, 65

my $blob = sha256('layer');
everywhere_is("a/blobs/$blob", 200, '64: the blob stays until it is deleted');
is(delete_("a/blobs/$blob")->{status}, 202, '64: DELETE of a blob is 202');
everywhere_is("a/blobs/$blob", 404, '65: 404 at once');
error_is(delete_("a/blobs/$blob"), 404, 'BLOB_UNKNOWN',
    '64: an unknown blob is 404');

for my $time (1 .. 5) {
    $r->push_blob($_, '{}') for qw(a b);
    is(delete_('a/blobs/' . sha256('{}'))->{status}, 202,
        "65: a shared blob is deleted, time $time");
    is($r->request('GET', '/v2/a/blobs/' . sha256('{}'))->{status}, 404,
        '65: in that repository');
    is($r->request('GET', '/v2/b/blobs/' . sha256('{}'))->{body}, '{}',
        '65: and in no other one');
}

$r->push_image('used', 'v1', layers => ['in use']);
is(delete_('used/blobs/' . sha256('in use'))->{status}, 202,
    '64: a blob that a manifest needs is no exception');


# ---- 60, 64: disabled

my $off = Test::Registry->new(delete => 0);
$image = $off->push_image('a', 'v1');
for my $path ('manifests/v1', "manifests/$image->{digest}",
    "blobs/$image->{blobs}[0]")
{
    my $a = $off->request('DELETE', "/v2/a/$path");
    error_is($a, 405, 'UNSUPPORTED',
        '60: with deletes disabled DELETE is 405 UNSUPPORTED');
    like($a->{body}, qr/storage\.delete\.enabled/, '60: which says why');
    like($a->header('allow'), qr/GET/, '80: with Allow');
    is($off->request('GET', "/v2/a/$path")->{status}, 200, '60: it stays');
}

done_testing;
