# Accounts that OpenLDAP's slapd has, beside those of a file.

use Test::Registry;

use File::Temp ();

my $dir = File::Temp->newdir;
my $url = 'ldapi://' . "$dir/ldapi" =~ s{/}{%2f}gr;

mkdir "$dir/db";
write_file("$dir/secret", "admin\n");
write_file("$dir/slapd.conf", <<"CONF");
include     /etc/ldap/schema/core.schema
include     /etc/ldap/schema/cosine.schema
include     /etc/ldap/schema/inetorgperson.schema
modulepath  /usr/lib/ldap
moduleload  back_mdb
database    mdb
suffix      dc=example,dc=org
rootdn      cn=admin,dc=example,dc=org
rootpw      admin
directory   $dir/db
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
CONF
write_file("$dir/all.ldif", <<'LDIF');
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: uid=alice,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: directory

dn: uid=dora,dc=example,dc=org
objectClass: inetOrgPerson
uid: dora
cn: Dora
sn: D
userPassword: explorer
LDIF
system('/usr/sbin/slapadd', '-q', '-f', "$dir/slapd.conf", '-l',
    "$dir/all.ldif") == 0 or die "slapadd failed\n";
accounts("$dir/users", alice => 'file');

my $slapd;

sub start_slapd {
    $slapd = fork // die "fork: $!\n";
    return if $slapd;
    exec '/usr/sbin/slapd', '-d', '0', '-h', $url, '-f', "$dir/slapd.conf";
}

sub stop_slapd {
    return unless $slapd;
    kill TERM => $slapd;
    waitpid $slapd, 0;
    $slapd = 0;
}

END { my $status = $?; stop_slapd(); $? = $status }
start_slapd();

my $r = Test::Registry->new(
    worker => { state => "$dir/state" },
    config => <<"YAML");
  ldap:
    url: "$url"
    base: dc=example,dc=org
    filter: (uid=%s)
    bind_dn: cn=admin,dc=example,dc=org
    bind_password_file: $dir/secret
  access:
    rules:
      - { who: dora, repositories: "team/**", actions: "*" }
auth:
  htpasswd:
    realm: here
    path: $dir/users
YAML

sub ask {
    my ($user, $password, $method, $path) = @_;

    # a directory that is too slow is asked again, one that is not there is not
    my $status;
    wait_until(20, sub {
        $status = $r->request($method // 'GET', $path // '/v2/',
            headers => [basic($user, $password)])->{status};
        return $status != 503 || !$slapd;
    });
    return $status;
}

is(ask('dora', 'explorer'), 200, 'an account of the directory');
is(ask('dora', 'explorer', 'POST', '/v2/team/app/blobs/uploads/'), 202,
    'may what the rules give it');
is(ask('dora', 'explorer', 'POST', '/v2/other/app/blobs/uploads/'), 403,
    'and no more');
is(ask('dora', 'wrong'), 401, 'a wrong password');
is(ask('dora', ''), 401, 'an empty password, with which a bind succeeds');
is(ask('*', 'explorer'), 401, 'a name is no filter');
is(ask('alice', 'file'), 200, 'an account of the file');
is(ask('alice', 'directory'), 401, 'is not asked of the directory');

stop_slapd();
is(ask('dora', 'explorer'), 200, 'who has just logged in is remembered');
is(ask('dora', 'another'), 503, 'others must wait for the directory');
is(ask('alice', 'file'), 200, 'the file needs none');
unlike($r->log_of_worker, qr/explorer|another|admin\n/, 'no secret is logged');

start_slapd();
is(ask('dora', 'another'), 401, 'it is back, and so are answers');

done_testing;
