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
