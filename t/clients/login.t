#!/usr/bin/perl

# Engines log in, push, pull and log out: with a password as it is (Basic), and
# by way of our own tokens (Bearer).

use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";

use Test::Registry;
use Test::Registry::Containers;
use Test::Registry::Docker;
use Test::Registry::Image;
use Test::Registry::Process qw(needs read_file run runs_ok scratch);

needs(docker => 'docker.io', dockerd => 'docker.io', skopeo => 'skopeo',
    podman => 'podman', htpasswd => 'apache2-utils');

my $ctl    = $ENV{REGISTRY_CTL} // 'build/registryctl';
my $dir    = scratch();
my $docker = Test::Registry::Docker->new($dir);
my $tools  = Test::Registry::Containers->new($dir);

my $image = Test::Registry::Image->new(name => 'web', layers => 2);
$image->write_archive("$dir/web.tar", 'localhost/web:1');
$image->write_layout("$dir/web.oci", '1');
$docker->runs_ok('docker has an image', 'load', '--input', "$dir/web.tar");
runs_ok('podman has it too', $tools->podman('load', '--input',
        "$dir/web.tar"));

run('htpasswd', '-bcB', '-C', '5', "$dir/users", 'alice', 'wonder:land');
chmod(0755, $dir);

for my $tokens ('false', 'true') {
    my $way = $tokens eq 'true' ? 'Bearer' : 'Basic';
    my $r   = Test::Registry->new(
        worker => { state => "$dir/state-$way" },
        config => <<"YAML");
  tokens:
    enabled: $tokens
  access:
    rules:
      - { who: anonymous, repositories: "public/**", actions: pull }
      - { who: alice, actions: "*" }
auth:
  htpasswd:
    realm: here
    path: $dir/users
YAML
    my $address = '127.0.0.1:' . $r->port;

    # what each engine is told, in the order in which it is done
    my %engine = (
        docker => sub { $docker->command(@_) },
        podman => sub { $tools->podman(@_) },
    );
    my %logins = (docker => $docker->logins, podman => $tools->logins);

    for my $name (sort keys %engine) {
        my @insecure = $name eq 'podman' ? '--tls-verify=false' : ();
        my $remote   = "$address/team/$name:1";
        my $as       = sub { $engine{$name}->(@_) };
        my $push     = sub { run($as->('push', @insecure, $remote)) };

        run($as->('tag', 'localhost/web:1', $remote));
        isnt(($push->())[0], 0, "$way: $name pushes nothing unasked");

        my ($status, $out) = run($as->('login', @insecure, '-u', 'alice',
            '-p', 'wonder:lan', $address));
        isnt($status, 0, "$way: $name login with a wrong password fails");

        $out = runs_ok("$way: $name login", $as->('login', @insecure, '-u',
            'alice', '-p', 'wonder:land', $address));
        like($out, qr/Login Succeeded/, 'says so');
        like(read_file($logins{$name}), qr/"\Q$address\E"/,
            'and keeps it where no other test looks');
        runs_ok("$way: $name push", $as->('push', @insecure, $remote));
        runs_ok("$way: $name pull", $as->('pull', @insecure, $remote));
        runs_ok("$way: $name logout", $as->('logout', $address));
        isnt(($push->())[0], 0, "$way: $name pushes nothing after it");
    }

    my @login = $tools->skopeo('login', '--tls-verify=false');
    my @to    = $tools->skopeo('copy', '--dest-tls-verify=false',
        "oci:$dir/web.oci:1");

    like(runs_ok("$way: skopeo login", @login, '-u', 'alice', '-p',
        'wonder:land', $address), qr/Login Succeeded/, 'says so');
    runs_ok("$way: skopeo copies to us", @to, "docker://$address/public/web:1");
    runs_ok("$way: skopeo logout", $tools->skopeo('logout', $address));
    isnt((run(@to, "docker://$address/public/web:2"))[0], 0,
        "$way: and not after that");
    runs_ok("$way: but everybody may pull what is public",
        $tools->skopeo('copy', '--src-tls-verify=false',
            "docker://$address/public/web:1", "dir:$dir/public-$way"));

    # a robot, made while the registry runs
    local %ENV = %ENV;
    delete @ENV{ grep { /^REGISTRY_/ } keys %ENV };
    my $robot = decode_json(runs_ok("$way: a robot is made", $ctl, 'robot',
        'create', 'ci', '--config', $r->config_file, '--repo', 'team/*',
        '--actions', 'pull,push', '--expires', '1h', '--json'));
    my @creds = ("--dest-creds=$robot->{user}:$robot->{secret}");
    runs_ok("$way: the robot pushes where it may", @to, @creds,
        "docker://$address/team/robot:1");
    isnt((run(@to, @creds, "docker://$address/other/robot:1"))[0], 0,
        "$way: and nowhere else");
    runs_ok("$way: the robot is revoked", $ctl, 'robot', 'revoke', 'ci',
        '--config', $r->config_file);
    isnt((run(@to, @creds, "docker://$address/team/robot:2"))[0], 0,
        "$way: and pushes nothing any more");
}

done_testing;
