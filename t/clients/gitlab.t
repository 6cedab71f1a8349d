#!/usr/bin/perl

# Engines log in at another issuer, as at GitLab: user and password go to its
# /jwt/auth, and what comes back to us is a token.

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Containers;
use Test::Registry::Docker;
use Test::Registry::Image;
use Test::Registry::Issuer;
use Test::Registry::Process qw(needs run runs_ok scratch);

needs(docker => 'docker.io', dockerd => 'docker.io', skopeo => 'skopeo',
    podman => 'podman', openssl => 'openssl');

my $dir    = scratch();
my $docker = Test::Registry::Docker->new($dir);
my $tools  = Test::Registry::Containers->new($dir);

my $image = Test::Registry::Image->new(name => 'web', layers => 2);
$image->write_archive("$dir/web.tar", 'localhost/web:1');
$image->write_layout("$dir/web.oci", '1');
$docker->runs_ok('docker has an image', 'load', '--input', "$dir/web.tar");
runs_ok('podman has it too', $tools->podman('load', '--input',
        "$dir/web.tar"));

my %engine = (
    docker => sub { $docker->command(@_) },
    podman => sub { $tools->podman(@_) },
);

# how a token names its key, and where we know that from
for my $style ('kid', 'x5c', 'jwks') {
    my $place = "$dir/$style";
    mkdir($place);
    my $issuer = Test::Registry::Issuer->new($place,
        style => $style,
        users => { alice => 'glpat-secret', bob => 'b' },
        rules => [
            ['alice', '^group/', 'pull', 'push', 'delete'],
            ['bob',   '^group/', 'pull'],
            ['',      '^public/', 'pull'],
        ]);
    my $r = Test::Registry->new(config => $issuer->config);
    my $address = '127.0.0.1:' . $r->port;
    my @skopeo = $tools->skopeo('copy', '--dest-tls-verify=false',
        '--src-tls-verify=false');

    for my $name ('docker', 'podman') {
        my @insecure = $name eq 'podman' ? '--tls-verify=false' : ();
        my $as     = sub { $engine{$name}->(@_) };
        my $login  = sub { $as->('login', @insecure, '-u', $_[0], '-p', $_[1],
            $address) };
        my $remote = "$address/group/project/$name:1";

        run($as->('tag', 'localhost/web:1', $remote));
        isnt((run($login->('alice', 'wrong')))[0], 0,
            "$style: $name login with a wrong password fails");
        like(runs_ok("$style: $name login", $login->('alice', 'glpat-secret')),
            qr/Login Succeeded/, 'says so');
        runs_ok("$style: $name push", $as->('push', @insecure, $remote));
        runs_ok("$style: $name pull", $as->('pull', @insecure, $remote));

        my $foreign = "$address/other/project:1";
        run($as->('tag', 'localhost/web:1', $foreign));
        isnt((run($as->('push', @insecure, $foreign)))[0], 0,
            "$style: $name pushes nothing elsewhere");

        runs_ok("$style: $name logout", $as->('logout', $address));
        isnt((run($as->('push', @insecure, $remote)))[0], 0,
            "$style: $name pushes nothing after it");
    }

    runs_ok("$style: skopeo pushes", @skopeo, '--dest-creds',
        'alice:glpat-secret', "oci:$dir/web.oci:1",
        "docker://$address/group/project:1");
    runs_ok("$style: who may read copies", @skopeo, '--src-creds', 'bob:b',
        "docker://$address/group/project:1", "dir:$place/copy");
    isnt((run(@skopeo, '--dest-creds', 'bob:b', "oci:$dir/web.oci:1",
        "docker://$address/group/project:2"))[0], 0, 'but does not push');
    isnt((run(@skopeo, "docker://$address/group/project:1",
        "dir:$place/nobody"))[0], 0, 'nobody does not even read');
    like($issuer->log, qr/GET user=alice .*scope=repository/,
        "$style: the issuer was asked by name and scope");

    fsck_ok($r, "$style: the tree is sound");
}

$docker->stop;

done_testing;
