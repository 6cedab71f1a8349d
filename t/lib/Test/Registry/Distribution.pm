package Test::Registry::Distribution;

# Debian's docker-registry, serving a tree of ours or one of its own.
#
#     my $peer = Test::Registry::Distribution->new($dir, $root);
#     my $client = Test::Registry::Client->new($peer->address);
#     my ($status, $out) = $peer->garbage_collect;
#     $peer->stop;
#
# It runs without its blob descriptor cache: what another server changes on
# the tree must be seen here at once, and only the disk can tell.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use POSIX qw(strftime);

use Test::Registry::Process qw(daemon free_port run wait_until write_file);

my $secret = 'the exchange test';
my $count  = 0;


sub new {
    my ($class, $dir, $root) = @_;

    my $port = free_port();
    my $name = 'distribution-' . ++$count;
    my $self = bless {
        port   => $port,
        config => "$dir/$name.yml",
    }, $class;

    write_file($self->{config}, <<"YAML");
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  delete:
    enabled: true
  filesystem:
    rootdirectory: $root
http:
  addr: 127.0.0.1:$port
  secret: $secret
YAML

    $self->{daemon} = daemon($dir, $name,
        'docker-registry', 'serve', $self->{config});
    wait_until(15, sub {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
    }) or die "docker-registry does not listen: " . $self->{daemon}->log;

    return $self;
}


sub address { return "127.0.0.1:$_[0]{port}" }
sub port    { return $_[0]{port} }
sub stop    { return $_[0]{daemon}->stop }


sub garbage_collect {
    my ($self, @options) = @_;

    return run('docker-registry', 'garbage-collect', @options,
        $self->{config});
}


# The Location of an upload that another server has begun on the same tree.
# Distribution keeps an upload's state in the URL, signed with its secret.

sub upload_location {
    my ($self, $repo, $uuid, $offset) = @_;

    my $state = JSON::PP->new->canonical->encode({
        Name      => $repo,
        UUID      => $uuid,
        Offset    => $offset + 0,
        StartedAt => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime),
    });
    my $token = encode_base64url(hmac_sha256($state, $secret) . $state);
    $token .= '=' x (-length($token) % 4);

    return "/v2/$repo/blobs/uploads/$uuid?_state=$token";
}

1;
