# A blob of one repository in another, without sending it again.

use Test::Registry;

my $r = Test::Registry->new;

my $digest = $r->push_blob('from/here', 'shared bytes');
my $long   = sha512sum('shared too');
$r->push_blob('from/here', 'shared too', digest => $long);


sub mount {
    my ($repo, $mount, $from) = @_;

    my $query = "mount=$mount" . (defined $from ? "&from=$from" : '');
    return $r->request('POST', "/v2/$repo/blobs/uploads/?$query", body => '');
}

for my $case (
    ['to/plain',   $digest],
    ['to/again',   $digest],
    ['to/again',   $digest],
    ['from/here',  $digest],
    ['to/sha512',  $long],
)
{
    my ($repo, $what) = @$case;
    my $a = mount($repo, $what, 'from/here');
    is($a->{status}, 201, "mounted in $repo") or diag($a);
    is($a->header('location'), "/v2/$repo/blobs/$what", 'Location');
    is($a->header('docker-content-digest'), $what, 'Docker-Content-Digest');
    is($a->header('content-length'), 0, 'no body');
    is($r->request('GET', "/v2/$repo/blobs/$what")->{status}, 200,
        'it can be pulled');
    is($r->tree->content($r->tree->layer($repo, $what)), $what,
        'its link is on disk');
}

my $a = mount('to/escaped', $digest =~ s/:/%3A/r, 'from%2Fhere');
is($a->{status}, 201, 'parameters are unescaped') or diag($a);


# ---- what cannot be mounted becomes an upload

for my $case (
    ['absent blob',       sha256('absent'), 'from/here'],
    ['unknown from',      $digest,          'no/such'],
    ['blob elsewhere',    $digest,          'to/sha512'],
    ['odd from',          $digest,          '../from/here'],
    ['upper case from',   $digest,          'FROM/here'],
)
{
    my ($title, $what, $from) = @$case;
    $a = mount('to/fresh', $what, $from);
    like($a->{status}, qr/^(?:202|400)$/, "$title: no mount") or diag($a);
    if ($a->{status} == 202) {
        like($a->header('location'), qr{^/v2/to/fresh/blobs/uploads/},
            "$title: but an upload");
    } else {
        ok(length $a->code, "$title: or a reason");
    }
    ok(!-e $r->tree->layer('to/fresh', $what), "$title: nothing is linked");
}

$a = mount('to/fresh', sha256('absent'), 'from/here');
$a = $r->request('PUT', with_digest($a->header('location'), sha256('absent')),
    body => 'absent');
is($a->{status}, 201, 'the upload can be finished') or diag($a);

$a = mount('to/junk', 'sha256:junk', 'from/here');
like($a->{status}, qr/^(?:202|400)$/, 'a junk digest mounts nothing');

# Without auth, who may pull one may pull all: any repository will do.
$a = mount('to/anywhere', $digest);
like($a->{status}, qr/^20[12]$/, 'a mount that names no repository')
    or diag($a);
is($r->request('GET', "/v2/to/anywhere/blobs/$digest")->{status},
    $a->{status} == 201 ? 200 : 404, 'gives the blob if it says so');


# ---- a mount stands on its own

is($r->request('DELETE', "/v2/from/here/blobs/$digest")->{status}, 202,
    'the source is deleted');
is($r->request('GET', "/v2/to/plain/blobs/$digest")->{body}, 'shared bytes',
    'the mounted one stays');
error_is($r->request('GET', "/v2/from/here/blobs/$digest"), 404,
    'BLOB_UNKNOWN', 'the source is gone');

fsck_ok($r, 'the tree is sound');

done_testing;
