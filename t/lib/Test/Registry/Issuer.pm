package Test::Registry::Issuer;

# Another issuer of tokens: GitLab's /jwt/auth, as far as a registry and its
# clients see it.
#
#     my $issuer = Test::Registry::Issuer->new($dir,
#         users => { alice => 'secret' },
#         rules => [['alice', '^team/', 'pull', 'push'], ['', '^public/', 'pull']],
#         style => 'kid');                        # or x5c, or jwks
#     $issuer->config                             auth.token, as YAML
#     my $token = $issuer->token(access => [...], exp => time - 100);
#
# A rule is a user ('' for everybody), a pattern of repositories, and actions.
# What is not granted is left out, and the answer is still 200, with a token and
# nothing else, as GitLab has it.  GET only: POST is 404.
#
#     my $token = sign_token(\%header, \%claims, $key)
#
# signs with a Crypt::PK::RSA or Crypt::PK::ECC, or with HMAC if key is a text.

use strict;
use warnings;

use Crypt::PK::ECC;
use Crypt::PK::RSA;
use Digest::SHA qw(hmac_sha256 sha256 sha256_hex);
use Exporter qw(import);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(decode_base64 encode_base64url);

use Test::Registry::Process
    qw(daemon free_port read_file run wait_until write_file);

our @EXPORT_OK = qw(libtrust_id sign_token);

my $json = JSON::PP->new->canonical;


sub new {
    my ($class, $dir, %option) = @_;

    my $self = bless {
        dir      => $dir,
        port     => free_port(),
        style    => $option{style} // 'kid',
        key      => "$dir/issuer.key",
        cert     => "$dir/issuer.crt",
        issuer   => 'omnibus-gitlab-issuer',
        service  => 'container_registry',
        users    => $option{users} // {},
        rules    => $option{rules} // [],
    }, $class;

    my ($status, $out) = run('openssl', 'req', '-x509', '-newkey', 'rsa:2048',
        '-nodes', '-keyout', $self->{key}, '-out', $self->{cert}, '-subj',
        '/CN=gitlab-issuer', '-days', '2');
    die "openssl: $out" if $status != 0;

    write_file("$dir/issuer.jwks", $json->encode({ keys => [
        { %{ $json->decode($self->key->export_key_jwk('public')) },
          kid => libtrust_id($self->key), alg => 'RS256' }] }));
    my %plain = %$self;
    delete $plain{rsa};
    write_file("$dir/issuer.json", $json->encode(\%plain));

    $self->{daemon} = daemon($dir, 'issuer', $^X, (map { "-I$_" } @INC),
        '-MTest::Registry::Issuer', '-e', 'Test::Registry::Issuer::serve(@ARGV)',
        "$dir/issuer.json");
    wait_until(15, sub {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}")
    }) or die "the issuer does not listen: " . $self->{daemon}->log;

    return $self;
}


