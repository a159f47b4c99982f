#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/logcheck sees each kind of report, and nothing else.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

log() {
	printf '[    0.000000] Linux version 7.3.4\r\n%s\r\n[   12.5] end\r\n' "$1" >"$tmp/log"
	"$TOP/lab/logcheck" "$tmp/log"
}

while IFS= read -r line; do
	not_ok "seen: ${line#*] }" log "$line"
done <<'END'
[    2.104522] WARNING: CPU: 1 PID: 60 at mm/filemap.c:850 filemap_add_folio+0x1a/0x90
[    2.104522] WARNING: mm/filemap.c:850 at filemap_add_folio+0x1a/0x90, CPU#1: insmod/60
[    2.561361] Oops: invalid opcode: 0000 [#1] SMP NOPTI
[    1.822922] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    1.822922] BUG: unable to handle page fault for address: ffff888001234000
[    1.822922] kernel BUG at mm/page_alloc.c:1000!
[    3.027894] Kernel panic - not syncing: Attempted to kill init!
[    9.000001] BUG: KASAN: use-after-free in filemap_remove_folio+0x10/0x20
[    9.000001] BUG: sleeping function called from invalid context at mm/x.c:1
[    9.000001] BUG: scheduling while atomic: sh/12/0x00000002
[    9.000001] BUG: Bad page state in process sh  pfn:01234
[    9.000001] BUG: Bad rss-counter state mm:(____ptrval____) type:MM_ANONPAGES val:1
[    9.000001] WARNING: possible circular locking dependency detected
[    9.000001] WARNING: suspicious RCU usage
[    9.000001] WARNING: inconsistent lock state
[   90.000001] INFO: task insmod:61 blocked for more than 60 seconds.
[   90.000001] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[   90.000001] rcu: INFO: rcu_preempt self-detected stall on CPU
[   90.000001] rcu: rcu_preempt kthread starved for 5250 jiffies! g1
[   90.000001] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [insmod:60]
[   90.000001][  T123] list_add corruption. prev->next should be next
[   90.000001] refcount_t: underflow; use-after-free.
[   90.000001] pagealloc: memory corruption
[   90.000001] pagealloc: single bit error
[   90.000001] Uhhuh. NMI received for unknown reason 00 on CPU 1.
[   90.000001] NMI: IOCK error (debug interrupt?) for reason 71 on CPU 1.
[   90.000001] UBSAN: array-index-out-of-bounds in mm/x.c:1:2
output without a newline[   90.000001] WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2
END

while IFS= read -r line; do
	ok "let pass: $line" log "$line"
done <<'END'
WARNING: a test prints this
  | BUG: and this
[    0.000000] rcu: 	RCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).
[    0.354017] x86/fpu: Enabled xstate features 0x21f, context size is 2696 bytes
[    1.354017] Kernel panic - not syncing: sysrq triggered crash
[    1.354017] Memory failure: 0x1234: recovery action for dirty page: Recovered
END

printf '%s\r\n' '[    1.000000] BUG: x' 'a test says' '[    1.000001] Call Trace:' \
	'[    1.000002]  f+0x1/0x2' '[    1.000003] end' >"$tmp/trace"
is "the first line of a report alone" "$("$TOP/lab/logcheck" "$tmp/trace")" '[    1.000000] BUG: x'
is "or with lines of the kernel after it" "$("$TOP/lab/logcheck" "$tmp/trace" 2)" \
	$'[    1.000000] BUG: x\n[    1.000001] Call Trace:\n[    1.000002]  f+0x1/0x2'

: >"$tmp/empty"
not_ok "an empty log is no clean log" "$TOP/lab/logcheck" "$tmp/empty"
not_ok "a missing log is no clean log" "$TOP/lab/logcheck" "$tmp/nothere"
like "the first report is printed" \
	"$(log $'[    2.1] x\r\n[    2.104522] WARNING: first\r\n[    2.104523] BUG: second' || :)" \
	'^\[    2.104522\] WARNING: first$'
