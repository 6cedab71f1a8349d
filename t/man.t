# The manual pages: made of what the programs say, whole, and clean.

use Test::Registry;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();

my $top    = abs_path(dirname(__FILE__) . '/..');
my $dir    = File::Temp->newdir;
my $worker = Test::Registry->fcgi;
my $ctl    = $ENV{REGISTRY_CTL} // 'build/registryctl';

# What a command says; words in two lines and more blanks are the same.
sub said { return join ' ', split ' ', qx{$_[0] 2>&1} }

sub page { return said("MANWIDTH=200 man -l --nh --nj -Tutf8 $dir/$_[0]"
    . ' | col -b') }

is(system('sh', "$top/conf/man.sh", $worker, $ctl, $dir), 0, 'they are made');

my %page;
for my $name ('registry-fcgi.8', 'registryctl.1', 'config.yml.5') {
    is(said("man -l --warnings -Tutf8 $dir/$name 2>&1 >/dev/null"),
        '', "$name: troff has nothing to say");
    $page{$name} = page($name);
    unlike($page{$name}, qr/(?:^| )\.[A-Z]{2} /, "$name: no command is text");
    like($page{$name}, qr/ NAME \S+ - \S.* DESCRIPTION .* SEE ALSO /,
        "$name: it has the usual parts");
}

ok(index($page{'registry-fcgi.8'}, said("$worker --help")) > 0,
    'registry-fcgi(8) has all of --help');

my @commands = qx{$ctl --help} =~ /^  ([a-z-]+)  /mg;
ok(@commands > 5, 'registryctl has commands');
ok(index($page{'registryctl.1'}, said("$ctl $_ --help")) > 0,
    "registryctl(1) has all of $_ --help") for @commands;

ok(index($page{'config.yml.5'}, said("$worker --help-config")) > 0,
    'config.yml(5) has all of --help-config');

done_testing;