sub log   { return $_[0]{daemon}->log }
sub stop  { return $_[0]{daemon}->stop }
sub cert  { return $_[0]{cert} }
sub realm { return "http://127.0.0.1:$_[0]{port}/jwt/auth" }
sub key   { return $_[0]{rsa} //= Crypt::PK::RSA->new($_[0]{key}) }


sub config {
    my ($self) = @_;

    my $source = $self->{style} eq 'jwks' ? "jwks: $self->{dir}/issuer.jwks"
                                          : "rootcertbundle: $self->{cert}";

    return <<"YAML";
auth:
  token:
    realm: @{[ $self->realm ]}
    service: $self->{service}
    issuer: $self->{issuer}
    $source
YAML
}


# 240 bits of the SHA-256 of the DER public key, in base32, in groups of four.

sub libtrust_id {
    my ($key) = @_;

    my $bits = substr unpack('B*', sha256($key->export_key_der('public_x509'))),
        0, 240;
    my $text = join '', map { ('A' .. 'Z', 2 .. 7)[oct "0b$_"] }
        $bits =~ /(.{5})/g;

    return join ':', $text =~ /(.{4})/g;
}


sub sign_token {
    my ($header, $claims, $key) = @_;

    my $text = join '.', map { encode_base64url(ref $_ ? $json->encode($_) : $_) }
        $header, $claims;
    my ($bits) = $header->{alg} =~ /(\d+)/;
    my $signature = !ref $key ? hmac_sha256($text, $key)
        : $key->isa('Crypt::PK::ECC')
        ? $key->sign_message_rfc7518($text, "SHA$bits")
        : $key->sign_message($text, "SHA$bits", 'v1.5');

    return "$text." . encode_base64url($signature);
}


# The header of a token of this issuer's.

sub header {
    my ($self) = @_;

    my %header = (typ => 'JWT', alg => 'RS256');
    if ($self->{style} eq 'x5c') {
        my ($pem) = read_file($self->{cert}) =~ /-----\n(.*?)-----END/s;
        $header{x5c} = [$pem =~ s/\s//gr];
    }
    else {
        $header{kid} = libtrust_id($self->key);
    }

    return \%header;
}


# The claims that GitLab's tokens have; an undefined value leaves one out.

sub claims {
    my ($self, %claim) = @_;

    my $now = time;
    my %all = (
        access => [], jti => sha256_hex(rand), aud => $self->{service},
        iss => $self->{issuer}, iat => $now, nbf => $now - 5,
        exp => $now + 300, auth_type => 'gitlab_or_ldap', sub => 'alice',
        user => 'aGVhZGVy.e30.c2ln', %claim,
    );
    delete @all{ grep { !defined $all{$_} } keys %all };

    return \%all;
}


sub token {
    my ($self, %claim) = @_;

    return sign_token($self->header, $self->claims(%claim), $self->key);
}


# ---- the server, in a process of its own ------------------------------------


sub _unescape { return $_[0] =~ tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }


# The user of a request: undef for wrong credentials, '' for none.

sub _user {
    my ($self, $head) = @_;

    my ($basic) = $head =~ /^Authorization:\s*Basic\s+(\S+)/mi or return '';
    my ($user, $password) = split /:/, decode_base64($basic), 2;

    return $user if defined $password
        && ($self->{users}{$user} // '') eq $password && $password ne '';
    return undef;
}


sub _granted {
    my ($self, $user, $scope) = @_;

    my ($type, $name, $actions) = $scope =~ /^(\w+):(.+):([^:]*)$/ or return;
    my %may;
    for my $rule (@{ $self->{rules} }) {
        my ($who, $pattern, @actions) = @$rule;
        next if $who ne '' && $who ne $user;
        @may{@actions} = @actions if $name =~ /$pattern/;
    }
    my @granted = grep { $may{$_} } split /,/, $actions;

    return @granted
        ? { type => $type, name => $name, actions => \@granted } : ();
}


sub _answer {
    my ($self, $head) = @_;

    my ($method, $query) = $head =~ m{^(\S+) /jwt/auth(?:\?(\S*))? HTTP/}
        or return (404, {});
    return (404, {}) if $method ne 'GET';

    my $user = $self->_user($head);
    print "GET user=", $user // 'WRONG', ' ', $query // '', "\n";
    return (401, { errors => [{ code => 'UNAUTHORIZED' }] })
        unless defined $user;

    my @scopes = map { split / / } map { /^scope=(.*)/ ? _unescape($1) : () }
        split /&/, $query // '';
    return (200, { token => $self->token(sub => $user ne '' ? $user : undef,
        access => [map { $self->_granted($user, $_) } @scopes]) });
}


sub serve {
    my ($config) = @_;

    $| = 1;
    $SIG{PIPE} = 'IGNORE';               # who asked may be gone
    my $self = bless $json->decode(read_file($config)), __PACKAGE__;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 64, ReuseAddr => 1)
        or die "listen: $!";

    while (my $client = $listen->accept) {
        my $head = '';
        while ($head !~ /\r\n\r\n/ && length $head < 65536) {
            sysread($client, $head, 65536, length $head) or last;
        }
        my ($status, $body) = $self->_answer($head);
        my $text = $json->encode($body);
        print $client "HTTP/1.1 $status x\r\nContent-Type: application/json\r\n",
            'Content-Length: ', length $text,
            "\r\nConnection: close\r\n\r\n$text";
        close $client;
    }
}

1;
