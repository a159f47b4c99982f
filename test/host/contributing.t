#!/bin/bash
# SPDX-License-Identifier: MIT
# CONTRIBUTING.md, "Which test for which file": the files and tests are there, and a mutant
# of a file is found by the tests of its rows.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$TOP"
WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

# shellcheck disable=SC2016
in_backquotes() { grep -o '`[^`]*`' | tr -d '`' | paste -sd' '; }

# rows <DOCUMENT: the paths of each row, a bar, and its words
# shellcheck disable=SC2016
rows() {
	sed -n '/^| you change /,/^$/p' | tail -n +3 | while IFS='|' read -r _ paths run _; do
		printf '%s|%s\n' "$(in_backquotes <<<"$paths" || :)" \
			"$(sed -n 's/.*`make check T=\([^`]*\)`.*/\1/p' <<<"$run")"
	done
}

# is_there PATH: here, or in Linux if the series has anything to do with it
is_there() {
	[ -e "$1" ] || [ -e "kernel/tree/$1" ] ||
		grep -qE "^\+\+\+ b/$1(/|$)" kernel/patches/*.patch
}

# chosen WORDS: the tests, as the Makefile has them
chosen() {
	env -u MAKEFLAGS -u MFLAGS -u ARCH -u FLAVOUR make -s -n check T="$1" |
		sed -n 's,.*test/run ,,p' | sed 's,test/,,g'
}

# tests_for FILE: those of all rows that have it, or a folder that it is in
tests_for() {
	local path paths tests
	while IFS='|' read -r paths tests; do
		for path in $paths; do
			case $1 in "$path" | "$path"/*) tr ' ' '\n' <<<"$tests" ;; esac
		done
	done <"$WORK/chosen"
}

# finds MUTANT FILE: do the rows of the file have each test that the mutant names?
finds() {
	local missing
	missing=$(sed -n 's/^Tests: //p' "$1" | tr ' ' '\n' | sort -u | comm -23 - <(tests_for "$2" | sort -u))
	[ -z "$missing" ] || echo "no row of $2 has $missing"
	[ -z "$missing" ]
}

rows <CONTRIBUTING.md >"$WORK/rows"
ok "there are rows" test "$(wc -l <"$WORK/rows")" -gt 20
while IFS='|' read -r paths words; do
	for path in $paths; do ok "$path is there" is_there "$path"; done
	[ -n "$words" ] || continue
	# make's own check, whose list of tests is empty for a word that it does not know
	ok "there are tests: T=$words" make -s tests-exist T="$words"
	printf '%s|%s\n' "$paths" "$(chosen "$words")" >>"$WORK/chosen"
done <"$WORK/rows"
not_ok "a path that is not there is found" is_there mm/no_such.c
not_ok "a word without a test is found" make -s tests-exist T=host,no_such

for mutant in test/mutants/*.patch; do
	while read -r file; do
		ok "${mutant##*/}: its tests are in the rows of $file" finds "$mutant" "$file"
	done < <(sed -n 's,^+++ b/,,p' "$mutant")
done
printf 'Tests: boot/no_such.t\n' >"$WORK/mutant"
not_ok "a test that no row has is found" finds "$WORK/mutant" mm/gup.c
