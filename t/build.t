# The module for an nginx whose sources lie elsewhere, as its authors keep them, by
# flags of the user's own.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $dir = tempdir(CLEANUP => 1);
my $nginx = $ENV{REGISTRY_NGINX} || '/usr/sbin/nginx';

# not those of the make that runs this test
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};

sub said { my $out = qx{($_[0]) 2>&1}; return ($? >> 8, $out) }

# a release has a copy of auto/configure at its top, the repository has none
my $src = '/usr/share/nginx/src';
mkdir "$dir/src";
mkdir "$dir/src/auto";
symlink $_, "$dir/src/" . basename($_)
    for grep { !m{/(?:auto|configure)$} } glob "$src/*";
symlink $_, "$dir/src/auto/" . basename($_)
    for "$src/configure", glob "$src/auto/*";

my $module = "$dir/build/ngx_http_registry_module.so";
my ($status, $out) = said("make -s -C '$top' B='$dir/build' SAN="
    . " NGINX_SRC='$dir/src' CFLAGS='-O1 -g' '$module'");
is($status, 0, 'it is built') or diag($out);
unlike($out, qr/warning/i, 'without a warning');

open my $conf, '>', "$dir/nginx.conf" or die "nginx.conf: $!\n";
print $conf "load_module $module;\npid $dir/pid;\nevents {}\n";
close $conf or die "nginx.conf: $!\n";
($status, $out) = said("'$nginx' -t -p '$dir' -e '$dir/error.log'"
    . " -c '$dir/nginx.conf'");
is($status, 0, 'and loaded') or diag($out);

done_testing;
