#!/bin/bash
# SPDX-License-Identifier: MIT
# The offmap command: what it refuses, its exit codes, what it starts.  A
# double of KVM is preloaded, so that any machine will do; sh is the VMM.
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
unset MAKEFLAGS MAKELEVEL LD_PRELOAD
VMM=$TOP/vmm
O=$WORK/o

fake() { LD_PRELOAD=$O/lib/libfake_kvm.so "$O/bin/offmap" "$@"; }

# gives STATUS TEXT command...: both have to fit
gives() {
	local wanted=$1 text=$2 out status=0
	shift 2
	out=$("$@" 2>&1) || status=$?
	echo "$out"
	[ "$wanted" = '*' ] || [ "$status" = "$wanted" ] || { echo "exit status $status, wanted $wanted"; return 1; }
	grep -qe "$text" <<<"$out" || { echo "lacks: $text"; return 1; }
}
json() { perl -MJSON::PP -e 'local $/; my $j = decode_json(<STDIN>); print eval $ARGV[0]' "$1"; }

# replay FUZZER: its corpus; after an abort, its last words
replay() {
	"$O/san/replay_$1" "$VMM/test/corpus/fuzz_$1" 2>"$WORK/replay" || tail -n 20 "$WORK/replay"
}

# The names of values that "offmap stat" prints as JSON, or to Prometheus, as in the man
# page: without the unit.
printed_values() {
	json 'join "\n", grep { !/^(vms|vms_error|error|pid|name|directory)$/ } map { keys %$_ } $j, @{$j->{vms}}' \
		<"$WORK/json"
	echo
	sed -nE 's/^# TYPE offmap_(vm_)?(\w+) \w+$/\2/p' "$WORK/metrics"
}
without_unit() { sed -E 's/_(bytes|total)$//' | sort -u; }
# Those that start a paragraph in the list of the man page.
explained_values() {
	sed '1,/^The values, by their names/d; /^\.SS/,$d' "$VMM/man/offmap.1" |
		sed -nE '/^\.TP/{n; s/^\.I[A-Z]* //; s/vms ", by VM: " //; s/[", ]+/\n/g; p}' | sort -u
}
# The names of all members of a JSON document, however deep.
json_members() {
	json 'my %n; my $f; $f = sub { my $v = shift; if (ref $v eq "HASH") { $n{$_}++, $f->($v->{$_}) for keys %$v }
		elsif (ref $v eq "ARRAY") { $f->($_) for @$v } }; $f->($j); join "\n", sort keys %n'
}
# Those that the code of a command prints.
code_members() { grep -oE 'json_[a-z]+\(&?json, "[a-z_]+"' "$VMM/cli/$1.c" | cut -d'"' -f2 | LC_ALL=C sort -u; }
# described_members COMMAND: those that the man page describes, and error, which all have
described_members() {
	{
		echo error
		sed -n '/^\.SH OUTPUT/,/^\.SH EXIT/p' "$VMM/man/offmap.1" | sed -n "/^\.SS offmap $1\$/,/^\.S[SH] /p" |
			sed -nE 's/^\.IR? ([a-z_]+)( .*)?$/\1/p'
	} | LC_ALL=C sort -u
}
completed() {
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _offmap; echo "${COMPREPLY[*]}"' \
		"$VMM/completion/offmap.bash" offmap "$@"
}

ok "it builds without a warning" make -s -C "$VMM" O="$O" all "$O/lib/libfake_kvm.so"

if make -s -C "$VMM" O="$O" "$O/san/text_test" "$O/san/files_test" "$O/san/stat_test" \
	"$O/san/audit_test" "$O/san/advice_test" "$O/san/replay_text" "$O/san/replay_files" \
	>"$WORK/log" 2>&1; then
	tap_guest "$("$O/san/text_test")"
	tap_guest "$("$O/san/files_test")"
	tap_guest "$(PROMETHEUS_OUT=$WORK/metrics JSON_OUT=$WORK/json "$O/san/stat_test")"
	is "stat: the man page explains all values that it prints, and no others" \
		"$(explained_values)" "$(printed_values | without_unit)"
	tap_guest "$(JSON_OUT=$WORK/audit JSON_ENDED_OUT=$WORK/ended "$O/san/audit_test")"
	is "audit --json: the man page describes all members, and no others" \
		"$(json_members <"$WORK/audit")" "$(described_members audit)"
	is "audit --json: a document of success" \
		"$(json '"$j->{vms}[0]{verdict} $j->{vms}[0]{areas}[0]{kind} " . ($j->{error} // "none")' <"$WORK/audit")" \
		"absent protected none"
	is "audit --json: all VMs have ended" "$(json '"$j->{error}: $j->{status}"' <"$WORK/ended")" \
		"all VMs have ended meanwhile: 4"
	tap_guest "$("$O/san/advice_test")"
	tap_guest "$(replay text)"
	tap_guest "$(replay files)"
	if unpacked promtool "stat --prometheus: promtool has nothing to say" "this is not Debian" \
		"promtool can be unpacked"; then
		is "stat --prometheus: promtool has nothing to say" \
			"$("$unpacked" check metrics <"$WORK/metrics" 2>&1; echo $?)" 0
	fi
	if ! type -P promtool >/dev/null; then
		ok "where there is no Debian there is no promtool, and it is said" gives 4 'this is not Debian$' \
			env OUT="$WORK/out" OS_RELEASE=/dev/null "$TOP/lab/promtool"
		ok "a mirror that cannot be asked is an error" gives 2 'mirror.invalid/debian' \
			env OUT="$WORK/out" MIRROR=http://mirror.invalid/debian "$TOP/lab/promtool"
	fi
