#!/bin/sh
# The manual pages, from what the programs say of themselves:
#
#     man.sh WORKER CTL DIR        writes registry-fcgi.8, registryctl.1 and
#                                  config.yml.5 into DIR

set -eu

worker=$1 ctl=$2 dir=$3

# nothing of it is a command of troff's; a line that says nothing is a gap
text() { sed -e 's/\\/\\e/g; s/-/\\-/g' -e "s/^[.']/\\\\\\&&/" -e 's/^$/.PP/'; }
verbatim() { printf '.EX\n'; text | sed 's/^\.PP$//'; printf '.EE\n'; }

# NAME SECTION SENTENCE
head() {
    printf '.TH %s %s "" "nginx\\-registry %s" "nginx\\-registry"\n' \
        "$(printf %s "$1" | tr a-z A-Z | text)" "$2" "$version"
    printf '.SH NAME\n'
    printf '%s \\- %s\n' "$1" "$3" | sed 's/y-f/y\\-f/; s/x-r/x\\-r/'
}

# FILE and SECTION, by twos
see() {
    printf '.SH SEE ALSO\n'
    printf '%s (%s)\n' "$@" | text | sed -e 's/^/.BR /' -e '$!s/$/ ,/'
}

version=$("$worker" --version | cut -d' ' -f2)

mkdir -p "$dir"

{
    head registry-fcgi 8 "the FastCGI worker of nginx-registry"
    printf '.SH DESCRIPTION\n'
    "$worker" --help | verbatim
    see config.yml 5 registryctl 1 nginx 8
} > "$dir/registry-fcgi.8"

{
    head registryctl 1 "what an operator does to a registry"
    printf '.SH DESCRIPTION\n'
    "$ctl" --help | verbatim
    printf '.SH COMMANDS\n'
    for command in $("$ctl" --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'); do
        printf '.SS %s\n' "$(printf %s "$command" | text)"
        "$ctl" "$command" --help | verbatim
    done
    see config.yml 5 registry-fcgi 8
} > "$dir/registryctl.1"

# a line for the key, one for its meaning, one for its values; a gap comes before
# a heading
{
    head config.yml 5 "the configuration of nginx-registry"
    cat << 'END'
.SH DESCRIPTION
The worker reads YAML in the schema of CNCF Distribution; keys of its own stand
under
.BR nginx_registry .
Each key can be set by a variable of the environment as well:
REGISTRY_STORAGE_DELETE_ENABLED stands for storage.delete.enabled.
.SH KEYS
END
    "$worker" --help-config | text | awk '
        /^\.PP$/  { print ".SS"; getline; print; next }
        /^    /   { if (n++) print ".br"; sub(/^ */, ""); print; next }
                  { n = 0; print ".TP\n.B " $0 }'
    see registry-fcgi 8 registryctl 1
} > "$dir/config.yml.5"
