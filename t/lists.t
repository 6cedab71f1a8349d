# Lists are kept in memory, by every process for itself, and show at once what
# any of them, another registry or rsync wrote.

use POSIX qw(mkfifo);
use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Distribution;
use Test::Registry::Process qw(needs);

needs('docker-registry' => 'docker-registry');

my $r = Test::Registry->new(workers => 2,
    worker => { processes => 3, list_cache => '64k' });
my $image = $r->push_image('team/app', 'v1');
my %tags  = (v1 => 1);


# Asks on connections of their own, and at the same time: all processes answer
# some of them.

sub list_from_all {
    my ($path, $key) = @_;

    my @connections = map { $r->connect } 1 .. 8;
    $_->send("GET $path HTTP/1.1\r\nHost: x\r\n\r\n") for @connections;
    my %seen = map { join(' ', @{ $_->json->{$key} // [] }) => 1 }
        map { $_->response('GET') } @connections;
    $_->close for @connections;

    return join ' | ', sort keys %seen;
}

sub tags_are {
    my ($title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(list_from_all('/v2/team/app/tags/list', 'tags'),
        join(' ', sort keys %tags), $title);
}

sub quietly_are {
    my ($wrong) = @_;

    my $got = list_from_all('/v2/team/app/tags/list', 'tags');
    my $want = join(' ', sort keys %tags);
    push @$wrong, "$got instead of $want" if $got ne $want;
}


# ---- our own writes

my @wrong;
for my $n (1 .. 40) {
    $r->push_manifest('team/app', "n$n", $image->{bytes});
    $tags{"n$n"} = 1;
    quietly_are(\@wrong);

    if ($n % 3 == 0) {
        $r->expect(202, 'DELETE', '/v2/team/app/manifests/n' . ($n - 2));
        delete $tags{ 'n' . ($n - 2) };
        quietly_are(\@wrong);
    }
}
ok(!@wrong, 'every push and delete is in the next list of every process')
    or diag(join "\n", @wrong);

is(scalar @{ $r->request('GET', '/v2/team/app/tags/list?n=5&last=n2')
    ->json->{tags} }, 5, 'a page of what is kept');


# ---- another registry

my $peer = Test::Registry::Distribution->new($r->dir, $r->root);
my $them = Test::Registry::Client->new($peer->address);

@wrong = ();
for my $n (1 .. 10) {
    my $digest = $them->push_image('team/app', "d$n", "d$n", 1);
    $tags{"d$n"} = 1;
    quietly_are(\@wrong);

    # It cannot delete a tag, only what the tag points to: and leaves the tag.
    if ($n % 3 == 0) {
        $r->expect(202, 'DELETE', "/v2/team/app/manifests/$digest");
        delete $tags{"d$n"};
        quietly_are(\@wrong);
    }
}
ok(!@wrong, 'every push of another registry is in the next list')
    or diag(join "\n", @wrong);


# ---- what rsync does: the times of a directory are as they were

my $dir = $r->path('repositories/team/app/_manifests/tags');
for my $n (1 .. 5) {
    tags_are('before a copy');
    my ($atime, $mtime) = (stat $dir)[8, 9];
    system('cp', '-a', "$dir/v1", "$dir/copy$n") == 0 or die;
    utime $atime, $mtime, $dir;
    $tags{"copy$n"} = 1;
    tags_are('what was copied in is listed, though the times are as before');
}
system('rm', '-r', "$dir/copy1") == 0 or die;
delete $tags{copy1};
tags_are('what was removed is not');


# ---- what a crash leaves, and a push that is not over

mkdir "$dir/half";
mkdir "$dir/half/current";
tags_are('a tag without its link is not listed');
write_file("$dir/half/current/link", '');
tags_are('nor one with half a link');
write_file("$dir/half/current/link", $image->{digest});
$tags{half} = 1;
tags_are('the link makes it a tag: the directory did not change');
unlink "$dir/half/current/link";
delete $tags{half};
tags_are('and none again');


# ---- strange things

write_file("$dir/file", '');
symlink "$dir/v1", "$dir/linked";
mkfifo("$dir/fifo", 0600);
mkdir "$dir/$_" for 'sp ace', '.dot', '-dash', 'x' x 200, "new\nline", 'a+b';
for my $name ('fifo-current', 'linked-current') {
    mkdir "$dir/$name";
    $name =~ /fifo/ ? mkfifo("$dir/$name/current", 0600)
                    : symlink("$dir/nowhere/current", "$dir/$name/current");
}
mkdir "$dir/fifo-link";
mkdir "$dir/fifo-link/current";
mkfifo("$dir/fifo-link/current/link", 0600);
tags_are('what is no tag is not listed, and nobody waits for it');

rename "$dir/v1", $r->dir . '/aside';
symlink $r->dir . '/aside', "$dir/v1";
delete $tags{v1};
tags_are('a tag that became a symbolic link leaves the list');
unlink "$dir/v1";
rename $r->dir . '/aside', "$dir/v1";
$tags{v1} = 1;
tags_are('and comes back');

rename $dir, "$dir-old";
is(list_from_all('/v2/team/app/tags/list', 'tags'), '',
    'a repository that has lost its tags has an empty list');
rename "$dir-old", $dir;
tags_are('they are back');


# ---- lists, pushes and deletes all at once

my %odd;
my @answers = in_parallel(6, sub {
    my ($i) = @_;
    my @bad;

    for my $n (1 .. 12) {
        my $tag = "p$i-$n";
        my $put = $r->request('PUT', "/v2/team/app/manifests/$tag",
            headers => ['Content-Type' => $image->{type}],
            body => $image->{bytes});
        push @bad, "PUT: $put" if $put->{status} != 201;
        my $list = $r->request('GET', "/v2/team/app/tags/list?last=p$i-");
        push @bad, "$tag is missing" unless grep { $_ eq $tag }
            @{ $list->json->{tags} };
        next if $n % 2;
        my $delete = $r->request('DELETE', "/v2/team/app/manifests/$tag");
        push @bad, "DELETE: $delete" if $delete->{status} != 202;
        $list = $r->request('GET', "/v2/team/app/tags/list?last=p$i-");
        push @bad, "$tag is still there" if grep { $_ eq $tag }
            @{ $list->json->{tags} };
    }

    return join '; ', @bad;
});
is_deeply([grep { length } @answers], [],
    'what each of six clients did is in the list that it reads next');


# ---- memory

SKIP: {
    skip('sanitizers take memory of their own', 1) if sanitized();

    my @before = map { rss($_) } $r->worker_pids;
    for my $n (1 .. 60) {
        my $tags = $r->path("repositories/many/r$n/_manifests/tags");
        system('mkdir', '-p', map { "$tags/a-tag-of-some-length-$_" }
            1 .. 1000) == 0 or die;
    }
    for (1, 2) {
        $r->expect(200, 'GET', "/v2/many/r$_/tags/list?n=1") for 1 .. 60;
    }
    my ($most) = sort { $b <=> $a } map { rss($_) } $r->worker_pids;
    my ($least) = sort { $a <=> $b } @before;
    cmp_ok($most - $least, '<', 4096,
        'names of 60 000 tags have passed through 64 KiB');
}

$peer->stop;
done_testing;