else
	tap_fail "unit tests build" "$(cat "$WORK/log")"
fi

mkdir "$WORK/double"
printf '#!/bin/sh\n[ "$*" != "audit --list" ] || printf "47\\n48\\n5\\n"\n' >"$WORK/double/offmap"
chmod +x "$WORK/double/offmap"

ok "no command: usage, 2" gives 2 'usage: offmap' fake
ok "an unknown command: 2" gives 2 "no command 'fly'" fake fly
ok "--version" gives 0 '^offmap 0.1$' fake --version
ok "--help names the commands" gives 0 '^  audit' fake --help
for command in probe run audit stat demo; do
	ok "$command --help" gives 0 'exit status' fake "$command" --help
	ok "help $command" gives 0 'exit status' fake help "$command"
	[ "$command" = run ] || ok "$command --bad: 2" gives 2 'usage' fake "$command" --bad
	ok "$command --bad: by its whole name" gives '*' "offmap $command: unrecognized" fake "$command" --bad
	for option in $(fake "$command" --help | grep -o -e '--[a-z-]*' | grep -v -e '^--$' | sort -u); do
		ok "$command $option is in the man page" \
			grep -qe "${option//-/\\\\-}" "$VMM/man/offmap.1"
		is "$command $option is completed" "$(completed "$command" "$option")" "$option"
	done
done
for command in probe audit stat demo; do
	ok "$command --help that nobody can read is an error" gives 3 "cannot print" \
		bash -c "$O/bin/offmap $command --help >/dev/full"
	is "$command --json --bad: a document as well" \
		"$(fake "$command" --json --bad 2>/dev/null | json '$j->{error} . $j->{status}')" \
		"the command line is wrong2"
done
ok "run --help that nobody can read is an error" gives 125 "cannot print" \
	bash -c "$O/bin/offmap run --help >/dev/full"
ok "help: an unknown command: 2" gives 2 "no command 'fly'" fake help fly
ok "help alone names the commands" gives 0 '^  stat' fake help
ok "what nobody can read is an error" gives 3 'cannot print' \
	bash -c "LD_PRELOAD=$O/lib/libfake_kvm.so $O/bin/offmap probe >/dev/full"
is "commands are completed" "$(completed pr)" probe
is "after help as well" "$(completed help st)" stat
# a descriptor by the name of a VM is one, to completion
is "--pid: processes that have a VM, and no others" \
	"$(PATH=$WORK/double:$PATH completed audit --pid 4)" "47 48"

ok "probe: yes" gives 0 'protect   yes' fake probe
ok "probe: no, with the reason" \
	env FAKE_KVM_GMEM_FLAGS=3 bash -c "$(declare -f gives fake); O=$O; gives 1 'lacks the series' fake probe"
ok "probe: no /dev/kvm" \
	env FAKE_KVM_OPEN_ERROR=2 bash -c "$(declare -f gives fake); O=$O; gives 1 'there is no /dev/kvm' fake probe"
is "probe --json" "$(fake probe --json sh | json '$j->{protect} && $j->{vmm}{runs} && $j->{kernel}')" "$(uname -r)"
is "probe --json: the man page describes all members, and no others" \
	"$(fake probe --json sh | json_members)" "$(described_members probe)"
is "probe --json: without a VMM it is null" \
	"$(fake probe --json | json 'exists $j->{vmm} && !defined $j->{vmm} ? "null" : "no"')" null
is "demo --json: the man page describes all members, and no others" "$(code_members demo)" "$(described_members demo)"
is "probe --json: huge pages, or none" \
	"$(for flags in 7 23; do FAKE_KVM_GMEM_FLAGS=$flags fake probe --json | json '$j->{huge} ? "yes" : "no"'; done)" noyes
