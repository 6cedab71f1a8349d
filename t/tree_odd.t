# Strange things in the tree (SECURITY.md S17): absent to clients, never
# followed out of it.

use File::Basename qw(dirname);
use File::Path qw(make_path);
use POSIX qw(mkfifo);
use Test::Registry;

my $r = Test::Registry->new(workers => 2);

my $secret = "$r->{dir}/secret";
write_file($secret, 'what nobody may read');

# Each replaces the file at a path by something else.
my %strange = (
    'a symbolic link out of the tree' => sub { symlink $secret, $_[0] },
    'a symbolic link to itself'       => sub { symlink $_[0], $_[0] },
    'a symbolic link to nothing'      => sub { symlink '/nowhere', $_[0] },
    'a symbolic link to its like'     => sub { symlink $_[1], $_[0] },
    'a FIFO'                          => sub { mkfifo($_[0], 0600) },
    'a directory'                     => sub { mkdir $_[0] },
    'a socket'                        => sub {
        my $short = "$r->{dir}/odd.sock";
        IO::Socket::UNIX->new(Local => $short, Listen => 1) or die $!;
        rename $short, $_[0];
    },
    $> == 0 ? ('a device' => sub {
        system('mknod', $_[0], 'c', 1, 5) == 0 }) : (),
);

my %strange_link = (
    'nothing in it'       => sub { '' },
    '10 MiB'              => sub { $_[0] . 'x' x (10 << 20) },
    '10 MiB of digests'   => sub { $_[0] x ((10 << 20) / 71) },
    'a path'              => sub { 'sha256:../../../../../../secret' },
    'a path upwards'      => sub { '../../secret' },
    'another algorithm'   => sub { 'md5:' . '0' x 32 },
    'upper case'          => sub { uc $_[0] },
    'a digest cut short'  => sub { substr($_[0], 0, 70) },
    'a digest and a NUL'  => sub { "$_[0]\0" },
    'another digest, absent' => sub { sha256('never pushed') },
);

sub remove {
    my ($path) = @_;
    -d $path && !-l $path ? rmdir($path) : unlink($path);
}

# Puts something strange in place of a file, asks, and puts the file back.

sub instead_of {
    my ($path, $make, $ask) = @_;

    rename $path, "$r->{dir}/aside" or die "$path: $!";
    # A target of a link must be where open_file_cache has not seen it yet.
    system('cp', "$r->{dir}/aside", "$r->{dir}/like");
    my $made = $make->($path, "$r->{dir}/like");
    $ask->() if $made;
    remove($path);
    rename "$r->{dir}/aside", $path or die "$path: $!";
    return $made;
}

