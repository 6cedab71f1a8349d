#!/bin/sh
# Installs the official conformance suite of the distribution specification and
# prints the path of the program.  Where that cannot be, says why and fails.
#
# CONFORMANCE_DIR  where it is kept from run to run

set -eu

module=github.com/opencontainers/distribution-spec/conformance
version=v0.0.0-20260831232431-97274622c111

dir=${CONFORMANCE_DIR:-build/conformance}/$version

if [ -x "$dir/conformance" ]; then
    printf '%s\n' "$dir/conformance"
    exit 0
fi

if ! command -v go > /dev/null; then
    echo "conformance: the official suite is not here, and no Go to build it:" \
         "install Go (and let it reach a module proxy)" >&2
    exit 1
fi

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# outside of any module
if ! (cd / && GOBIN=$dir GOFLAGS= timeout 300 go install "$module@$version") \
    > "$dir/install.log" 2>&1
then
    tail -3 "$dir/install.log" >&2
    echo "conformance: go install $module@$version failed" >&2
    exit 1
fi

printf '%s\n' "$dir/conformance"
