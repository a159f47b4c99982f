#!/bin/sh
# SPDX-License-Identifier: MIT
# arm64: KVM maintains caches of guest memory through the direct map, and those
# of memory that this lacks through the mermap.  An emulator does not fault where
# hardware does, so the addresses are recorded.
#
# Arguments: "coherent" where neither cache needs maintenance: S2FWB and DIC.
# Selftests: kvm
# shellcheck source=/dev/null
. /tap.sh

TRACING=/sys/kernel/tracing
PLAIN=guest_memfd
PROTECTED=guest_memfd_no_direct_map
# The direct map begins at one of these, by size of the address space, and the
# fixmap, where the mermap is, ends where addresses do.
DIRECT_MAP='at=0xfff\(00\|f00\)'
MERMAP='at=0xffffffff'

record() {
	echo "p:icache icache_inval_pou at=%x0" >$TRACING/kprobe_events &&
		echo "p:dcache dcache_clean_inval_poc at=%x0" >>$TRACING/kprobe_events &&
		echo 1 >$TRACING/events/kprobes/enable
}

# A guest all of whose memory, the code too, is of that type.
run() {
	cd /kvm && echo >$TRACING/trace &&
		KVM_TEST_BACKING_SRC=$1 ./guest_print_test >/dev/null &&
		cat $TRACING/trace >"/tmp/$1"
}

# count TYPE CACHE WHERE
count() { grep " guest_print_tes.* $2: " "/tmp/$1" | grep -c "$3"; }

# only TYPE CACHE WHERE ELSEWHERE
only() {
	here=$(count "$1" "$2" "$3") there=$(count "$1" "$2" "$4")
	echo "$1: $2 was maintained $here times where it should, $there times elsewhere"
	[ "$here" -gt 0 ] && [ "$there" = 0 ]
}

never() { [ "$(count "$1" "$2" at=)" = 0 ]; }

t "cache maintenance is recorded" record
t "a guest runs in plain guest_memfd" run $PLAIN
t "a guest runs in memory out of the direct map" run $PROTECTED
if [ "${1:-}" = coherent ]; then
	for cache in dcache icache; do
		t "$cache: nothing to do for plain guest_memfd" never $PLAIN $cache
		t "$cache: nor for memory out of the direct map" never $PROTECTED $cache
	done
else
	for cache in dcache icache; do
		t "$cache: plain guest_memfd through the direct map" \
			only $PLAIN $cache "$DIRECT_MAP" "$MERMAP"
		t "$cache: memory out of the direct map through the mermap" \
			only $PROTECTED $cache "$MERMAP" "$DIRECT_MAP"
	done
fi
plan
