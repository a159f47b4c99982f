#!/bin/bash
# SPDX-License-Identifier: MIT
# make bisect-check finds a step that does not compile although the last step does.
# Passed checks are not repeated.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

export QUICK=1 CONFIGS=on CCACHE_DISABLE=1
bisect() { "$TOP/lab/bisect" "$@" 2>/dev/null; }
told() { sed -E 's/, [0-9]+ s//; s/ +/ /g; s/, log: .*//' <<<"$1" | grep -v '^ '; }

# As much of Kbuild as the script asks for.
fake_kbuild() {
	# shellcheck disable=SC2016 # these are variables of make
	printf '%s\n' 'tinyconfig offmap.config prepare vmlinux:' \
		'	@mkdir -p $(O) && touch $(O)/.config' \
		'%.o: %.c' '	@mkdir -p $(O)/$(@D) && gcc -Werror -c -o $(O)/$@ $<' >>"$FAKE/src/Makefile"
	mkdir -p "$FAKE/src/kernel/configs" "$FAKE/src/arch/x86"
	touch "$FAKE/src/mm/Kconfig" "$FAKE/src/arch/x86/Kconfig" "$FAKE/src/kernel/configs/debug.config"
	echo 'obj-y := a.o b.o c.o' >"$FAKE/src/mm/Makefile"
	rm "$FAKE"/src/mm/*.c
}

fake_linux "$FAKE/src"
fake_kbuild
fake_kernel
mkdir "$KERNEL_DIR/config"
touch "$KERNEL_DIR"/config/{x86_64,test,series}.config
"$TOP/lab/tree" 2>/dev/null
mkdir -p "$L/mm"
echo 'int a;' >"$L/mm/a.c"
fake_commit good
echo 'int b = no_such_thing;' >"$L/mm/b.c"
fake_commit bad
echo 'int b;' >"$L/mm/b.c"
fake_commit mended

out=$(bisect) && out="status 0: $out"
is "the step that does not compile is found" "$(told "$out")" \
	"good on ok: 1 objects"$'\n'"bad on FAILED"$'\n'"mended on ok: 1 objects"$'\n'"2 of 3 passed"
like "and why" "$out" "no_such_thing"
out=$(bisect good mended)
is "what passed is not done again" "$(told "$out")" \
	"good on ok, before: 1 objects"$'\n'"mended on ok, before: 1 objects"$'\n'"2 of 2 passed"
echo 'int a = 1;' >"$L/mm/a.c"
fake_commit later
out=$(bisect good later)
is "unless it changed" "$(told "$out")" \
	"good on ok, before: 1 objects"$'\n'"later on ok: 1 objects"$'\n'"2 of 2 passed"
mkdir -p "$L/Documentation"
echo text >"$L/Documentation/a.rst"
fake_commit described
echo 'int c;' >"$L/mm/c.c"
fake_commit last
bisect last >/dev/null
sed -i 's/text/better text/' "$L/Documentation/a.rst"
fake_git commit -q --amend --no-edit -a
is "a text is nothing to compile" "$(told "$(bisect last)")" \
	"last on ok, before: 1 objects"$'\n'"1 of 1 passed"
printf '%s\n' '# Part one' good bad '' '# Part two' mended later described last >"$KERNEL_DIR/series"
is "what ends a part is built as a whole" "$(told "$(QUICK='' LINK=1 bisect)")" \
	"bad on-link ok: vmlinux"$'\n'"last on-link ok: vmlinux"$'\n'"2 of 2 passed"
not_ok "an unknown step is no success" bisect nonsense