odd=$WORK/$'odd "name\\\x01\xff'
cp "$(command -v env)" "$odd"
is "probe --json of an odd name is JSON" "$(fake probe --json "$odd" | json '$j->{vmm}{runs} ? "yes" : "no"')" yes

: >"$WORK/data"
cp "$(command -v env)" "$WORK/foreign"
printf '\x01' | dd of="$WORK/foreign" bs=1 seek=4 conv=notrunc status=none
ok "run: no VMM given: 125" gives 125 usage fake run
ok "run: not there: 127" gives 127 'is not there' fake run -- nothing-like-it
ok "run: not executable: 126" gives 126 'not an executable' fake run -- "$WORK/data"
ok "run: for another machine: 125" gives 125 'another machine' fake run -- "$WORK/foreign"
ok "run: a kernel without the flag: 125" \
	env FAKE_KVM_GMEM_FLAGS=3 bash -c "$(declare -f gives fake); O=$O; gives 125 'lacks the series' fake run -- sh -c 'echo started'"
ok "run --permissive: goes on, and says so" \
	env FAKE_KVM_GMEM_FLAGS=3 bash -c "$(declare -f gives fake); O=$O; gives 0 'warning: .*lacks the series' fake run --permissive -- sh -c 'echo started'"
ok "run --huge: a kernel without pages of 2 MiB: 125" \
	gives 125 'no GUEST_MEMFD_FLAG_ALLOW_HUGE here' fake run --huge -- sh -c 'echo started'
ok "run --huge --permissive: goes on, and says so" \
	gives 0 'warning: .*no GUEST_MEMFD_FLAG_ALLOW_HUGE here' fake run --huge --permissive -- sh -c 'echo started'
ok "run --huge: a kernel that has them" \
	env FAKE_KVM_GMEM_FLAGS=23 bash -c "$(declare -f gives fake); O=$O; gives 0 '^started$' fake run --huge --permissive -- sh -c 'echo started'"
ok "run: no /dev/kvm: 125" \
	env FAKE_KVM_OPEN_ERROR=2 bash -c "$(declare -f gives fake); O=$O; gives 125 'there is no /dev/kvm' fake run -- sh -c 'echo started'"
ok "run: the VMM's exit status is kept" gives 42 '' fake run -- sh -c 'exit 42'
ok "run: options of the VMM are its own" gives 0 '^--json$' fake run --permissive sh -c 'echo $0' --json

ok "audit: no number: 2" gives 2 'no process id' fake audit --pid x
ok "audit: --all and --pid: 2" gives 2 usage fake audit --all --pid 1
ok "audit: no seconds: 2" gives 2 'no number of seconds' fake audit --timeout 0
is "audit --js, an abbreviation: a document as well" \
	"$(fake audit --js --pid 999999999 2>/dev/null | json '$j->{status}')" 4
is "audit --json: a document when there is no process" \
	"$(fake audit --json --pid 999999999 2>/dev/null | json '$j->{error} . ": " . $j->{status}')" \
	"there is no process 999999999: 4"
ok "stat: no seconds: 2" gives 2 'no number of seconds' fake stat 1x
ok "stat: --prometheus once only: 2" gives 2 usage fake stat --prometheus 5
if grep -q '^nr_nodirmap ' /proc/vmstat; then
	skip "stat: a kernel without the series: 3" "this kernel has it"
else
	ok "stat: a kernel without the series: 3" gives 3 'has no nr_nodirmap' fake stat
	is "stat --json: a document as well" "$(fake stat --json 2>/dev/null | json '$j->{status}')" 3
fi
ok "audit: no such process: 4" gives 4 'there is no process' fake audit --pid 999999999
ok "demo: no such QEMU: 3" gives 3 'is not there' fake demo nothing-like-it
ok "demo: a kernel without the flag: 3" \
	env FAKE_KVM_GMEM_FLAGS=3 bash -c "$(declare -f gives fake); O=$O; gives 3 'lacks the series' fake demo sh"
ok "demo: two VMMs: 2" gives 2 usage fake demo sh sh
ok "demo: a VMM that ends: 3, with its words" gives 3 'the VMM has ended: .*env --help' env LC_ALL=C LD_PRELOAD="$O/lib/libfake_kvm.so" "$O/bin/offmap" demo env
for page in "$VMM"/man/*.1; do
	if command -v groff >/dev/null; then
		is "${page##*/} is clean" "$(groff -man -ww -z "$page" 2>&1)" ''
	fi
done
