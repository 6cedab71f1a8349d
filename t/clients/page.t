# The page, in a real browser: what it shows of a registry, whom it lets in, and
# that what a stranger pushed stays text.

use Test::Registry;

use Cwd qw(abs_path);
use Test::Registry::Browser;
use Test::Registry::Process qw(needs);

needs('chromium' => 'chromium', 'htpasswd' => 'apache2-utils');

my $ui = abs_path('ui');
my $evil = '<img src=x onerror="document.title=1">';

sub page {
    return server => "location / { root $ui; expires -1;"
        . " types { text/html html; text/css css; text/javascript js; } }",
        @_;
}

sub image_with {
    my ($r, $name, $tag, %config) = @_;

    my $config = json({ os => 'linux', architecture => 'amd64',
        created => '2026-11-20T10:11:12Z', %config });
    my $layer = 'x' x 1500;
    $r->push_blob($name, $_) for $config, $layer;

    my $manifest = json(image_manifest(config => $config,
        layers => [$layer]));
    $r->push_manifest($name, $tag, $manifest);

    return $manifest;
}

my $text = 'document.getElementById("main").innerText';


# ---- what there is

my $r = Test::Registry->new(page());
my $dir = $r->dir;
my $browser = Test::Registry::Browser->new($dir);

$browser->open($r->url . '/');
ok($browser->comes("$text.includes('There is no image yet')"),
    'an empty registry says what to do') or diag($browser->shows($text));

my $image = image_with($r, 'team/app', 'v1', config => {
    Cmd => ['/bin/app', 'two words'], Env => ['MODE=fast'],
    Labels => { $evil => $evil } }, history => [
    { created_by => 'ENV MODE=fast', empty_layer => JSON::PP::true },
    { created_by => "/bin/sh -c #(nop) COPY $evil in /bin/app" }]);
image_with($r, 'team/app', "v$_") for 2 .. 60;
my $index = json(index_manifest(more => { manifests => [
    { %{ descriptor($TYPE{oci}, $image) },
        platform => { os => 'linux', architecture => 'arm64' } }] }));
$r->push_manifest('team/app', 'many', $index);
image_with($r, 'web', 'v1', os => $evil, architecture => $evil);

$browser->open($r->url . '/?again');
ok($browser->comes("$text.includes('2 repositories')"), 'repositories')
    or diag($browser->shows($text));
is($browser->shows('[...document.querySelectorAll("#main a")]'
    . '.map(a => a.textContent).join()'), 'team/app,web', 'by name');

$browser->shows('(e => { e.value = "eb"; e.dispatchEvent(new Event("input")) })'
    . '(document.querySelector("#find input"))');
is($browser->shows('[...document.querySelectorAll("#main li:not([hidden])")]'
    . '.map(a => a.textContent).join()'), 'web', 'a filter');
like($browser->shows($text), qr/^1 of 2 repositories$/m, 'and how many it left');

$browser->shows('location.hash = "team/app", 1');
ok($browser->comes("$text.includes('50 tags so far')"), 'a page of tags')
    or diag($browser->shows($text));
$browser->shows('document.querySelector("#main > button").click(), 1');
ok($browser->comes("$text.includes('61 tags')"), 'and more')
    or diag($browser->shows($text));
ok($browser->comes('[...document.querySelectorAll("tbody tr")].every('
    . 'e => /linux.(amd64|arm64)\s+1.5 kB\s+2026-11-20 10:11\s+sha256:/'
    . '.test(e.innerText))'), 'each with what it is')
    or diag($browser->shows($text));
my $order = sub {
    $browser->shows("document.querySelector('thead button').click(), 1");
    return $browser->shows('[...document.querySelectorAll("tbody th")]'
        . '.slice(0, 3).map(e => e.textContent).join()');
};
is($order->(), 'many,v1,v2', 'sorted by tag, with v2 before v10');
is($order->(), 'v60,v59,v58', 'and the other way round');
$browser->wide(360);
cmp_ok($browser->shows('document.documentElement.scrollWidth'), '<=', 360,
    'a phone has room for it');
$browser->wide(1200);

$browser->shows('location.hash = "team/app:v1", 1');
ok($browser->comes("$text.includes('1 layer')"), 'an image')
    or diag($browser->shows($text));
my $said = $browser->shows($text);
like($said, qr/docker pull 127\.0\.0\.1:\d+\/team\/app:v1/, 'how to pull it');
like($said, qr/\Q$_\E/, "its $_") for sha256($image), '/bin/app "two words"',
    'MODE=fast', "COPY $evil in /bin/app", "$evil=$evil";
unlike($said, qr/ENV MODE/, 'a layer that is none has no row');

