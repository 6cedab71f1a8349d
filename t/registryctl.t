# registryctl: where it finds the tree, who it is, what it says while it works.
# What rebuild-index does is tested in protocol/referrers.t.

use Test::Registry;

my $r   = Test::Registry->new;
my $ctl = $ENV{REGISTRY_CTL} // 'build/registryctl';

my $image = $r->push_image('team/app', 'v1');
my $artifact = json(image_manifest(config => '{}', more => {
    subject => descriptor($TYPE{oci}, $image->{bytes}) }));
$r->push_blob('team/app', '{}');
$r->push_manifest('team/app', sha256($artifact), $artifact);
my $index = $r->path('repositories/team/app/_referrers');

sub rebuild {
    rename($index, $r->dir . '/old-' . rand);
    return $r->run(@_);
}


# ---- the tree

for my $case (
    ['--config', $r->config_file],
    ['--root', $r->root],
    ['--root', $r->root . '/../root'],
)
{
    my ($status, $out) = rebuild($ctl, 'rebuild-index', @$case);
    is($status, 0, "rebuild-index @$case") or diag($out);
    like($out, qr/^team\/app: 2 manifests, 1 referrers, 1 added, 0 dropped$/m,
        'a line for each repository');
    like($out, qr/^1 repositories, 2 manifests, 1 of them referrers:/m,
        'and a sum');
    ok(-d $index, 'the index is there');
}

my ($status, $out) = $r->run('env', 'REGISTRY_STORAGE_FILESYSTEM_'
    . 'ROOTDIRECTORY=' . $r->root, $ctl, 'rebuild-index');
is($status, 0, 'REGISTRY_... variables count') or diag($out);

($status, $out) = $r->run($ctl, 'rebuild-index', '--root', $r->dir);
is($status, 1, 'a directory without a tree is refused');
like($out, qr/no registry's tree: /, 'with a sentence');
ok(!-e $r->dir . '/docker', 'and not made into one');


# ---- words

for my $case (
    [['user', 'fly', 'x'], qr/^registryctl user: there is no such.*: fly x$/m],
    [['user', 'add'],      qr/^registryctl user: there is no such.*: add$/m],
    [['robot'],            qr/^registryctl robot: say what to do$/m],
    [['auth', 'fly'],      qr/^registryctl auth: .*: fly$/m],
    [['cache', 'fly'],     qr/^registryctl cache: .*: fly$/m],
    [['keys', 'remove'],   qr/^registryctl keys: .*: remove$/m],
    [['policy', 'fly'],    qr/^registryctl policy: .*: fly$/m],
    [['fly'],              qr/^registryctl: there is no command "fly"$/m],
)
{
    my ($words, $says) = @$case;
    my ($status, $out) = $r->run($ctl, @$words);
    is($status, 2, "registryctl @$words: wrong usage");
    like($out, $says, 'says what is wrong');
    like($out, qr/^Usage: registryctl/m, 'and how to use it');
    cmp_ok(($out =~ tr/\n//), '<', 17, 'on less than a screen');
}

($status, $out) = $r->run($ctl, 'purge-uploads', '--root', $r->root, 'nobody');
is($status, 1, 'purge-uploads of a repository that is not there');
like($out, qr/^registryctl: nobody: repository name not known/m, 'says so');


# ---- the installed configuration

SKIP: {
    skip('only root can have another /etc', 7) if $> != 0;

    my @installed = ('unshare', '-m', '--propagation', 'private', 'sh', '-c',
        'mount -t tmpfs none /etc && mkdir /etc/nginx-registry'
        . ' && cp "$0" /etc/nginx-registry/config.yml && exec "$@"',
        $r->config_file, $ctl);

    my ($status, $out) = rebuild(@installed, 'rebuild-index');
    is($status, 0, 'without an option the installed one is used')
        or diag($out);
    like($out, qr/^team\/app: 2 manifests/m, 'with its tree');

    ($status, $out) = $r->run(@installed, 'policy', 'test', 'bob', 'team/app');
    is($status, 0, 'also where one must be') or diag($out);

    my $other = $r->dir . '/no-tree';
    mkdir $other;
    ($status, $out) = $r->run(@installed, 'auth', 'flush', '--root', $other);
    is($status, 1, '--root is instead of it');
    like($out, qr/no registry's tree: \Q$other\E/, 'as it says');

    ($status, $out) = $r->run(@installed, 'user', 'list', '--file',
        "$other/users");
    is($status, 1, 'and so is --file');
    like($out, qr/\Q$other\E\/users: No such file/, 'as it says');
}


# ---- a terminal

($status, $out) = rebuild('script', '-qec',
    "$ctl rebuild-index --root " . $r->root, '/dev/null');
is($status, 0, 'on a terminal') or diag($out);
like($out, qr/\r\e\[K1 repositories/, 'the line that is rewritten goes');
unlike($out, qr/^team\/app: /m, 'and there is none for each repository');


# ---- root becomes the owner

SKIP: {
    skip('only root can be somebody else', 3) if $> != 0;

    my ($uid, $gid) = (getpwnam('www-data'))[2, 3];
    chmod(0755, $r->dir);
    $r->run('chown', '-R', "$uid:$gid", $r->root);
    my ($failed, $said) = rebuild($ctl, 'rebuild-index', '--root', $r->root);
    is($failed, 0, 'root rebuilds a tree of www-data') or diag($said);
    my ($file) = glob("$index/sha256/*");
    is((stat $file)[4], $uid, 'the index is of www-data');
    is((stat $index)[4], $uid, 'and so is its directory');
}

done_testing;
