#!/bin/sh
# `make run`: nginx and the worker in the foreground, until SIGINT or SIGTERM.
# Takes LISTEN ROOT RUNDIR CONFIG REDIS OPEN NGINX WORKER MODULE from the
# environment.

set -eu

here=$(cd "$(dirname "$0")" && pwd)

# nginx takes a variable of this name for inherited sockets
nginx_bin=$NGINX
unset NGINX

say() { printf '%s\n' "$*"; }
die() { printf 'run: %s\n' "$*" >&2; exit 1; }

# as it would be typed here: without the way to where we were started
brief() { printf %s "${1#"$PWD"/}"; }

# a path as YAML has it, and as nginx.conf has it, for sed to put there
yaml() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
conf() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g; s/[\\&|]/\\&/g')"; }

absolute() { case $1 in /*) printf %s "$1" ;; *) printf %s "$PWD/$1" ;; esac; }

ROOT=$(absolute "$ROOT")
RUNDIR=$(absolute "$RUNDIR")
socket=$RUNDIR/registry.sock
ctl=${WORKER%/*}/registryctl

[ -x "$nginx_bin" ] || die "no nginx at '$nginx_bin': run 'make deps'"

# a path may be relative to where we were started
case ${REDIS:-} in
    '')   ;;
    */*)  REGISTRY_REDIS_ADDR=$(absolute "$REDIS"); export REGISTRY_REDIS_ADDR ;;
    *)    REGISTRY_REDIS_ADDR=$REDIS; export REGISTRY_REDIS_ADDR ;;
esac

mkdir -p "$ROOT" "$RUNDIR"
[ -w "$RUNDIR" ] || die "$RUNDIR is another user's: give this one places of its own: make run ROOT=… RUNDIR=…"
mkdir -p "$RUNDIR/tmp"

if [ -s "$RUNDIR/nginx.pid" ] && kill -0 "$(cat "$RUNDIR/nginx.pid")" 2> /dev/null; then
    die "another registry runs with RUNDIR=$RUNDIR (nginx pid $(cat "$RUNDIR/nginx.pid")): stop it, or give this one a RUNDIR of its own"
fi

rm -f "$socket" "$RUNDIR/nginx.pid"

if [ -n "${CONFIG:-}" ]; then
    config=$(absolute "$CONFIG")
    [ -r "$config" ] || die "cannot read CONFIG=$config"
else
    config=$RUNDIR/config.yml
    cat > "$config" << END
version: 0.1
log:
  level: ${REGISTRY_LOG_LEVEL:-info}
storage:
  delete:
    enabled: true
nginx_registry:
  state: $(yaml "$RUNDIR/state")
END

    # accounts that `registryctl user add` has put there
    if [ -s "$RUNDIR/users" ]; then
        printf 'auth:\n  htpasswd:\n    path: %s\n' "$(yaml "$RUNDIR/users")" >> "$config"
    fi
fi

access=$("$WORKER" --config "$config" --root "$ROOT" --socket "$socket" --check) ||
    die "nothing was started"
access=$(printf '%s\n' "$access" | sed -n 's/^access: //p')

# who reaches only this machine may be trusted, the rest of the world not
case $access in
    open:*)
        case $LISTEN in
            127.*|'[::1]:'*|localhost:*|unix:*) ;;
            *)
                [ "${OPEN:-}" = yes ] || die "on LISTEN=$LISTEN everybody could pull, push and delete.
  Make an account first:   $(brief "$ctl") user add alice --file $(brief "$RUNDIR")/users
  or say that it is meant: make run LISTEN=$LISTEN OPEN=yes"
                ;;
        esac
        ;;
esac

# conf/nginx.conf with this run's paths, and all of it as whoever started us
user=
[ "$(id -u)" != 0 ] || user='user root;'

