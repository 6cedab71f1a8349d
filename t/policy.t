# registryctl policy test: what the rules give, and which rule.

use Test::Registry;

use File::Temp ();
use JSON::PP qw(decode_json);

my $dir = File::Temp->newdir;
my $file = "$dir/config.yml";

write_file("$dir/users", '');

sub config {
    my ($access) = @_;

    write_file($file, "version: 0.1\nstorage:\n  filesystem:\n"
        . "    rootdirectory: $dir\nauth:\n  htpasswd:\n    path: $dir/users\n"
        . "nginx_registry:\n  socket: $dir/s\n$access");
}

my $ctl = $ENV{REGISTRY_CTL} // 'build/registryctl';
delete @ENV{ grep { /^REGISTRY_/ } keys %ENV };     # no keys of the configuration

sub ctl { return Test::Registry->run($ctl, 'policy', @_) }

config(<<'YAML');
  access:
    groups:
      dev: [alice, bob]
    rules:
      - { who: anonymous, repositories: "public/**", actions: pull }
      - { who: "@dev", repositories: "team/**", actions: [pull, push] }
      - { who: alice, repositories: "team/**", actions: "*" }
      - { who: carol, actions: catalog }
YAML

my ($status, $out) = ctl('test', '--config', $file, 'alice', 'team/web');
is($status, 0, 'all that alice may') or diag($out);
like($out, qr/^pull +allowed +\Q$file\E:15$/m, 'pull, by the line of its rule');
like($out, qr/^delete +allowed +\Q$file\E:16$/m, 'delete, by another');
like($out, qr/^catalog +denied/m, 'no catalog');

($status, $out) = ctl('test', '--config', $file, 'bob', 'team/web', 'push');
is($status, 0, 'bob pushes');
is(scalar(split /\n/, $out), 1, 'one line for one action');
($status, $out) = ctl('test', '--config', $file, 'bob', 'team/web', 'push',
    'delete');
is($status, 1, 'and does not delete: status 1');
($status) = ctl('test', '--config', $file, 'anonymous', 'public/x', 'pull');
is($status, 0, 'anybody reads what is public');
($status) = ctl('test', '--config', $file, 'anonymous', 'team/x', 'pull');
is($status, 1, 'and no more');
($status) = ctl('test', '--config', $file, 'carol', 'any', 'catalog');
is($status, 0, 'the catalog is of the registry');

($status, $out) = ctl('test', '--config', $file, '--json', 'bob', 'team/web',
    'push');
is_deeply(decode_json($out), { user => 'bob', repository => 'team/web',
    action => 'push', allowed => JSON::PP::true, line => 15 }, 'as JSON');

config('');
($status, $out) = ctl('test', '--config', $file, 'bob', 'any', 'delete');
is($status, 0, 'without rules every account may');
like($out, qr/by default/, 'by default');
($status) = ctl('test', '--config', $file, 'anonymous', 'any', 'pull');
is($status, 1, 'and nobody else');

for my $wrong (['test'], ['test', '--config', $file, 'bob'],
    ['test', '--config', $file, 'bob', '../x'],
    ['test', '--config', $file, 'b:b', 'x'], ['try', '--config', $file],
    ['test', '--config', $file, 'bob', 'x', 'fly'], ['--odd'])
{
    ($status) = ctl(@$wrong);
    is($status, 2, "policy @$wrong: wrong usage");
}

config("  access:\n    rules:\n      - { who: x, actions: fly }\n");
($status, $out) = ctl('test', '--config', $file, 'x', 'y');
is($status, 1, 'a wrong rule fails');
like($out, qr/config\.yml:12: .*an action is pull/, 'and is named by its line');

done_testing;
