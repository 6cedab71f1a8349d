# The specification line by line: cancelling an upload.

use Test::Registry;

my $r = Test::Registry->new(workers => 2, worker => { processes => 2 });

for my $bytes ('', bytes('half', 50_000)) {
    my $size = length $bytes;
    my $location = $r->start_upload('a');
    $r->expect(202, 'PATCH', $location, body => $bytes) if $size;

    my $a = $r->request('DELETE', $location);
    is($a->{status}, 204, "45: DELETE of a session with $size bytes is 204")
        or diag($a);
    is($a->{body}, '', '45: without a body');

    for my $method (qw(GET PATCH PUT DELETE)) {
        $a = $r->request($method, $method eq 'PUT'
            ? with_digest($location, sha256($bytes)) : $location,
            $method =~ /^P/ ? (body => 'x') : ());
        error_is($a, 404, 'BLOB_UPLOAD_UNKNOWN',
            "45: $method of it is 404 BLOB_UPLOAD_UNKNOWN then");
    }
    ok(!-e $r->tree->upload('a', uuid_of($location)),
        '45: its space is free');
}

done_testing;