temp=
for of in client_body fastcgi proxy uwsgi scgi; do
    temp="$temp\\n    ${of}_temp_path $(conf "$RUNDIR/tmp/${of#client_}");"
done

sed -e "s|^load_module .*|load_module $(conf "$MODULE");|" \
    -e "s|^user .*|$user|" \
    -e "s|^pid .*|pid $(conf "$RUNDIR/nginx.pid");|" \
    -e "s|^error_log .*|error_log $(conf "$RUNDIR/error.log");|" \
    -e "s|^    access_log .*|    access_log $(conf "$RUNDIR/access.log");|" \
    -e "s|^\( *\)server  *unix:.*|\1server $(conf "unix:$socket");|" \
    -e "s|^\( *\)listen .*|\1listen $(conf "$LISTEN");|" \
    -e "s|^\( *\)registry .*|\1registry $(conf "$ROOT");|" \
    -e "s|^\( *\)root .*|\1root $(conf "${here%/*}/ui");|" \
    -e "s|^\( *\)include .*|\1include $(conf "$here/registry_params");|" \
    -e "s|^http {|http {$temp|" \
    "$here/nginx.conf" > "$RUNDIR/nginx.conf"

worker= nginx=

stop() {
    trap - INT TERM EXIT
    [ -z "$nginx" ] || kill -QUIT "$nginx" 2> /dev/null || true
    [ -z "$worker" ] || kill -TERM "$worker" 2> /dev/null || true
    [ -z "$nginx" ] || wait "$nginx" 2> /dev/null || true
    [ -z "$worker" ] || wait "$worker" 2> /dev/null || true
    exit "${1:-0}"
}

trap 'stop 0' INT TERM
trap 'stop 1' EXIT

"$WORKER" --config "$config" --root "$ROOT" --socket "$socket" 2>> "$RUNDIR/worker.log" &
worker=$!

"$nginx_bin" -p "$RUNDIR" -c "$RUNDIR/nginx.conf" -e "$RUNDIR/error.log" -g 'daemon off;' \
    2> "$RUNDIR/nginx.err" &
nginx=$!

# nginx says each attempt to bind, and all of it twice
nginx_stopped() {
    if grep -q 'Address already in use' "$RUNDIR/nginx.err"; then
        die "something listens on $LISTEN already: stop it, or choose another port: make run LISTEN=127.0.0.1:5001"
    fi

    cat "$RUNDIR/nginx.err" >&2

    # nginx's words for a module that another nginx was built with
    if grep -qE 'is not binary compatible|instead of [0-9]+ in' "$RUNDIR/nginx.err"; then
        die "$MODULE was built for another nginx than $nginx_bin: make clean, and make run with NGINX_SRC= of that one's sources"
    fi

    die "nginx stopped: see $RUNDIR/error.log"
}

# what a client on this host calls it
case $LISTEN in
    *[!0-9]*) host=$LISTEN ;;
    *)        host=127.0.0.1:$LISTEN ;;
esac
case $host in
    0.0.0.0:*|'*:'*|'[::]:'*) host=127.0.0.1:${LISTEN##*:} ;;
esac

# nginx writes its pid when it listens
tries=0
until [ -S "$socket" ] && [ -s "$RUNDIR/nginx.pid" ]; do
    kill -0 "$worker" 2> /dev/null || { tail -3 "$RUNDIR/worker.log" >&2; die "the worker stopped: see $RUNDIR/worker.log"; }
    kill -0 "$nginx" 2> /dev/null || nginx_stopped
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || die "not ready after 20 s: see $RUNDIR"
    sleep 0.1
done

say "ready: http://$host/v2/"
say
say "  page     http://$host/"
say "  images   $ROOT"
say "  logs     $RUNDIR/error.log, access.log, worker.log"
say "  access   $access"
say
say "Try it:"
say
case $access in
    open:*) ;;
    *) say "  docker login $host" ;;
esac
say "  docker pull alpine"
say "  docker tag alpine $host/hello"
say "  docker push $host/hello"
say "  docker pull $host/hello"
say
case $access in
    open:*)
        [ -n "${CONFIG:-}" ] || {
            say "To ask for a login, stop it, make an account and start again:"
            say
            say "  $(brief "$ctl") user add alice --file $(brief "$RUNDIR")/users"
            say
        }
        ;;
esac
say "Stop with Ctrl-C."

# until one of the two ends by itself
while kill -0 "$worker" 2> /dev/null && kill -0 "$nginx" 2> /dev/null; do
    sleep 1 &
    wait $! 2> /dev/null || true
done

die "the worker or nginx stopped: see $RUNDIR/worker.log and $RUNDIR/error.log"
