# DELETE of an upload: everything of it goes, nothing else.

use Test::Registry;

my $r = Test::Registry->new;

my $kept = $r->push_blob('a/b', 'kept');
my $location = $r->start_upload('a/b');
my $other    = $r->start_upload('a/b');
$r->expect(202, 'PATCH', $_, body => bytes('x', 50_000)) for $location, $other;
my $dir = $r->tree->upload('a/b', uuid_of($location));
ok(-d $dir, 'a session on disk');

my $a = $r->request('DELETE', $location);
is($a->{status}, 204, 'is cancelled') or diag($a);
is($a->{body}, '', 'with no body');
is($a->header('content-length') // 0, 0, 'and none is announced');
ok(!-e $dir, 'is gone from the disk');

for my $method (qw(GET PATCH DELETE)) {
    error_is($r->request($method, $location,
        $method eq 'PATCH' ? (body => 'x') : ()),
        404, 'BLOB_UPLOAD_UNKNOWN', "$method of it: unknown");
}
error_is($r->request('PUT', with_digest($location, sha256('x')),
    body => 'x'), 404, 'BLOB_UPLOAD_UNKNOWN', 'PUT of it: unknown');
ok(!-e $dir, 'and none of them has brought it back');

is($r->request('GET', $other)->header('range'), '0-49999',
    'another session is untouched');
is($r->request('GET', "/v2/a/b/blobs/$kept")->{body}, 'kept',
    'so is a blob');

(my $foreign = $other) =~ s{/a/b/}{/a/c/};
error_is($r->request('DELETE', $foreign), 404, 'BLOB_UPLOAD_UNKNOWN',
    'a session of one repository is none of another');
is($r->request('GET', $other)->{status}, 204, 'it is still there');

# Even with things in it that we never put there.
mkdir $r->tree->upload('a/b', uuid_of($other)) . '/odd';
is($r->request('DELETE', $other)->{status}, 204, 'an odd session is cancelled');
ok(!-e $r->tree->upload('a/b', uuid_of($other)), 'whole');

fsck_ok($r, 'the tree is sound');

done_testing;
