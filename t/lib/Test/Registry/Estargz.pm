package Test::Registry::Estargz;

# A layer in the eStargz format: an ordinary tar.gz for those who pull it whole,
# and for a lazy client a file of many gzip members, whose table of contents
# says where each chunk of each file begins.
#
#     my $layer = Test::Registry::Estargz::layer($chunk, name => bytes, ...);
#     $layer->{bytes}, {toc} (its JSON), {uncompressed} (the tar)
#     my ($toc, $chunks) = Test::Registry::Estargz::contents($size, sub {
#         my ($from, $to) = @_; ...; return $bytes });
#
# contents() reads as a lazy client does: the footer, the table of contents,
# and then each chunk by itself.  $chunks is a list of { name, from, to, digest,
# bytes }, digest being the one that the table says.
#
# As github.com/containerd/stargz-snapshotter/blob/main/docs/estargz.md has it.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip $GzipError);
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use JSON::PP;

my $block = 512;

my $footer = 51;
my $name_of_toc = 'stargz.index.json';


sub _inflate {
    my ($bytes) = @_;

    gunzip(\$bytes => \my $out) or die "gunzip: $GunzipError\n";
    return $out;
}


sub _deflate {
    my ($bytes) = @_;

    gzip(\$bytes => \my $out, -Minimal => 1) or die "gzip: $GzipError\n";
    return $out;
}


sub _header {
    my ($name, $size) = @_;

    my $header = pack('a100a8a8a8a12a12A8a1a100a6a2a32a32a8a8a155x12', $name,
        '0000644', '0000000', '0000000', sprintf('%011o', $size),
        '00000000000', '', '0', '', 'ustar', '00', 'root', 'root', '', '',
        '');
    substr($header, 148, 8) = sprintf("%06o\0 ",
        unpack('%32C*', $header));

    return $header;
}


sub _padding { return "\0" x (-$_[0] % $block) }


# Members in the order of the file: the headers, each chunk of a file's bytes,
# the table of contents with the end of the tar, the footer.

sub layer {
    my ($chunk, %file) = @_;

    my ($out, $tar, $pending) = ('', '', '');
    my @entries;
    $file{'.no.prefetch.landmark'} = "\x0f";

    for my $name (sort keys %file) {
        my $bytes = $file{$name};
        $pending .= _header($name, length $bytes);
        my @chunks = map { substr($bytes, $_ * $chunk, $chunk) }
            0 .. int((length($bytes) - 1) / $chunk);
        my $at = 0;

        for my $i (0 .. $#chunks) {
            $out .= _deflate($pending);
            $tar .= $pending;
            push @entries, {
                name => $name, type => $i == 0 ? 'reg' : 'chunk',
                offset => length $out,
                $i == 0 ? (size => length $bytes, mode => 0644,
                    modtime => '1970-01-01T00:00:00Z',
                    digest => 'sha256:' . sha256_hex($bytes))
                    : (chunkOffset => $at),
                @chunks > 1 ? (chunkSize => length $chunks[$i]) : (),
                chunkDigest => 'sha256:' . sha256_hex($chunks[$i]),
            };
            $pending = $chunks[$i];
            $at += length $chunks[$i];
        }
        $pending .= _padding(length $bytes);
    }
    $out .= _deflate($pending);
    $tar .= $pending;

    my $toc = JSON::PP->new->utf8->canonical->encode(
        { version => 1, entries => \@entries });
    my $offset = length $out;
    my $end = _header($name_of_toc, length $toc) . $toc . _padding(length $toc)
        . "\0" x (2 * $block);
    $out .= _deflate($end) . _footer($offset);

    return { bytes => $out, toc => $toc, uncompressed => $tar . $end };
}


sub _footer {
    my ($offset) = @_;

    my $field = sprintf '%016xSTARGZ', $offset;

    return pack('C4VCCvA2va*', 0x1f, 0x8b, 8, 4, 0, 0, 255,
        length($field) + 4, 'SG', length $field, $field)
        . pack('Cvv', 1, 0, 0xffff) . "\0" x 8;
}


sub contents {
    my ($size, $range) = @_;

    my $end = $size - $footer;
    my ($offset) = substr($range->($end, $size - 1), 12)
        =~ /^SG..([0-9a-f]{16})STARGZ/s or die "no footer\n";
    my $start = hex $offset;
    my $member = _inflate($range->($start, $end - 1));
    die "no table of contents\n"
        unless unpack('Z100', $member) eq $name_of_toc;
    my $toc = substr($member, $block, oct substr($member, 124, 11));

    my @entries = grep { ($_->{chunkDigest} // '') ne '' }
        @{ JSON::PP->new->utf8->decode($toc)->{entries} };
    my @chunks;
    for my $i (0 .. $#entries) {
        my $entry = $entries[$i];
        my $next = $i < $#entries ? $entries[$i + 1]{offset} : $start;
        my $bytes = _inflate($range->($entry->{offset}, $next - 1));
        push @chunks, {
            name => $entry->{name}, digest => $entry->{chunkDigest},
            from => $entry->{offset}, to => $next - 1,
            bytes => substr($bytes, 0,
                $entry->{chunkSize} || $entry->{size} || length $bytes),
        };
    }

    return ($toc, \@chunks);
}

1;
