#!/bin/bash
# SPDX-License-Identifier: MIT
# test/run and boot_tap call nothing passed that is not.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

# file NAME: a test file with the body from standard input.
file() {
	{
		echo '#!/bin/bash'
		cat
	} >"$tmp/$1"
	chmod +x "$tmp/$1"
}

last_line() { { "$TOP/test/run" "$@" 2>&1 || :; } | tail -n 1; }

file pass.t <<<'echo "ok 1 - a"; echo "ok 2 - b # SKIP no disk"; echo 1..2'
file fail.t <<<'echo "ok 1 - a"; echo "not ok 2 - b"; echo "# because"; echo 1..2'
file empty.t </dev/null
file badplan.t <<<'echo "ok 1 - a"; echo 1..2'
file noplan.t <<<'echo "ok 1 - a"'
file noplan_exit.t <<<'echo "ok 1 - a"; exit 1'
file zero.t <<<'echo 1..0'
file skipall.t <<<'echo "1..0 # SKIP no machine"'
file exit.t <<<'echo "ok 1 - a"; echo 1..1; exit 3'
file killed.t <<<'echo "ok 1 - a"; echo 1..1; kill -9 $$'
file todo.t <<<'echo "not ok 1 - a # TODO one day"; echo 1..1'

ok "a passing file passes" "$TOP/test/run" "$tmp/pass.t"
is "the last line counts" "$(last_line "$tmp/pass.t" "$tmp/fail.t")" \
	"2 passed, 1 failed, 1 skipped"
like "a skipped test shows with its reason" "$("$TOP/test/run" "$tmp/pass.t")" \
	'pass\.t: b: no disk'
like "a failed test shows with its comment" \
	"$("$TOP/test/run" "$tmp/fail.t" || :)" 'not ok 2 - b.*# because'
for name in fail empty badplan noplan noplan_exit zero skipall exit killed todo nothere; do
	not_ok "$name fails alone" "$TOP/test/run" "$tmp/$name.t"
done
for name in fail empty badplan exit nothere; do
	not_ok "$name fails beside a passing file" "$TOP/test/run" "$tmp/pass.t" "$tmp/$name.t"
done

# boots RESULT STATUS: a test file whose boot gives that.
boots() {
	printf '#!/bin/bash\nprintf "%%b" "%s"\nexit %s\n' "$1" "$2" >"$tmp/boot"
	chmod +x "$tmp/boot"
	file boot.t <<-END
		set -euo pipefail
		. "$TOP/test/lib.sh"
		LAB_BOOT=$tmp/boot boot_tap name -- command
		${3:-}
	END
	last_line "$tmp/boot.t"
}

