#!/bin/sh
# The rooms of the design: who may include whom, and that each header of src/
# compiles alone.

set -eu

# columns are characters, not bytes, wherever this runs
LC_ALL=C.UTF-8
export LC_ALL

cc=$1
std=$2
bad=0

complain() { echo "lint: $*" >&2; bad=1; }

for header in src/*.h; do
    $cc $std -Isrc -Wall -Wextra -Werror -fsyntax-only -x c "$header" \
        || complain "$header does not compile alone"

    grep -q '^ \* Blocks: ' "$header" \
        || complain "$header does not say whether it blocks"
done

grep -nE '#include .*(ngx_|fcgi)' src/*.[ch] \
    && complain "src/ knows neither nginx nor FastCGI"
grep -nE '#include "ctl' src/*.[ch] fcgi/*.[ch] ngx_module/*.[ch] \
    && complain "only ctl/ includes ctl/"

grep -nE '#include .*(ngx_)' fcgi/*.[ch] && complain "fcgi/ includes nginx"
grep -nE '#include .*(ngx_|fcgi)' ctl/*.[ch] \
    && complain "ctl/ includes nothing but src/"
grep -nE '#include .*(fcgi)' ngx_module/*.[ch] \
    && complain "ngx_module/ includes FastCGI"

# the map: what is there stands in it, and nothing else does
for room in src fcgi ngx_module ctl; do
    there=$(ls $room/*.[ch] | sed 's|.*/||; s/\.[ch]$//' | sort -u)
    said=$(awk -v room="### $room/" '/^#/ { on = index($0, room) == 1 }
        on && /^\* `/ { split($0, part, "`"); print part[2] }' docs/design.md)
    odd=$(printf '%s\n' $there $said | sort | uniq -u)
    [ -z "$odd" ] \
        || complain "docs/design.md's map of $room/ and what is there differ:" $odd
done

# third-party types stay inside a .c
grep -nE '#include .*(jansson|yaml|hiredis)' src/*.h fcgi/*.h ctl/*.h \
    && complain "a header exposes a library"

grep -nE '.{81}' src/*.[ch] fcgi/*.[ch] ctl/*.[ch] ngx_module/*.[ch] \
    && complain "a line is longer than 80 columns"

# what is renamed and removed in the tree goes through a store's table, so that
# tests can let it fail; what is taken apart in _tmp/ alone does not
grep -nE '\b(rename|unlink|unlinkat|renameat|rmdir)\(' src/*.c fcgi/*.c \
    ctl/*.c ngx_module/*.c | grep -vE '^(src/reg_removal\.c|fcgi/fcgi_listen\.c|fcgi/main\.c)|sys->' \
    && complain "only reg_removal removes by itself"

exit $bad
