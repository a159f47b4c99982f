#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/security.md names tests and mutants that are there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

DOC=$TOP/docs/security.md

# Every word in backquotes in the second column of the table of claims.
# shellcheck disable=SC2016
named() { sed -n '/^| claim/,/^$/p' "$DOC" | tail -n +3 | sed 's/.*|\(.*\)|$/\1/' | grep -o '`[^`]*`' | tr -d '`' | sort -u; }

is_there() {
	case $1 in
	boot/* | host/*) compgen -G "$TOP/test/$1.t" ;;
	'make fuzz') grep -q '^fuzz:' "$TOP/Makefile" ;;
	*) [ -e "$TOP/test/mutants/$1.patch" ] ;;
	esac
}

mapfile -t names <<<"$(named)"
ok "there are claims with tests" test "${#names[@]}" -gt 15
for name in "${names[@]}"; do
	ok "docs/security.md: $name is there" is_there "$name"
done
not_ok "what is not there is found" is_there boot/no_such_test
