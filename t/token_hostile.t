# Tokens that nobody whom we trust has made, or that were made for something
# else (SECURITY.md S11): asked of nginx and of the worker, each is 401 with a
# challenge.

use Test::Registry;

use Crypt::PK::ECC;
use Crypt::PK::RSA;
use JSON::PP;
use MIME::Base64 qw(encode_base64 encode_base64url);

use Test::Registry::Issuer qw(libtrust_id sign_token);
use Test::Registry::Process qw(needs read_file run scratch write_file);

needs(openssl => 'openssl');

my $dir    = scratch();
my $issuer = Test::Registry::Issuer->new($dir);
my $r      = Test::Registry->new(config => $issuer->config);
my $rsa    = $issuer->key;
my $kid    = libtrust_id($rsa);

my $every  = [{ type => 'repository', name => 'a/b', actions => ['*'] }];
my %good   = (typ => 'JWT', alg => 'RS256', kid => $kid);

sub bearer { return [Authorization => "Bearer $_[0]"] }
sub token  { return $issuer->token(access => $every, @_) }

sub entry {
    my ($name, @actions) = @_;

    return { type => 'repository', name => $name, actions => \@actions };
}

sub signed {
    my ($header, $key) = @_;

    return sign_token($header, $issuer->claims(access => $every),
        $key // $rsa);
}

sub ask {
    my ($method, $path, $token) = @_;

    return $r->request($method, $path, headers => bearer($token),
        $method eq 'GET' ? () : (body => ''));
}


# ---- what is good

my $blob = 'bytes of a/b';
my $digest = sha256($blob);
my $a = ask('POST', '/v2/a/b/blobs/uploads/', token());
is($a->{status}, 202, 'a token of the issuer is good for pushing') or diag($a);
is($r->request('PUT', with_digest($a->header('location'), $digest),
    body => $blob, headers => bearer(token()))->{status}, 201, 'bytes go in');
is(ask('GET', "/v2/a/b/blobs/$digest", token())->{body}, $blob, 'and out');

is(ask('GET', "/v2/a/b/blobs/$digest", token(@$_))->{status}, 200,
    "$_->[0] of another form is good too")
    for ['aud', ['x', 'container_registry']], ['sub', undef],
        ['auth_type', undef], ['nbf', undef], ['exp', time - 30];


# ---- what is not

my $stranger = Crypt::PK::RSA->new;
$stranger->generate_key(256);
my $ecc = Crypt::PK::ECC->new;
$ecc->generate_key('secp256r1');
my $public = sub { JSON::PP->new->decode($_[0]->export_key_jwk('public')) };
my $pem = $rsa->export_key_pem('public_x509');
my ($status, $out) = run('openssl', 'req', '-x509', '-newkey', 'rsa:2048',
    '-nodes', '-keyout', "$dir/other.key", '-out', "$dir/other.crt", '-subj',
    '/CN=gitlab-issuer', '-days', '2');
is($status, 0, 'a stranger has a certificate of the same name') or diag($out);
my $other = Crypt::PK::RSA->new("$dir/other.key");
my $der = sub { read_file($_[0]) =~ /-----\n(.*?)-----END/s; $1 =~ s/\s//gr };

my $whole = token();
my ($h, $p, $s) = split /\./, $whole;
my $none = encode_base64url('{"alg":"none","typ":"JWT"}');

my %hostile = (
    'alg none'                  => "$none.$p.",
    'alg none with a signature' => "$none.$p.$s",
    'alg None'                  => encode_base64url('{"alg":"None"}') . ".$p.$s",
    'no signature'              => "$h.$p.",
    'no signature and no dot'   => "$h.$p",
    'another\'s payload'        => do { my (undef, $q)
        = split /\./, token(sub => 'root'); "$h.$q.$s" },
    'HS256 by the public key, PEM' => signed({ %good, alg => 'HS256' }, $pem),
    'HS256 by the public key, DER' => signed({ %good, alg => 'HS256' },
        $rsa->export_key_der('public_x509')),
    'HS256 by the certificate'  => signed({ %good, alg => 'HS256' },
        read_file($issuer->cert)),
    'HS256 by nothing'          => signed({ %good, alg => 'HS256' }, ''),
    'ES256 under an RSA key\'s name' => signed({ %good, alg => 'ES256' }, $ecc),
    'a stranger under our name' => signed({ %good }, $stranger),
    'a stranger under his own'  => signed({ %good,
        kid => libtrust_id($stranger) }, $stranger),
    'kid of a path'             => signed({ %good,
        kid => '../../../../../../dev/null' }, $stranger),
    'kid of a file that is empty, HS256' => signed({ %good, alg => 'HS256',
        kid => '/dev/null' }, ''),
    'kid of SQL'                => signed({ %good,
        kid => "x' UNION SELECT 'secret" }, 'secret'),
    'kid of 4 KiB'              => signed({ %good, kid => 'k' x 4000 }),
    'kid of a number'           => signed({ %good, kid => 1 }),
    'no kid'                    => signed({ alg => 'RS256' }),
    'jwk of the attacker'       => signed({ alg => 'RS256',
        jwk => $public->($stranger) }, $stranger),
    'jwk of the attacker under our kid' => signed({ %good,
        jwk => { %{ $public->($stranger) }, kid => $kid } }, $stranger),
    'jwk of the attacker with our certificate' => signed({ alg => 'RS256',
        jwk => { %{ $public->($stranger) },
            x5c => [$der->($issuer->cert)] } }, $stranger),
    'our jwk, another\'s signature' => signed({ alg => 'RS256',
        jwk => $public->($rsa) }, $stranger),
    'jku of the attacker'       => signed({ alg => 'RS256',
        jku => 'http://127.0.0.1:1/keys' }, $stranger),
    'x5c of a stranger by the same name' => signed({ alg => 'RS256',
        x5c => [$der->("$dir/other.crt")] }, $other),
    'x5c of a stranger before ours' => signed({ alg => 'RS256',
        x5c => [$der->("$dir/other.crt"), $der->($issuer->cert)] }, $other),
    'our x5c, another\'s signature' => signed({ alg => 'RS256',
        x5c => [$der->($issuer->cert)] }, $other),
    'x5c of junk'               => signed({ alg => 'RS256', x5c => ['AAAA'] }),
    'expired'                   => token(exp => time - 90),
    'without an end'            => token(exp => undef),
    'an end that is text'       => token(exp => 'tomorrow'),
    'nbf in the future'         => token(nbf => time + 300),
    'another issuer'            => token(iss => 'gitlab'),
    'no issuer'                 => token(iss => undef),
    'another audience'          => token(aud => 'container_registry2'),
    'other audiences'           => token(aud => ['a', 'b']),
    'no audience'               => token(aud => undef),
    'crit'                      => signed({ %good, crit => ['exp'] }),
    'b64'                       => signed({ %good, b64 => JSON::PP::false }),
    'one dot more'              => "$whole.",
    'a dot before'              => ".$whole",
    'five parts'                => "$h.$h.$p.$s.$s",
    'twice'                     => "$whole.$whole",
    'two tokens'                => "$whole $whole",
    'padding'                   => "$whole=",
    'a subject of control characters' => token(sub => "a\x01b"),
    'a payload that is no JSON' => sign_token({ %good }, 'junk', $rsa),
    'a payload of depth'        => sign_token({ %good }, '[' x 4000, $rsa),
    'a payload that is a list'  => sign_token({ %good }, '[]', $rsa),
    'nothing'                   => '',
    'a blank'                   => ' ',
    'dots'                      => '...',
    'a signature of 6 KiB'      => "$h.$p." . 'A' x 6000,
);

for my $title (sort keys %hostile) {
    for my $path ("/v2/a/b/blobs/$digest", '/v2/a/b/tags/list', '/v2/') {
        my $answer = ask('GET', $path, $hostile{$title});
        my $good = $answer->{status} == 401 && ($answer->header(
            'www-authenticate') // '') =~ /^Bearer .*error="invalid_token"/;
        $good ||= $answer->{status} == 401 && $title =~ /^(nothing|a blank)$/;
        ok($good, "$title: " . ($path =~ s/sha256.*/.../r) . ' is 401')
            or diag($answer);
    }
}

for my $size (20_000, 1024 * 1024) {
    $a = eval { ask('GET', '/v2/', "$h.$p." . 'A' x $size) };
    ok(!$a || $a->{status} =~ /^(?:400|414|431)$/,
        "one of $size bytes is a header that nginx refuses") or diag($a);
}


# ---- good, and for something else

for my $case (
    ['a',     'a token for a/b is not one for a'],
    ['a/b/c', 'nor for what is below it'],
    ['a/bc',  'nor for what begins with it'],
)
{
    my $answer = ask('GET', "/v2/$case->[0]/blobs/$digest", token());
    error_is($answer, 401, 'UNAUTHORIZED', $case->[1]);
    like($answer->header('www-authenticate'), qr/error="insufficient_scope"/,
        "$case->[1]: says which is missing");
}

my $pull = $issuer->token(access => [entry('a/b', 'pull')]);
error_is(ask('POST', '/v2/a/b/blobs/uploads/', $pull), 401, 'UNAUTHORIZED',
    'who may pull may not push');
error_is(ask('DELETE', "/v2/a/b/blobs/$digest", $pull), 401, 'UNAUTHORIZED',
    'nor delete');

for my $name ('a/*', '*', 'a/**', '', 'A/B', '/a/b', 'a/b/', '../a/b') {
    error_is(ask('GET', "/v2/a/b/blobs/$digest",
        $issuer->token(access => [entry($name, '*')])), 401, 'UNAUTHORIZED',
        "access for \"$name\" is no pattern");
}

error_is(ask('GET', '/v2/_catalog', token()), 401, 'UNAUTHORIZED',
    'a repository\'s token does not list them all');
is(ask('GET', '/v2/_catalog', $issuer->token(access => [{ type => 'registry',
    name => 'catalog', actions => ['*'] }]))->{status}, 200,
    'one for the catalog does');


# ---- GitLab's own probes

my $empty = $issuer->token(sub => undef);
is(ask('GET', '/v2/', $empty)->{status}, 200,
    'a token that carries nothing comes in');
$a = ask('OPTIONS', '/v2/name/manifests/tag', $empty);
is($a->{status}, 200, 'and asks what can be done');
like($a->header('allow'), qr/DELETE/, 'delete, too');
is(ask('GET', '/gitlab/v1/', $empty)->{status}, 404,
    'GitLab\'s own API is not there');


# ---- protected tags

my $manifest = '{"schemaVersion":2,"mediaType":'
    . '"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":'
    . '"application/vnd.oci.empty.v1+json","size":' . length($blob)
    . ",\"digest\":\"$digest\"},\"layers\":[]%s}";

sub put {
    my ($tag, $token, $more) = @_;

    return $r->request('PUT', "/v2/a/b/manifests/$tag",
        body => sprintf($manifest, $more // ''), headers => [
            @{ bearer($token) }, 'Content-Type',
            'application/vnd.oci.image.manifest.v1+json']);
}

my $other_one = ',"annotations":{"a":"b"}';
my $ruled = token(access => [{ %{ entry('a/b', '*') }, meta => {
    project_path => 'a/b', tag_deny_access_patterns => { push => ['^v'],
    delete => ['^v', 'keep'] }, tag_immutable_patterns => ['-final$'] } }]);

is(put($_, token())->{status}, 201, "$_ is pushed")
    for qw(v1 keep-it 1-final dev);
error_is(put('v1', $ruled), 401, 'PROTECTED_TAG', 'v… is protected');
error_is(put('v2', $ruled), 401, 'PROTECTED_TAG', 'before it is there, too');
is(put('dev', $ruled, $other_one)->{status}, 201, 'others are not');
is(put('2-final', $ruled)->{status}, 201, 'an immutable one can be made');
is(put('2-final', $ruled)->{status}, 201, 'and the same pushed again');
error_is(put('2-final', $ruled, $other_one), 401, 'IMMUTABLE_TAG',
    'but not moved');
error_is($r->request('PUT', '/v2/a/b/manifests/'
    . sha256(sprintf $manifest, '') . '?tag=dev2&tag=v9',
    body => sprintf($manifest, ''), headers => [@{ bearer($ruled) },
        'Content-Type', 'application/vnd.oci.image.manifest.v1+json']), 401,
    'PROTECTED_TAG', 'nor by a list of tags');
error_is(ask('DELETE', '/v2/a/b/manifests/v1', $ruled), 401, 'PROTECTED_TAG',
    'v1 is not deleted');
error_is(ask('DELETE', '/v2/a/b/manifests/keep-it', $ruled), 401,
    'PROTECTED_TAG', 'nor what only may not be deleted');
error_is(ask('DELETE', '/v2/a/b/manifests/1-final', $ruled), 401,
    'IMMUTABLE_TAG', 'nor what is immutable');
error_is(ask('DELETE', '/v2/a/b/manifests/' . sha256(sprintf $manifest, ''),
    $ruled), 401, 'PROTECTED_MANIFEST', 'nor any manifest by digest');
is(ask('DELETE', '/v2/a/b/manifests/dev', $ruled)->{status}, 202,
    'what no pattern has is deleted');
is(ask('GET', '/v2/a/b/manifests/v1', $ruled)->{status}, 200,
    'reading is never protected');
error_is(put('dev', token(access => [{ %{ entry('a/b', '*') }, meta => {
    tag_deny_access_patterns => { push => ['('] } } }])), 400,
    'TAG_PROTECTION_PATTERN_INVALID', 'a pattern that makes no sense refuses');
error_is(put('dev', token(access => [{ %{ entry('a/b', '*') }, meta => {
    tag_deny_access_patterns => { push => ['x' x 101] } } }])), 400,
    'TAG_PROTECTION_PATTERN_INVALID', 'so does one that is too long');
error_is(put('dev', token(access => [{ %{ entry('a/b', '*') }, meta => {
    tag_deny_access_patterns => { push => [('x') x 6] } } }])), 400,
    'TAG_PATTERN_COUNT_LIMIT_EXCEEDED', 'so do too many');
is(put('dev', token(access => [{ %{ entry('a/b', '*') }, meta => {
    tag_deny_access_patterns => { push => [], delete => [] } } }]))->{status},
    201, 'an administrator has empty lists');


# ---- a key that is gone

my $last = token();
is(ask('GET', "/v2/a/b/blobs/$digest", $last)->{status}, 200,
    'a token that everybody remembers');
write_file($issuer->cert, read_file("$dir/other.crt"));
ok(wait_until(20, sub { ask('GET', '/v2/a/b/tags/list', $last)->{status}
    == 401 }), 'the worker forgets it with its key');
($status, $out) = $r->run($ENV{REGISTRY_CTL} // 'build/registryctl', 'auth',
    'flush', '--config', $r->config_file);
is($status, 0, 'registryctl auth flush') or diag($out);
ok(wait_until(20, sub { ask('GET', "/v2/a/b/blobs/$digest", $last)->{status}
    == 401 }), 'and nginx by command');
is(ask('GET', '/v2/', sign_token({ %good, kid => libtrust_id($other) },
    $issuer->claims, $other))->{status}, 200, 'the new key is good at once');

fsck_ok($r, 'the tree is sound');

done_testing;