sub absent_ok {
    my ($path, $title, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @odd;
    for my $method (qw(GET HEAD)) {
        my $answer = eval { $r->request($method, $path) };
        push @odd, "$method: " . ($answer // $@)
            if !$answer || $answer->{status} != ($opt{status} // 404)
            || $answer->{body} =~ /nobody may read/;
    }
    ok(!@odd, $title) or diag(join "\n", @odd);
}


# Of so much that is odd, not every line fits into a second.

sub logs_ok {
    my ($path, $like, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(wait_until(20, sub {
        $r->request('GET', $path);
        return $r->log_of_worker =~ $like;
    }), $title);
}


# ---- instead of the link of a layer

my $n = 0;
for my $title (sort keys %strange) {
    my $repo = 'layer/' . ++$n;
    my $digest = $r->push_blob($repo, "bytes $n");
    instead_of($r->tree->layer($repo, $digest), $strange{$title}, sub {
        absent_ok("/v2/$repo/blobs/$digest", "a layer's link is $title");
        my $mount = $r->request('POST', "/v2/layer/target/blobs/uploads/"
            . "?mount=$digest&from=$repo", body => '');
        is($mount->{status}, 202, 'and mounts nothing') or diag($mount);
    });
    is($r->request('GET', "/v2/$repo/blobs/$digest")->{status}, 200,
        'as it was, it is served again');
}

for my $title (sort keys %strange_link) {
    my $repo = 'text/' . ++$n;
    my $digest = $r->push_blob($repo, "bytes $n");
    my $link = $r->tree->layer($repo, $digest);
    my $content = $strange_link{$title}->($digest);
    write_file($link, $content);
    # nginx looks at a link's size alone: its name says the rest.
    if (length $content == length $digest) {
        my $answer = $r->request('GET', "/v2/$repo/blobs/$digest");
        ok($answer->{status} == 404 || $answer->{body} eq "bytes $n",
            "a layer's link holds $title: nothing else is served")
            or diag($answer);
    } else {
        absent_ok("/v2/$repo/blobs/$digest", "a layer's link holds $title");
    }
    write_file($link, $digest);
}


# ---- instead of the data of a blob

for my $title (sort keys %strange) {
    my $repo = 'data/' . ++$n;
    my $digest = $r->push_blob($repo, "bytes $n");
    instead_of($r->tree->blob($digest), $strange{$title}, sub {
        absent_ok("/v2/$repo/blobs/$digest", "a blob's data is $title");
    });
}

my $digest = $r->push_blob('hard', 'bytes of two names');
link $r->tree->blob($digest), "$r->{dir}/snapshot" or die $!;
is($r->request('GET', "/v2/hard/blobs/$digest")->{body}, 'bytes of two names',
    'data with two hard links is served: snapshots are made so');


# ---- instead of what a tag or a revision says

for my $title (sort keys %strange) {
    my $repo = 'tag/' . ++$n;
    my $image = $r->push_image($repo, 'v1');
    instead_of($r->tree->tag($repo, 'v1'), $strange{$title}, sub {
        absent_ok("/v2/$repo/manifests/v1", "a tag's link is $title");
    });
    instead_of($r->tree->revision($repo, $image->{digest}), $strange{$title},
        sub {
            absent_ok("/v2/$repo/manifests/$image->{digest}",
                "a revision's link is $title");
        });
}

for my $title (sort keys %strange_link) {
    my $repo = 'tagtext/' . ++$n;
    my $image = $r->push_image($repo, 'v1');
    my $link = $r->tree->tag($repo, 'v1');
    write_file($link, $strange_link{$title}->($image->{digest}));
    absent_ok("/v2/$repo/manifests/v1", "a tag's link holds $title");
    my $list = $r->request('GET', "/v2/$repo/tags/list");
    is($list->{status}, 200, 'the list of tags can be had');
    $r->push_manifest($repo, 'v1', $image->{bytes});
    is($r->request('GET', "/v2/$repo/manifests/v1")->{body}, $image->{bytes},
        'a push heals it');
}


# ---- instead of the content of a manifest

my $image = $r->push_image('content', 'v1', config => 'of nobody else');
my $blob = $r->tree->blob($image->{digest});
my $manifest = "/v2/content/manifests/$image->{digest}";

for my $title ('other bytes', 'nothing', 'less', 'more') {
    my %odd = ('nothing' => '', 'other bytes' => $image->{bytes} =~ s/2/3/r,
        'less' => substr($image->{bytes}, 1), 'more' => "$image->{bytes} ");
    write_file($blob, $odd{$title});
    for my $path ($manifest, '/v2/content/manifests/v1') {
        error_is($r->request('GET', $path), 500, 'UNKNOWN',
            "a manifest's content is $title: it is not served");
    }
    logs_ok($manifest, qr/corrupt manifest: its content is @{[
        sha256($odd{$title})]}/, 'the log says what it is');
    $r->push_manifest('content', 'v1', $image->{bytes});
    is($r->tree->content($blob), $image->{bytes}, 'a push heals it');
}

unlink $blob or die $!;
error_is($r->request('GET', $_), 404, 'MANIFEST_UNKNOWN',
    'a manifest without its content is none')
    for $manifest, '/v2/content/manifests/v1';
logs_ok($manifest, qr/warn GET \Q$manifest\E: .*a link, but no content/,
    'and the log says so');
$r->push_manifest('content', 'v1', $image->{bytes});
is($r->request('GET', $manifest)->{body}, $image->{bytes}, 'a push heals it');

# What another registry took, and we would not.

sub put_by_hand {
    my ($tag, $bytes) = @_;

    my $digest = $r->push_blob('byhand', $bytes);
    for my $link ($r->tree->revision('byhand', $digest),
        $r->tree->tag('byhand', $tag))
    {
        make_path(dirname($link));
        write_file($link, $digest);
    }
}

put_by_hand('v1', '{}');
error_is($r->request('GET', '/v2/byhand/manifests/v1'), 500, 'UNKNOWN',
    'a manifest of no type');
put_by_hand('v2', json(index_manifest(children => [$image]))
    =~ s/^\{/{"manifests":[],/r);
error_is($r->request('GET', '/v2/byhand/manifests/v2',
    headers => [Accept => $TYPE{oci}]), 404, 'MANIFEST_UNKNOWN',
    'an index that cannot be read has no child');
is($r->request('GET', '/v2/byhand/manifests/v2')->{status}, 200,
    'but is served as it is');


# ---- instead of the data of an upload

for my $title (sort keys %strange) {
    my $location = $r->start_upload('up');
    my $data = $r->tree->upload('up', uuid_of($location)) . '/data';
    $r->expect(202, 'PATCH', $location, body => 'x' x 20);
    instead_of($data, $strange{$title}, sub {
        my %status;
        for my $method (qw(GET PATCH PUT)) {
            my $answer = eval {
                $r->request($method, $method eq 'PUT'
                    ? with_digest($location, sha256('x' x 20)) : $location,
                    $method eq 'GET' ? () : (body => 'evil'));
            };
            $status{$method} = $answer ? $answer->{status} : $@;
        }
        is_deeply(\%status, { GET => 404, PATCH => 404, PUT => 404 },
            "an upload's data is $title") or diag(explain(\%status));
    });
}

# What a power cut can leave on a file system without a journal: a push that
# was acknowledged, and its session's name beside the blob (D1).

for my $bytes ('', 'bytes of a blob') {
    my $blob = $r->tree->blob($r->push_blob('twice', $bytes));
    for my $method (qw(PATCH PUT)) {
        for my $how ([], [chunked => 3]) {
            my $location = $r->start_upload('twice');
            my $data = $r->tree->upload('twice', uuid_of($location)) . '/data';
            unlink $data or die $!;
            link $blob, $data or die $!;
            error_is($r->request($method, $method eq 'PUT'
                    ? with_digest($location, sha256("${bytes}evil"))
                    : $location, body => 'evil', @$how),
                404, 'BLOB_UPLOAD_UNKNOWN',
                "a session that still names a blob is none ($method @$how)");
            error_is($r->request($_, $location), 404, 'BLOB_UPLOAD_UNKNOWN',
                "to $_ either") for qw(GET DELETE);
            is($r->tree->content($blob), $bytes, 'the blob is as it was');
        }
    }
}


# ---- directories on the way

my $outside = "$r->{dir}/outside";
mkdir $outside;
$digest = $r->push_blob('moved', 'bytes of a moved repository');
rename $r->path('repositories/moved'), "$outside/moved" or die $!;
symlink "$outside/moved", $r->path('repositories/moved');
my $answer = $r->request('GET', "/v2/moved/blobs/$digest");
like($answer->{status}, qr/^(?:200|404)$/,
    "a repository's directory is a symbolic link: the operator's own affair");
unlink $r->path('repositories/moved');
rename "$outside/moved", $r->path('repositories/moved');

is($r->tree->content($secret), 'what nobody may read',
    'what lies outside was not written to');

is($r->request('GET', '/v2/_catalog')->{status}, 200, 'the catalog works');

done_testing;