$browser->shows('location.hash = "team/app:many", 1');
ok($browser->comes("$text.includes('linux/arm64')"), 'an index');
$browser->shows('document.querySelector("tbody a").click(), 1');
ok($browser->comes("$text.includes('1 layer')"), 'leads to its image')
    or diag($browser->shows($text));

# ---- what docker does not run

sub artifact {
    my ($name, $tag, $type, $file, %more) = @_;

    $r->push_blob($name, $_) for '{}', 'bytes';
    $r->push_manifest($name, $tag, json(image_manifest(more => {
        config => { %{ descriptor($type, '{}') } },
        layers => [{ %{ descriptor("application/$file", 'bytes') },
            annotations => { 'org.opencontainers.image.title' => $file } }],
        %more })));
}

my $host = $r->url =~ s{^http://}{}r;
my $chart = 'application/vnd.cncf.helm.config.v1+json';
artifact('charts/web', '1.2.0_3', $chart, 'web.tgz', annotations =>
    { 'org.opencontainers.image.description' => 'a chart' });
artifact('docs', 'v1', 'application/vnd.oci.empty.v1+json', 'a.pdf',
    artifactType => 'application/vnd.example.manual');

for (['charts/web:1.2.0_3', $chart,
        "helm pull oci://$host/charts/web --version 1.2.0+3", 'a chart'],
    ['docs:v1', 'application/vnd.example.manual', "oras pull $host/docs:v1",
        'a.pdf, application/a.pdf'])
{
    my ($at, @says) = @$_;
    $browser->shows("location.hash = '$at', 1");
    ok($browser->comes("$text.includes('1 file')"), $at)
        or diag($browser->shows($text));
    my $said = $browser->shows($text);
    like($said, qr/\Q$_\E/, "its $_") for @says;
    unlike($said, qr/docker pull/, 'and nothing for docker');
}


# ---- what is no better than it should be

$browser->shows('location.hash = "web", 1');
ok($browser->comes("$text.includes('onerror')"), 'what a stranger pushed');
is($browser->shows('document.images.length'), 0, 'stays text');

$browser->shows('location.hash = "nobody", 1');
ok($browser->comes("/^Repository name not known/m.test($text)"),
    "a refusal is the registry's sentence") or diag($browser->shows($text));
is($browser->shows('document.querySelectorAll("table").length'), 0,
    'below no empty table');

# its own requests, such as the one that was refused just now, are logged
is_deeply([grep { !/status of 404/ } $browser->complaints], [],
    'the page breaks nothing');

$r->stop_nginx;
$browser->shows('location.hash = "web", 1');
ok($browser->comes("/^The registry does not answer/m.test($text)"),
    'a registry that is gone') or diag($browser->shows($text));
$browser->stop;


# ---- whom it lets in, by passwords and by tokens

for my $tokens ('false', 'true') {
    my $users = "$dir/users-$tokens";
    system('htpasswd', '-cbB', '-C', 5, $users, 'alice', "s\xc3\xa9cret") == 0
        or die "htpasswd failed\n";
    my $r = Test::Registry->new(page(
        config => "auth:\n  htpasswd:\n    path: $users\n",
        worker => { state => "$dir/state-$tokens",
            tokens => "{enabled: $tokens}",
            access => '{rules: [{who: anonymous, repositories: team/**,'
                . ' actions: push}, {who: alice, actions: pull},'
                . ' {who: bob, actions: catalog}]}' }));
    image_with($r, 'team/app', 'v1');
    my $browser = Test::Registry::Browser->new($r->dir);

    $browser->open($r->url . '/');
    ok($browser->comes('ask.open'), "tokens: $tokens: it asks for a login");

    my $login = sub {
        $browser->shows('(f => { f.elements.user.value = "alice";'
            . " f.elements.password.value = '$_[0]';"
            . ' f.querySelector("button").click(); return 1 })'
            . '(ask.querySelector("form"))');
    };
    $login->('wrong');
    ok($browser->comes('ask.open && document.getElementById("ask-why")'
        . '.textContent.includes("wrong user name or password")'),
        'again after a wrong password') or diag($browser->shows($text));
    $login->('s\u00e9cret');
    ok($browser->comes('!ask.open && document.querySelector(".wrong")'),
        'not after the right one, of who may not see all')
        or diag($browser->shows($text));
    $browser->shows('document.querySelector("#find input").value = "team/app",'
        . 'document.forms.find.requestSubmit(), 1');
    ok($browser->comes("$text.includes('linux/amd64')"),
        'he names what he may see') or diag($browser->shows($text));
    is($browser->shows('ask.querySelector("[name=password]").value'), '',
        'the password is not left in the form');

    $browser->shows('document.getElementById("login").click(), 1');
    ok($browser->comes('ask.open'), 'until one logs out');
    $browser->stop;
}

done_testing;
