# GET /v2/_health, for load balancers: 200 if the tree is there and a worker
# answers, without a login, and nothing more.

use Test::Registry;

my $r = Test::Registry->new;
accounts($r->dir . '/users', alice => 'secret');
$r->push_image('team/app', 'v1');
$r->{opt}{config} = "auth:\n  htpasswd:\n    path: @{[ $r->dir ]}/users\n";
$r->write_config;
$r->restart_worker;

error_is($r->request('GET', '/v2/'), 401, 'UNAUTHORIZED',
    'nobody comes in without a login');
my $answer = $r->request('GET', '/v2/_health');
is($answer->{status}, 200, 'but who asks for health is told');
is($answer->{body}, '{}', 'that all is well, and nothing else');
is($answer->header('www-authenticate'), undef, 'and is not asked who he is');
is($answer->header('cache-control'), 'no-store', 'each time anew');
is($r->request('HEAD', '/v2/_health')->{status}, 200, 'by HEAD as well');
is($r->request('GET', '/v2/_health', headers => [basic('alice', 'wrong')])
    ->{status}, 200, 'whatever he shows');
error_is($r->request('POST', '/v2/_health', body => ''), 405, 'UNSUPPORTED',
    'there is nothing to be sent there');
error_is($r->request('GET', '/v2/_health/tags/list'), 400, 'NAME_INVALID',
    'it is no repository');

my ($tree, $away) = ("$r->{root}/docker", $r->dir . '/away');
rename $tree, $away or die "$tree: $!\n";
error_is($r->request('GET', '/v2/_health'), 503, 'UNAVAILABLE',
    'where the tree is away, it is not well');
rename $away, $tree or die "$away: $!\n";
is($r->request('GET', '/v2/_health')->{status}, 200, 'and well when it is back');

$r->stop_worker;
error_is($r->request('GET', '/v2/_health'), 502, 'UNAVAILABLE',
    'nor is it without a worker');
$r->start_worker;
is($r->request('GET', '/v2/_health')->{status}, 200, 'with one it is');
$r->expect_log(qr/No such file or directory/);

done_testing;
