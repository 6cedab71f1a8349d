# Names, references and session ids of odd shape (SECURITY.md S1, S2, S4): the
# module and the worker give the same verdict, and nothing outside the
# repository is touched.

use Test::Registry;

# What the worker does by itself is none of the requests': nothing is purged.
my $r = Test::Registry->new(env => {
    REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED => 'false' });

my $digest = $r->push_blob('good', 'a blob');
my $image  = $r->push_image('good', 'v1');
my $upload = uuid_of($r->start_upload('good'));


# Bytes as they are, on a connection of their own.

sub ask {
    my ($method, $path, $body) = @_;

    my $length = defined $body ? 'Content-Length: ' . length($body) . "\r\n"
        : '';
    my $type = $path =~ m{/manifests/} && defined $body
        ? "Content-Type: $TYPE{oci}\r\n" : '';

    return $r->raw("$method $path HTTP/1.1\r\nHost: x\r\n$length$type"
        . "Connection: close\r\n\r\n" . ($body // ''));
}

sub snapshot {
    my @files = grep { !m{/temp/|\.log$|/nginx\.out$} }
        split /\n/, `find $r->{dir} -not -type s 2>&1`;
    return join "\n", sort @files;
}

# The first walk for the catalog's index ends within seconds of the start.
ok(wait_until(30, sub { -e $r->path('_catalog/.whole') }),
    'the index of repositories is made');

my $manifest = json(image_manifest(config => '{}'));

# What asks the module, and what asks the worker, about one name.
sub requests {
    my ($name) = @_;

    return (
        ['GET',    "/v2/$name/blobs/$digest"],
        ['HEAD',   "/v2/$name/blobs/$digest"],
        ['PATCH',  "/v2/$name/blobs/uploads/$upload", 'bytes'],
        ['PUT',    "/v2/$name/blobs/uploads/$upload?digest=" . sha256('bytes'),
            'bytes'],
        ['POST',   "/v2/$name/blobs/uploads/?digest=" . sha256('bytes'),
            'bytes'],
        ['POST',   "/v2/$name/blobs/uploads/", ''],
        ['GET',    "/v2/$name/blobs/uploads/$upload"],
        ['DELETE', "/v2/$name/blobs/uploads/$upload"],
        ['DELETE', "/v2/$name/blobs/$digest"],
        ['GET',    "/v2/$name/manifests/v1"],
        ['HEAD',   "/v2/$name/manifests/v1"],
        ['PUT',    "/v2/$name/manifests/v1", $manifest],
        ['DELETE', "/v2/$name/manifests/v1"],
        ['GET',    "/v2/$name/tags/list"],
    );
}


# ---- names

my @bad = (
    'A', 'Good', 'good/B', '_layers', 'good/_layers', 'good/_uploads',
    '_uploads/x', 'good/_manifests/tags', '-a', 'a-', '.a', 'a.', 'a..b',
    'a___b', 'a._b', 'a.-b', '_a', 'a_', 'good/-x', 'a%20b', 'a+b', 'a:b',
    'a@b', 'a,b', 'a;b', 'a*', 'a~b', "\xc3\xa9", '%c3%a9', "a\xff", '%c0%af',
    'a%0ab', 'a%0d%0aX-Injected:%20yes', 'a%09b', 'a\\b', 'a%5cb', 'a"b',
    'a%22b', 'a%3fb', 'a%23b', 'x' x 256, join('/', ('x' x 50) x 6), 'x' x 3000,
    # what a normalized path no longer shows
    'good/../good', 'x/../good', './good', 'good/.', 'good//x', '/good',
    'x/%2e%2e/good', 'x/%2E%2e/good', 'x/.%2e/good', '%2e/good',
    'good%2fx', 'good%2Fx', 'x%2f..%2fgood', 'x/..%2fgood', 'good/',
);

my $before = snapshot();
for my $name (@bad) {
    my $shown = length $name > 60 ? substr($name, 0, 20) . '...' : $name;
    $shown =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;

    my (%status, @odd);
    for (requests($name)) {
        my ($method, $path, $body) = @$_;
        my $answer = ask($method, $path, $body);
        $status{ $answer->{status} }++;
        push @odd, "$method $path: $answer"
            if $answer->{status} !~ /^40[04]$/
            || ($method ne 'HEAD' && !length $answer->code)
            || $answer->{head} =~ /^X-Injected/m;
    }
    ok(!@odd, "refused: $shown") or diag(join "\n", @odd);
    is(scalar keys %status, 1, "by all with one voice: $shown")
        or diag(explain(\%status));
}
is(snapshot(), $before, 'not a file has come or gone');
is(ask('GET', "/v2/good/blobs/$digest")->{status}, 200,
    'the good one is there');

# These never reach a location of ours: nginx answers for itself.
for my $name ('..', '../../..', 'a%00b', '%00', '../etc',
    '%2e%2e/%2e%2e', '..%2f..%2f..', 'a%zz')
{
    my @odd = grep { !/^40[0345]$/ } map { ask(@$_)->{status} }
        requests($name);
    ok(!@odd, "refused: $name") or diag("@odd");
}
is(snapshot(), $before, 'not a file has come or gone');

# A code that says what is wrong with the name.
error_is(ask('GET', "/v2/Upper/$_"), 400, 'NAME_INVALID', "Upper/$_")
    for "blobs/$digest", 'manifests/v1', 'tags/list', "manifests/$digest";
error_is(ask('PATCH', "/v2/Upper/blobs/uploads/$upload", 'x'), 400,
    'NAME_INVALID', 'Upper, an upload');

for my $name ('a', '0', 'a/b', 'a-b', 'a---b', 'a_b', 'a__b', 'a.b',
    'a/b/c/d/e/f', 'blobs', 'manifests', 'tags', 'tags/list', 'a/blobs/b',
    'manifests/manifests', 'blobs/uploads', 'a/blobs/uploads', 'v2/v2',
    'x' x 255, join('/', ('x' x 84) x 3))
{
    my $shown = length $name > 60 ? substr($name, 0, 20) . '...' : $name;
    my $pushed = eval { $r->push_image($name, 'v1', layers => [$name]) };
    ok($pushed, "a good name: $shown") or diag($@) or next;
    is(ask('GET', "/v2/$name/blobs/" . sha256($name))->{body}, $name,
        'its blob');
    is(ask('GET', "/v2/$name/manifests/v1")->{body}, $pushed->{bytes},
        'its manifest');
    is_deeply(ask('GET', "/v2/$name/tags/list")->json,
        { name => $name, tags => ['v1'] }, 'its tags');
}


# ---- sessions (S2)

my $other = uuid_of($r->start_upload('other'));
$before = snapshot();
my @ids = (
    '00000000-0000-4000-8000-000000000000', $other, uc $upload, "$upload.",
    substr($upload, 1), "${upload}0", 'x', 'data', $upload =~ tr/-//dr,
    $upload =~ s/-/_/gr, 'a' x 4000, '%2e%2e', '..%2f..%2fother', "..;$upload",
    $upload . '%00', "$upload/data", "$upload/", "../_uploads/$upload", '.',
    '..', "./$upload", "%20$upload",
);
for my $id (@ids) {
    my $shown = length $id > 60 ? substr($id, 0, 20) . '...' : $id;
    my @odd;
    for my $method (qw(GET PATCH PUT DELETE)) {
        my $query = $method eq 'PUT' ? '?digest=' . sha256('bytes') : '';
        my $answer = ask($method, "/v2/good/blobs/uploads/$id$query",
            $method =~ /^P/ ? 'bytes' : undef);
        push @odd, "$method: $answer" if $answer->{status} !~ /^40[045]$/;
        push @odd, "$method: $answer"
            if $id =~ /^[0-9a-zA-Z_-]+$/
            && ($answer->{status} != 404
                || $answer->code ne 'BLOB_UPLOAD_UNKNOWN');
    }
    ok(!@odd, "no session: $shown") or diag(join "\n", @odd);
}
is(snapshot(), $before, 'not a file has come or gone');
is($r->request('GET', "/v2/good/blobs/uploads/$upload")->header('range'),
    '0-0', 'the session is as it was');


# ---- references (S4)

my $hex = $digest =~ s/^sha256://r;
my @references = (
    'sha256:' . uc $hex, 'sha256:', 'sha256:' . substr($hex, 1),
    "sha256:${hex}0", "sha512:$hex", 'md5:' . '0' x 32, "SHA256:$hex",
    "sha256:$hex:", "sha256::$hex", ":$hex", 'sha256:' . 'g' x 64,
    "sha256+b64:$hex", "sha256:$hex%20", "sha256:..%2f$hex",
    'x' x 129, '.hidden', '-dash', 'a%20b', 'a+b', 'a*b', 'a%0d%0ab', '%c3%a9',
    'a,b', 'x' x 2000, 'a@b',
);
$before = snapshot();
for my $reference (@references) {
    my $shown = length $reference > 80 ? substr($reference, 0, 20) . '...'
        : $reference;
    my @odd;
    for my $method (qw(GET HEAD PUT DELETE)) {
        my $answer = ask($method, "/v2/good/manifests/$reference",
            $method eq 'PUT' ? $image->{bytes} : undef);
        push @odd, "$method: $answer" if $answer->{status} != 400
            && !($method ne 'PUT' && $answer->{status} == 404);
        push @odd, "$method: $answer" if $method ne 'HEAD' && $answer->code
            !~ /^(?:DIGEST_INVALID|MANIFEST_INVALID|TAG_INVALID|NAME_INVALID)$/;
    }
    ok(!@odd, "no reference: $shown") or diag(join "\n", @odd);
}
for my $reference (grep { /:/ } @references) {
    my @odd;
    for my $method (qw(GET HEAD DELETE)) {
        my $answer = ask($method, "/v2/good/blobs/$reference");
        push @odd, "$method: $answer" if $answer->{status} !~ /^40[04]$/
            || ($method ne 'HEAD'
                && $answer->code !~ /^(?:DIGEST|NAME)_INVALID$/);
    }
    ok(!@odd, "no blob: $reference") or diag(join "\n", @odd);
}
is(snapshot(), $before, 'not a file has come or gone');

for my $tag ('x' x 128, '_', '0', 'A', 'a.b-c_D', 'v1..2', 'latest--') {
    my $answer = ask('PUT', "/v2/good/manifests/$tag", $image->{bytes});
    is($answer->{status}, 201, 'a good tag: ' . substr($tag, 0, 20))
        or diag($answer);
    is(ask('GET', "/v2/good/manifests/$tag")->{body}, $image->{bytes},
        'can be pulled');
}

fsck_ok($r, 'the tree is sound');

done_testing;