is "a good boot passes" "$(boots 'ok 1 - a\n1..1\n' 0)" "2 passed, 0 failed"
is "a failed test of the guest fails" "$(boots 'not ok 1 - a\n1..1\n' 1)" "1 passed, 1 failed"
is "a failed command fails" "$(boots 'ok 1 - a\n1..1\n' 3)" "2 passed, 1 failed"
is "an unclean kernel log fails" "$(boots 'ok 1 - a\n1..1\n' 126)" "1 passed, 1 failed"
is "a lost VM fails" "$(boots 'ok 1 - a\n1..1\n' 125)" "1 passed, 1 failed"
is "a boot without an end fails" "$(boots 'ok 1 - a\n' 124)" "1 passed, 1 failed"
is "a boot without a plan fails" "$(boots 'ok 1 - a\n' 0)" "2 passed, 1 failed"
is "a boot that says nothing fails" "$(boots '' 0)" "1 passed, 1 failed"
is "a boot with a short plan fails" "$(boots '1..2\nok 1 - a\n' 0)" "2 passed, 1 failed"
is "a lab that is broken fails" "$(boots '' 2)" "0 passed, 1 failed"
# A boot with a report, and 40 lines of the kernel after it.
cat >"$tmp/oops" <<'END'
#!/bin/bash
echo 'ok 1 - a'; echo 1..1
echo 'offmap: warning: name: the kernel log has: BUG: x; log: y' >&2
printf '  [    1.0] line %s\n' {1..40} >&2
exit ${0##*.}
END
for status in 126 125; do
	install -m 755 "$tmp/oops" "$tmp/oops.$status"
	file oops.t <<<". $TOP/test/lib.sh; LAB_BOOT=$tmp/oops.$status boot_tap name -- command"
	like "a report shows with the lines after it, status $status" \
		"$("$TOP/test/run" "$tmp/oops.t" || :)" '# offmap: [^#]*: BUG: x; .*#   \[ [^#]* line 1'$'\n''.* line 40'$'\n'
done
# again NAME SAYS: a boot that was tried once more
again() {
	file "$1" <<<"echo 'offmap: $1: $2 (tried once more); log' >&2; echo 'ok 1 - a'; echo 1..1"
}
again first 'QEMU lost an interrupt'
again second 'QEMU shut a guest inside down'
file once.t <<<". $TOP/test/lib.sh; LAB_BOOT=$tmp/first boot_tap name -- command"
file twice.t <<<". $tmp/once.t; LAB_BOOT=$tmp/second boot_tap name -- command"
like "a boot that was tried again shows" "$("$TOP/test/run" "$tmp/once.t")" \
	'tried again:.*first: QEMU lost .*2 passed, 0 failed'
like "two fail the run" "$("$TOP/test/run" "$tmp/twice.t" || :)" \
	'first: QEMU lost .*second: QEMU shut .*FAILED 2 boots .*4 passed, 1 failed'
not_ok "as its status says" "$TOP/test/run" "$tmp/twice.t"
not_ok "in two files as well" "$TOP/test/run" "$tmp/once.t" "$tmp/twice.t"

# lab/boot.t has tries of its own making, and Bochs has none
is "each file with boots of its own shows them" "$(cd "$TOP/test" &&
	grep -lE '/lab/boot"? -n' -- */*.t | xargs grep -L '^\s*tried_again ' | sort)" \
	$'bochs/lab.t\nlab/boot.t'

file twice_test.t <<<'echo "# run twice: one"; echo "# run twice: two"
	echo "# not run twice, as 2 were: three"; echo "ok 1 - a"; echo 1..1'
like "a test of upstream that was run twice shows, and passes" \
	"$("$TOP/test/run" "$tmp/twice_test.t")" 'run twice:.*one.*two.*not run .*three.*1 passed, 0 failed'

printf '%s\t%s\n' 5 "$tmp/pass.t" 70 "$tmp/todo.t" 30 "$tmp/once.t" >"$tmp/seconds.tsv"
order() { OUT=$tmp/out TEST_JOBS=1 TEST_SECONDS=$tmp/seconds.tsv "$TOP/test/run" "$@" |
	sed -nE 's,^(ok|FAILED) .*/(\w+)\.t .* s  .*,\2,p' | paste -sd' '; }
mkdir "$tmp/out"
is "the longest goes first, and before it what nobody has timed" \
	"$(order "$tmp/pass.t" "$tmp/once.t" "$tmp/zero.t" "$tmp/todo.t")" "zero todo once pass"
is "how long each took is on record" "$(cut -f2 "$tmp/out/logs/seconds.tsv" | sort)" \
	"$(printf '%s\n' "$tmp"/{once,pass,todo,zero}.t)"

file idles.t <<<'sleep 2; echo "ok 1 - a"; echo 1..1'
# shellcheck disable=SC2016
file works.t <<<'i=0; while [ $i -lt 600000 ]; do i=$((i + 1)); done; echo "ok 1 - a"; echo 1..1'
OUT=$tmp/out "$TOP/test/run" "$tmp/idles.t" "$tmp/works.t" >"$tmp/said" || :
like "so is how long all of them took" "$(cat "$tmp/said")" $'\n[1-9][0-9]* s, [1-9][0-9]* s of CPU time\n2 passed'
is "and which had a CPU" \
	"$(awk -F'\t' '$1 > 0 || $3 > 0 { print $2, ($3 > 0) }' "$tmp/out/logs/seconds.tsv" | sort)" \
	"$(printf '%s\n' "$tmp/idles.t 0" "$tmp/works.t 1")"

# marked NAME [COMMENT [UNTIL]]: a file that is there for a moment, or until that is true
marked() {
	file "$1.t" <<-END
		${2:-}
		exec 4>>"$tmp/there"
		echo "+ ${1##*/} \$(nice)" >&4
		sleep 0.5; until ${3:-true}; do sleep 0.1; done
		echo "- ${1##*/}" >&4
		echo "ok 1 - a"; echo 1..1
	END
}
# most KIND: so many files of that kind were there at once
most() { awk -v kind="$1" '$2 ~ kind { now += $1 == "+" ? 1 : -1; if (now > most) most = now }
	END { print most + 0 }' "$tmp/there"; }
# runs FILE...: a run of these alone
runs() {
	rm -f "$tmp/there"
	timeout 60 "$TOP/test/run" "${@/#/$tmp/}"
}

mkdir -p "$tmp/test/host"
for n in 1 2 3; do marked "work$n"; done
ok "three files pass" runs work1.t work2.t work3.t
is "of which two run at a time" "$(most work)" 2
for n in 1 2; do
	marked "stay$n" '' "[ \$(grep -c '^- wait' $tmp/there) = 3 ]"
	marked "wait$n" '# Waits: for the test'
done
marked test/host/wait3
ok "files that wait run besides two others" runs {stay,wait}{1,2}.t test/host/wait3.t
is "one at a time" "$(most .) $(most wait)" "3 1"
is "with a low priority for those of test/host" \
	"$(sed -n 's/^+ \(.*[13]\) /\1 /p' "$tmp/there" | sort)" $'stay1 0\nwait1 0\nwait3 10'
for n in 1 2; do marked "test/host/meet$n" '' "grep -q meet$((3 - n)) $tmp/there"; done
ok "they run together where there is nothing else" runs test/host/meet{1,2}.t
export TEST_JOBS=1
ok "all kinds pass" runs {work,wait}{1,2}.t test/host/wait3.t
is "one at a time if that is asked for" "$(most .)" 1
unset TEST_JOBS

again='ok "the file goes on" true'
is "a file goes on after a boot that failed" \
	"$(boots 'not ok 1 - a\n1..1\n' 1 "$again")" "2 passed, 1 failed"
export STOP_AT_FAILURE=1
is "or ends, if that is asked for" \
	"$(boots 'not ok 1 - a\n1..1\n' 1 "$again")" "1 passed, 1 failed"
is "not if all went well" "$(boots 'ok 1 - a\n1..1\n' 0 "$again")" "3 passed, 0 failed"
