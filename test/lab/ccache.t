#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/ccache knows each file that an object is made of.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT
cd "$tmp"
export CCACHE_DIR=$tmp/cache
unset CCACHE_DISABLE

if ! command -v ccache >/dev/null; then
	skip "objects from a cache" "no ccache"
	plan
	exit
fi

# compile SOURCE: leaves what is in its data in $data, as hexadecimal digits
compile() {
	"$TOP/lab/ccache" gcc -O2 -Wp,-MMD,"$1.d" -c -o "$1.o" "$1"
	objcopy -O binary -j .data "$1.o" data
	data=$(od -An -v -tx1 data | tr -d ' \n')
}

# counted WHAT: how often that was so, by the cache's own count
counted() { ccache --print-stats | awk -v what="$1" '$1 == what { print $2 }'; }

cat >header.h <<'END'
#define VALUE 1
END
cat >plain.c <<'END'
#include "header.h"
char value = VALUE;
END
compile plain.c
is "an object is compiled" "$data" 01
compile plain.c
is "and comes from the cache the next time" "$data $(counted direct_cache_hit)" "01 1"
is "the preprocessor is not asked" "$(counted preprocessed_cache_miss)" 0
echo '#define VALUE 2' >header.h
compile plain.c
is "a header that has changed is seen" "$data" 02

printf '\t.data\n\t.incbin "payload"\n' >piggy.S
cat >configs.c <<'END'
asm("	.data\n	.incbin \"payload\"\n");
END
for source in piggy.S configs.c; do
	printf aa >payload
	compile $source
	is "$source has what its .incbin takes in" "$data" 6161
	printf bb >payload
	compile $source
	is "and has it when that has changed, but not its size" "$data" 6262
done

status=0
"$TOP/lab/ccache" gcc -c -o none.o none.c 2>"$tmp/says" || status=$?
is "a source that is not there fails" "$status" 1
like "with what the compiler says of it" "$(cat "$tmp/says")" 'none.c: No such file'
plan
