# The specification line by line: the list of tags.

use Test::Registry;

my $r = Test::Registry->new;
my @tags = sort qw(a B b2 b10 v1.0 v1.1 latest _x);
my $image = $r->push_image('a', $tags[0]);
$r->push_manifest('a', $_, $image->{bytes}) for reverse @tags;


sub list { return $r->request('GET', '/v2/a/tags/list' . ($_[0] // '')) }
sub tags { return list($_[0])->json->{tags} }


# ---- 66

is_deeply(list()->json, { name => 'a', tags => \@tags },
    '66: name and sorted tags');
is($r->request('GET', '/v2/a/tags/list')->header('content-type')
    =~ m{^application/json}, 1, '66: as JSON');
error_is($r->request('GET', '/v2/none/tags/list'), 404, 'NAME_UNKNOWN',
    '66: an unknown repository is 404 NAME_UNKNOWN');
$r->push_image('untagged', undef);
like($r->request('GET', '/v2/untagged/tags/list')->{body}, qr/"tags": *\[\]/,
    '66: no tags are [], not null');


# ---- 67

for my $i (0 .. $#tags) {
    is_deeply(tags("?last=$tags[$i]"), [@tags[$i + 1 .. $#tags]],
        "67: last=$tags[$i] alone: every tag after it");
}
is_deeply(tags('?last=b3'), [grep { $_ gt 'b3' } @tags],
    '67: last need not exist');


# ---- 68

for my $n (1 .. @tags + 1) {
    my (@seen, $pages);
    my $query = "?n=$n";
    while (defined $query) {
        my $a = list($query);
        push @seen, my @page = @{ $a->json->{tags} };
        $pages++;
        my $link = $a->header('link');
        is(defined $link, @seen < @tags, "68: n=$n: Link only if more remain");
        is(scalar @page, $n, "68: n=$n: that many") if defined $link;
        ($query) = ($link // '') =~ m{^</v2/a/tags/list(\?\S+)>; rel="next"$};
        die "$link leads nowhere" if $pages > 20;
    }
    is_deeply(\@seen, \@tags, "68: n=$n: all of them in the end");
}
is_deeply(tags('?n=2&last=' . $tags[1]), [@tags[2, 3]], '68: n and last');


# ---- 69

is_deeply(tags('?n=0'), [], '69: n=0 is an empty list');
is(list('?n=0')->header('link'), undef, '69: without Link');
for my $n ('-1', 'x', '1x', '1.5') {
    is(list("?n=$n")->{status}, 400, "69: n=$n is 400");
}
is_deeply(tags('?n=99999999'), \@tags, '69: a large n is fine');

done_testing;
