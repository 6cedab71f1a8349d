# The list of tags, page by page.

use Test::Registry;

my $r = Test::Registry->new;

my @tags = sort map { ("v$_", "V$_", "_$_", "$_.x") } 1 .. 6;
my $image = $r->push_image('a/tags', $tags[0]);
$r->push_manifest('a/tags', $_, $image->{bytes}) for reverse @tags;


sub list {
    my ($query, $repo) = @_;

    return $r->request('GET', '/v2/' . ($repo // 'a/tags') . "/tags/list"
        . (length $query ? "?$query" : ''));
}

sub tags_are {
    my ($query, $tags, $next, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $a = list($query);
    is($a->{status}, 200, "$title: status");
    is_deeply($a->json, { name => 'a/tags', tags => $tags }, "$title: tags")
        or diag($a);
    is($a->header('link'), $next, "$title: Link");
}

my $a = list('');
like($a->header('content-type'), qr{^application/json\b}, 'JSON');
tags_are('', \@tags, undef, 'all, in byte order');
tags_are('n=100', \@tags, undef, 'more than there are');
tags_are('n=24', \@tags, undef, 'just what there is');
tags_are('n=1000000000', \@tags, undef, 'very many');
tags_are('n=5', [@tags[0 .. 4]],
    qq{</v2/a/tags/tags/list?last=$tags[4]&n=5>; rel="next"}, 'a page');
tags_are("n=5&last=$tags[4]", [@tags[5 .. 9]],
    qq{</v2/a/tags/tags/list?last=$tags[9]&n=5>; rel="next"}, 'the next page');
tags_are("last=$tags[19]&n=4", [@tags[20 .. 23]], undef, 'the last page');
tags_are("last=$tags[10]", [@tags[11 .. 23]], undef, 'last without n');
tags_are('last=V', [grep { $_ gt 'V' } @tags], undef,
    'last that is no tag');
tags_are('last=zzz', [], undef, 'after the end');
tags_are("last=$tags[23]", [], undef, 'after the last');
tags_are('last=', \@tags, undef, 'an empty last');
tags_are('n=0', [], undef, 'none');
tags_are('n=1&last=%56' . '2', [$tags[(grep { $tags[$_] eq 'V2' } 0 .. 23)[0]
    + 1]], qq{</v2/a/tags/tags/list?last=V3&n=1>; rel="next"},
    'an escaped last');

# Following Link to the end shows each tag once.
my ($path, @walked) = ('/v2/a/tags/tags/list?n=7');
while (defined $path && @walked < 100) {
    $a = $r->request('GET', $path);
    push @walked, @{ $a->json->{tags} };
    ($path) = ($a->header('link') // '') =~ /^<([^>]+)>; rel="next"$/;
}
is_deeply(\@walked, \@tags, 'Link by Link');

for my $n ('-1', 'x', '1x', '', '0x10', '1.5', '99999999999999999999', '%00',
    '+1', '%201')
{
    error_is(list("n=$n"), 400, 'PAGINATION_NUMBER_INVALID', "n=$n");
}

error_is(list('', 'no/such'), 404, 'NAME_UNKNOWN', 'an unknown repository');
error_is(list('', 'a'), 404, 'NAME_UNKNOWN', 'a part of a name');

$r->push_image('untagged', undef);
is_deeply(list('', 'untagged')->json, { name => 'untagged', tags => [] },
    'no tags: an empty list');

is($r->request('DELETE', "/v2/a/tags/manifests/$tags[3]")->{status}, 202,
    'a tag is deleted');
splice @tags, 3, 1;
tags_are('', \@tags, undef, 'it leaves the list at once');
$r->push_manifest('a/tags', 'zz', $image->{bytes});
tags_are('', [@tags, 'zz'], undef, 'a new one is in it at once');

is($r->request('HEAD', '/v2/a/tags/tags/list')->{status}, 200, 'HEAD');

# What is no tag is not listed.
my $dir = $r->path('repositories/a/tags/_manifests/tags');
mkdir "$dir/$_" for '.hidden', 'empty', 'a b';
write_file("$dir/file", '');
tags_are('', [@tags, 'zz'], undef, 'strangers in the directory');
rmdir "$dir/$_" for '.hidden', 'empty', 'a b';
unlink "$dir/file";

fsck_ok($r, 'the tree is sound');

done_testing;
