#!/bin/bash
# SPDX-License-Identifier: MIT
# T= chooses tests by words of their paths, and a word that no path has is an error.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

# With a limit: what does not refuse goes on to everything.
front() {
	env -u MAKEFLAGS -u MFLAGS -u ARCH -u FLAVOUR OUT="$WORK" \
		timeout 30 make -s -C "$TOP" "$@"
}

# What would run, without running it.
chosen() { front -n "$@" | sed -n 's/.*test\/run //p'; }

is "one word" "$(chosen check T=hazards)" "test/boot/hazards.t"
is "two words" "$(chosen check T=oom_kill,hazards)" "test/boot/hazards.t test/boot/oom_kill.t"
is "two words of one path" "$(chosen check T=boot/haz,hazards)" "test/boot/hazards.t"
is "a folder is that folder" "$(chosen check T=arm64)" "$(cd "$TOP" && echo test/arm64/*.t)"
boot=$(front -n check T=boot)
is "and none that has its name in another one" "$(sed -n 's/.*test\/run //p' <<<"$boot")" \
	"$(cd "$TOP" && echo test/boot/*.t)"
not_ok "T=boot builds no kernel of arm64" grep -q arm64 <<<"$boot"
ok "T=boot,arm64 does" grep -q 'ARCH=arm64 lab/build' <<<"$(front -n check T=boot,arm64)"
is "of one architecture" "$(chosen check ARCH=arm64 T=kunit)" "test/arm64/kunit.t"
is "in the debug kernel" "$(chosen check-debug T=hazards)" "test/boot/hazards.t"
for target in check check-debug; do
	like "$target: a word that no path has" "$(front "$target" T=hazards,no-such 2>&1 || :)" \
		"^offmap: error: no test has 'no-such' in its path"
	for no_word in ',' ',,' ', '; do
		like "$target: '$no_word' is no word" "$(front "$target" T="$no_word" 2>&1 || :)" \
			"^offmap: error: no test has '.*' in its path"
	done
done
like "a word with a quote is a word" "$(front check T="it's" 2>&1 || :)" "no test has 'it's' in its path"
like "check-debug: a test that is not for a debug kernel" \
	"$(front check-debug T=upstream_mm 2>&1 || :)" "^offmap: error: no test has 'upstream_mm'"
for target in check check-debug; do
	like "ARCH=arm64 $target: a test of x86-64" \
		"$(front "$target" ARCH=arm64 T=hazards 2>&1 || :)" "^offmap: error: no test has 'hazards'"
done
not_ok "make deb WHAT=vmm takes no source of Linux" \
	grep -qE 'lab/(tree|fetch)' <<<"$(front -n deb WHAT=vmm)"
ok "it asks for what vmm/ needs only" grep -q 'FOR=deb-vmm lab/packages' <<<"$(front -n deb WHAT=vmm)"
ok "make deb takes it" grep -q lab/tree <<<"$(front -n deb)"
