# The official suite of the distribution specification: 1.1, its development
# version, and that with sparse manifests; over kept-alive connections, with a
# new connection for each request (so that every process of ours is asked, and
# must see at once what another one deleted), and over TLS and HTTP/2; the
# development version also with a login, by Basic and by tokens of our own.

use Test::Registry;

use File::Temp ();

chomp(my $suite = qx(sh t/conformance.sh 2>&1) // '');

if ($? != 0) {
    diag("the official suite did not run: $suite\n"
        . 't/protocol/*.t test the same list');
    plan(skip_all => 'the official suite cannot be installed here');
}

# passed, failed, errors, skipped, and those that the version itself disables
my %full_marks = (
    '1.1'        => [860, 0, 0, 0, 2],
    'dev'        => [986, 0, 0, 0, 0],
    'dev sparse' => [1032, 0, 0, 0, 0],
);

my %way = (
    'kept alive'     => {},
    'new connection' => { server => 'keepalive_timeout 0;' },
    'TLS, HTTP/2'    => { tls => 1 },
    'Basic'          => { login => 'false', only => 'dev' },
    'tokens'         => { login => 'true', only => 'dev' },
);

my $accounts = File::Temp->newdir;
accounts("$accounts/users", suite => 'pass:word');


# The configuration of a registry that wants a login; the value says whether
# that is by tokens.

sub login {
    my ($tokens) = @_;

    return '' if !defined $tokens;
    return <<"YAML";
  state: $accounts/state
  tokens:
    enabled: $tokens
auth:
  htpasswd:
    path: $accounts/users
YAML
}


# (status, { line of the summary => number }, what it printed)

sub run_suite {
    my ($r, $version, $options) = @_;

    my $tls = $options->{tls};
    my %env = (
        OCI_REGISTRY    => '127.0.0.1:' . $r->port($tls ? 'tls' : 'plain'),
        OCI_TLS         => $tls ? 'enabled' : 'disabled',
        $tls ? (SSL_CERT_FILE => $r->dir . '/cert.pem') : (),
        OCI_VERSION     => ($version =~ /^(\S+)/)[0],
        OCI_RESULTS_DIR => $r->dir . '/results',
        OCI_REPO1       => 'conformance/one',
        OCI_REPO2       => 'conformance/two',
        $version =~ /sparse/ ? (OCI_DATA_SPARSE => 'true') : (),
        $options->{login}
            ? (OCI_USERNAME => 'suite', OCI_PASSWORD => 'pass:word') : (),
    );
    # no configuration of somebody else's, in variables or in a file here
    my @clean = map { ('-u', $_) } grep { /^OCI_/ } keys %ENV;
    open(my $pipe, '-|', 'env', '-C', $r->dir, @clean,
        map({ "$_=$env{$_}" } sort keys %env), 'timeout', 600, $suite)
        or die "env: $!\n";
    local $/;
    my $out = <$pipe>;
    close $pipe;
    my $status = $?;
    my %sum = $out =~ /^\s*(\w+)\.{4,}:\s+(\d+)\s*$/mg;

    return ($status, \%sum, $out);
}


# Protocol, connection and nginx process of each request of the suite.

sub requests {
    my ($r) = @_;

    return grep { ($_->[3] // '') =~ /^Go/ } map { [split / /] }
        split /\n/, $r->tree->content($r->dir . '/requests.log') // '';
}

sub distinct { my %seen = map { $_ => 1 } @_; return scalar keys %seen }

for my $version (sort keys %full_marks) {
    for my $how (sort keys %way) {
        my $options = $way{$how};
        next if $version ne ($options->{only} // $version);
        my $r = Test::Registry->new(
            workers => 2,
            worker  => { processes => 2 },
            config  => login($options->{login}),
            http    => 'log_format suite'
                . ' "$server_protocol $connection $pid $http_user_agent";',
            tls     => $options->{tls},
            server  => 'access_log requests.log suite; keepalive_requests'
                . ' 100000; ' . ($options->{server} // ''),
            env     => $version =~ /sparse/
                ? { REGISTRY_VALIDATION_DISABLED => 'true' } : {},
        );

        my ($status, $sum, $out) = run_suite($r, $version, $options);
        my @counts = map { $sum->{$_} // -1 }
            qw(Pass FAIL Error Skip Disabled);
        my $title = "$version, $how";

        note(sprintf '%-27s passed %d, failed %d, errors %d, skipped %d,'
            . ' disabled %d', "$title:", @counts);
        is($status, 0, "$title: the suite ends well")
            or diag(substr $out, -3000);
        is_deeply(\@counts, $full_marks{$version}, "$title: full marks")
            or diag(join "\n", grep { /FAIL|Error|Skip/ } split /\n/, $out);

        $r->stop_nginx;                 # the log is whole then
        my @requests = requests($r);
        my $connections = distinct(map { $_->[1] } @requests);

        cmp_ok(scalar @requests, '>', 1000, "$title: its requests");
        if ($how eq 'new connection') {
            is($connections, @requests, "$title: a connection for each");
            is(distinct(map { $_->[2] } @requests), 2,
                "$title: both processes of nginx were asked");
        } else {
            cmp_ok($connections, '<', 10, "$title: few connections");
        }
        is(scalar(grep { $_->[0] eq 'HTTP/2.0' } @requests),
            scalar @requests, "$title: all of them HTTP/2")
            if $options->{tls};
        fsck_ok($r, "$title: the tree is sound",
            sparse => $version =~ /sparse/ ? 1 : 0);
    }
}

done_testing;
