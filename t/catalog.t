# The list of repositories, page by page.

use Test::Registry;

my $r = Test::Registry->new;


sub catalog_is {
    my ($query, $names, $next, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $a = $r->request('GET', "/v2/_catalog$query");
    is($a->{status}, 200, "$title: status");
    is_deeply($a->json, { repositories => $names }, "$title: names")
        or diag($a);
    is($a->header('link'), $next, "$title: Link");
}

catalog_is('', [], undef, 'an empty registry');

# In byte order '-' and '.' come before '/': a directory walk has them wrong.
my @names = sort('a', 'a/b', 'a-b', 'a.b', 'a/b/c', 'a0', 'b/c', 'z',
    'z/blobs', 'z/tags/list', 'zz');
$r->push_image($_, 'v1') for reverse @names;

catalog_is('', \@names, undef, 'all, in byte order');
catalog_is('?n=100', \@names, undef, 'more than there are');
catalog_is('?n=11', \@names, undef, 'just what there is');
catalog_is('?n=3', [@names[0 .. 2]],
    qq{</v2/_catalog?last=$names[2]&n=3>; rel="next"}, 'a page');
catalog_is("?n=3&last=$names[2]", [@names[3 .. 5]],
    qq{</v2/_catalog?last=$names[5]&n=3>; rel="next"}, 'the next');
catalog_is('?last=' . ($names[8] =~ s{/}{%2F}gr), [@names[9, 10]], undef,
    'last without n, escaped');
catalog_is('?last=b', [grep { $_ gt 'b' } @names], undef,
    'last that is no name');
catalog_is('?last=zzz', [], undef, 'after the end');
catalog_is('?n=0', [], undef, 'none');

my ($path, @walked) = ('/v2/_catalog?n=2');
while (defined $path && @walked < 100) {
    my $a = $r->request('GET', $path);
    push @walked, @{ $a->json->{repositories} };
    ($path) = ($a->header('link') // '') =~ /^<([^>]+)>; rel="next"$/;
}
is_deeply(\@walked, \@names, 'Link by Link');

for my $n ('-1', 'x', '', '99999999999999999999') {
    error_is($r->request('GET', "/v2/_catalog?n=$n"), 400,
        'PAGINATION_NUMBER_INVALID', "n=$n");
}

$r->push_blob('only/blobs', 'x');
$r->start_upload('only/uploads');
catalog_is('', \@names, undef, 'what has no manifest is not listed');

my $digest = $r->request('HEAD', '/v2/a-b/manifests/v1')
    ->header('docker-content-digest');
is($r->request('DELETE', "/v2/a-b/manifests/$digest")->{status}, 202,
    'the last manifest of a repository is deleted');
@names = grep { $_ ne 'a-b' } @names;
catalog_is('', \@names, undef, 'the repository leaves the catalog');
$r->push_image('a-b', 'v2');
@names = sort @names, 'a-b';
catalog_is('', \@names, undef, 'and comes back');

my $small = Test::Registry->new(config => "catalog:\n  maxentries: 4\n",
    root => $r->root);
my $a = $small->request('GET', '/v2/_catalog');
is(scalar @{ $a->json->{repositories} }, 4, 'a page has at most maxentries');
like($a->header('link') // '', qr/rel="next"/, 'and a Link');
$a = $small->request('GET', '/v2/_catalog?n=100');
like($a->{status}, qr/^(?:200|400)$/, 'n above maxentries is cut or refused');
ok($a->{status} == 400 || @{ $a->json->{repositories} } == 4,
    'but never obeyed');

fsck_ok($r, 'the tree is sound');

done_testing;
