#!/bin/sh
# Installs what is missing, by Debian's packages: deps.sh build|package|test …
# Says nothing when everything is there.

set -eu

build="gcc make libssl-dev libhiredis-dev libjansson-dev libyaml-dev
       libjose-dev libcrypt-dev libldap-dev libpcre2-dev nginx"
debian_nginx="nginx-dev zlib1g-dev"
package="dpkg-dev debhelper libcmocka-dev"
test="perl libcmocka-dev docker.io docker-registry skopeo podman buildah
      umoci containerd wrk apache2-utils strace nghttp2-client curl openssl
      python3 binutils procps redis-server redis-sentinel redis-tools slapd
      libcryptx-perl e2fsprogs xfsprogs btrfs-progs man-db chromium systemd"

want=
for set in "$@"; do
    case $set in
        build)         want="$want $build" ;;
        debian-nginx)  want="$want $debian_nginx" ;;
        package)       want="$want $package" ;;
        test)          want="$want $test" ;;
        *)             echo "deps.sh: unknown set '$set'" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query > /dev/null; then
    echo "deps.sh: no Debian here; install what these packages bring:" $want >&2
    exit 0
fi

missing=
for package in $want; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo > /dev/null; then
    sudo=sudo
else
    echo "deps.sh: missing:$missing" >&2
    echo "deps.sh: install them as root, or install sudo" >&2
    exit 1
fi

echo "installing:$missing" >&2

# the list of packages may be old or not there at all
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends $missing > /dev/null 2>&1 && exit 0

$sudo apt-get update -q > /dev/null
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends $missing > /dev/null
