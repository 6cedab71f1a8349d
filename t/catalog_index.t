# The index of repositories: what the catalog shows of what we, another registry
# and rsync do to the tree, through every process.

use Test::Registry;
use Test::Registry::Client;
use Test::Registry::Distribution;
use Test::Registry::Process qw(needs);

needs('docker-registry' => 'docker-registry');

# Walks are an hour apart: what is seen is seen by the index.
my $r = Test::Registry->new(workers => 2,
    worker => { processes => 3, catalog_refresh => '1h' });
my $index = $r->path('_catalog');
my $ctl   = $ENV{REGISTRY_CTL} // 'build/registryctl';
my @names;

ok(wait_until(20, sub { -e "$index/.whole" }), 'a first walk makes the index');


# Asks on connections of their own: all processes answer some of them.

sub all_processes {
    my @connections = map { $r->connect } 1 .. 8;
    $_->send("GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n")
        for @connections;
    my %seen = map { join(' ', @{ $_->json->{repositories} // [] }) => 1 }
        map { $_->response('GET') } @connections;
    $_->close for @connections;

    return join ' | ', sort keys %seen;
}

sub catalog_is {
    my ($title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(all_processes(), join(' ', sort @names), $title);
}

sub age {
    my ($seconds) = @_;
    my $then = time - $seconds;
    utime $then, $then, "$index/.whole" or die "$index/.whole: $!";
}


# ---- our own

for my $name ('b', 'a/b', 'a-b', 'a') {
    $r->push_image($name, 'v1');
    push @names, $name;
    catalog_is("$name is there at once");
}
is_deeply([sort map { s{.*/}{}r } glob "$index/*"],
    [sort map { tr{/}{+}r } @names], 'the index is a file for each');

my $image = $r->push_image('gone', 'v1');
my $other = $r->push_image('gone', 'v2', config => json({ other => 1 }));
$r->expect(202, 'DELETE', "/v2/gone/manifests/$image->{digest}");
push @names, 'gone';
catalog_is('a repository that has a manifest left stays');
$r->expect(202, 'DELETE', "/v2/gone/manifests/$other->{digest}");
pop @names;
catalog_is('and leaves with its last one');
ok(!-e "$index/gone", 'the index too');


# ---- another registry

my $peer = Test::Registry::Distribution->new($r->dir, $r->root);
my $them = Test::Registry::Client->new($peer->address);
my $digest = $them->push_image('theirs', 'v1', 'x', 1);
$them->push_image('a/theirs', 'v1', 'x', 1);
$them->push_image('group/of/theirs', 'v1', 'x', 1);
push @names, 'theirs', 'a/theirs', 'group/of/theirs';
ok(wait_until(20, sub { all_processes() eq join ' ', sort @names }),
    'what another registry made where it is looked for is known soon');
system('cp', '-a', $r->path('repositories/theirs'),
    $r->path('repositories/copied')) == 0 or die;
push @names, 'copied';
ok(wait_until(20, sub { all_processes() eq join ' ', sort @names }),
    'so is what was copied, though its times are old');
$r->start_upload('waits');
mkdir $r->path('repositories/empty');
$them->push_image('group/of/late', 'v1', 'x', 1);
push @names, 'group/of/late';
ok(wait_until(20, sub { all_processes() eq join ' ', sort @names }),
    'directories without a manifest are not');
$them->push_image('waits', 'v1', 'x', 1);
push @names, 'waits';
ok(wait_until(20, sub { all_processes() eq join ' ', sort @names }),
    'until they have one');

$them->push_image('theirs/below', 'v1', 'x', 1);
catalog_is('what it made in a repository that is no group is not known yet');
age(7201);
push @names, 'theirs/below';
catalog_is('an index that is too old is not used');
age(10);
pop @names;
catalog_is('one that is not is');

my ($status, $out) = $r->run($ctl, 'rebuild-index', '--root', $r->root);
is($status, 0, 'rebuild-index') or diag($out);
like($out, qr/^catalog: 1 repositories added, 0 dropped$/m, 'says what it did');
push @names, 'theirs/below';
catalog_is('and now it is known');

system('rm', '-r', $r->tree->revision('theirs', $digest),
    $r->path('repositories/theirs/_manifests/tags')) == 0 or die;
@names = grep { $_ ne 'theirs' } @names;
catalog_is('what another program removes is gone at once');
ok(-e "$index/theirs", 'though the index still names it');
is_deeply([sort @names], [sort @{ $r->request('GET', '/v2/_catalog?n=100')
    ->json->{repositories} }], 'a page as well');
system('rm', '-r', $r->path('repositories/b')) == 0 or die;
@names = grep { $_ ne 'b' } @names;
catalog_is('so is a whole repository');

($status, $out) = $r->run($ctl, 'rebuild-index', '--json', '--root', $r->root);
is(JSON::PP::decode_json($out =~ s/^(?!\{).*\n//gmr)->{catalog_dropped}, 2,
    'rebuild-index drops what is no more') or diag($out);
ok(!-e "$index/theirs" && !-e "$index/b", 'from the index');


# ---- without an index

system('rm', '-r', $index) == 0 or die;
catalog_is('without an index the tree is walked');
$r->push_image('new', 'v1');
push @names, 'new';
catalog_is('while there is half an index too');
$r->restart_worker;
ok(wait_until(20, sub { -e "$index/.whole" }), 'the worker makes it again');
catalog_is('as it was');

write_file("$index/$_", '') for 'never', 'a+never', 'Upper', 'a++b', '+';
mkdir "$index/directory";
symlink '/nowhere', "$index/linked";
catalog_is('what else lies in it is passed over');


# ---- walks by the worker itself

my $soon = Test::Registry->new(root => $r->root,
    worker => { catalog_refresh => '1s' });
$them->push_image('new/late', 'v1', 'x', 1);
ok(wait_until(20, sub {
    grep { $_ eq 'new/late' }
        @{ $soon->request('GET', '/v2/_catalog')->json->{repositories} }
}), 'what another registry makes is there after a walk');


# ---- first pushes and last deletes all at once

my @answers = in_parallel(6, sub {
    my ($i) = @_;
    my @bad;

    for my $n (1 .. 6) {
        my $repo = 'shared/r' . ($n % 2);
        my $config = json({ i => $i, n => $n });
        $r->push_blob($repo, $config);
        my $bytes = json(image_manifest(config => $config));
        my $put = $r->push_manifest($repo, sha256($bytes), $bytes);
        my $list = $r->request('GET', '/v2/_catalog?last=shared/')->json;
        push @bad, "$repo is missing"
            unless grep { $_ eq $repo } @{ $list->{repositories} };
        $r->expect(202, 'DELETE', "/v2/$repo/manifests/$put");
    }

    return join '; ', @bad;
});
is_deeply([grep { length } @answers], [],
    'a repository with a manifest is listed, whoever else deletes theirs');
my $list = $r->request('GET', '/v2/_catalog')->json;
is_deeply([grep { m{^shared/} } @{ $list->{repositories} }], [],
    'and nothing is left');

$peer->stop;
fsck_ok($r, 'the tree is sound', sparse => 1);

done_testing;
