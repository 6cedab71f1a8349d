# Bodies of all sizes, told and untold, come through the ring that lies between
# the socket, the digest and the disk, wherever in a block they begin.

use Test::Registry;

my @sizes = (4095, 4096, 65_536, 100_000, 131_073, 258_048, 262_145,
    2_097_153, 4_194_304, 5_000_001);
my @kinds = (['a length'], ['chunks of 1000', chunked => 1000],
    ['chunks of 32 KiB', chunked => 32_768],
    ['chunks of 1 MiB', chunked => 1 << 20],
    ['a length, in pieces', piece => 30_000]);

for my $buffer ('4k', '64k', '2m') {
    my $r = Test::Registry->new(registry => "registry_upload_buffer $buffer;");

    # All kinds at once, so that who works on a body is often late.
    my @wrong = grep { defined } map { $_->{died} // @{ $_->{wrong} // [] } }
        in_parallel(scalar @kinds, sub {
            my ($i) = @_;
            my ($how, @opt) = @{ $kinds[$i] };
            return { wrong => [map { push_wrong($r, $how, $_, @opt) } @sizes] };
        }, 120);
    ok(!@wrong, "buffers of $buffer: " . @sizes . ' sizes, ' . @kinds . ' ways')
        or diag(join "\n", @wrong);
}


# The last bytes lie at both ends of the ring: all before them is written and
# hashed, and they come at once.

{
    my $r = Test::Registry->new(registry => 'registry_upload_buffer 4k;');
    my $ring = 8192;
    my $bytes = bytes('both ends', 60 * $ring + 1000);
    my $first = 60 * $ring - 1000;
    my $location = $r->start_upload('ring');
    my $data = $r->tree->upload('ring', uuid_of($location)) . '/data';

    my $c = $r->connect;
    $c->send_request('PUT', with_digest($location, sha256($bytes)),
        length => length $bytes, body => substr($bytes, 0, $first));
    ok(wait_until(20, sub { -s $data == $first }), 'all is written that came');
    $c->send(substr($bytes, $first));
    my $answer = $c->response('PUT');
    is($answer->{status}, 201, 'the last bytes lie at both ends of the ring')
        or diag($answer);
    is($r->request('GET', '/v2/ring/blobs/' . sha256($bytes))->{body}, $bytes,
        'and are the right ones');
}


# What is wrong with a push in two parts, the second of $size bytes.

sub push_wrong {
    my ($r, $how, $size, @opt) = @_;

    my @wrong;
    for my $first (0, 128) {
        my $what = "$how: $first and $size bytes";
        my $bytes = bytes($what, $first + $size);
        my $location = $r->start_upload('ring');
        my $dir = $r->tree->upload('ring', uuid_of($location));

        my $answer = $r->request('PATCH', $location,
            body => substr($bytes, 0, $first));
        $answer = $r->request('PATCH', $location,
            body => substr($bytes, $first), @opt);
        push @wrong, "$what: $answer" if $answer->{status} != 202;

        # The digest was made as the bytes came, and not read again.
        push @wrong, "$what: no state"
            if length $bytes > 262_144 && !-e "$dir/hashstates/sha256/" . length $bytes;

        $answer = $r->request('PUT', with_digest($location, sha256($bytes)),
            body => '');
        push @wrong, "$what: PUT: $answer" if $answer->{status} != 201;
        $answer = $r->request('GET', '/v2/ring/blobs/' . sha256($bytes));
        push @wrong, "$what: other bytes" if $answer->{body} ne $bytes;
    }
    return @wrong;
}

done_testing;
