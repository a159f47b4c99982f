#!/bin/bash
# SPDX-License-Identifier: MIT
# The lists of files of make deb match the files that are built.  The packages of vmm/
# are made, also for arm64, and lintian judges them.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
DEBIAN=$TOP/packaging/debian

installed() {
	make -s -C "$TOP/vmm" O="$OUT/vmm-deb" PREFIX=/usr LIBDIR=/usr/lib/any \
		DESTDIR="$FAKE/tmp" install
}

# claimed DIR: every pattern of a package finds something, every file has a package
claimed() (
	cd "$1"
	shopt -s nullglob
	while read -r pattern; do
		# shellcheck disable=SC2206 # it is a pattern
		found=($pattern)
		[ -e "${found[0]:-}" ] || {
			echo "nothing is $pattern"
			exit 1
		}
		printf '%s\n' "${found[@]}"
	done < <(cat "$DEBIAN"/*.install) | sort >"$FAKE/claimed"
	find . ! -type d -printf '%P\n' | sort | comm -23 - "$FAKE/claimed" >"$FAKE/left"
	[ ! -s "$FAKE/left" ] || {
		echo "in no package:"
		cat "$FAKE/left"
		exit 1
	}
)

options_exist() {
	sed -nE 's/^(# )?CONFIG_(\w+)[= ].*/\2/p' "$1" | sort -u >"$FAKE/wanted"
	git -C "$LINUX_TREE" grep -hE '^\s*(menu)?config \w+$' -- '*Kconfig*' |
		awk '{ print $2 }' | sort -u >"$FAKE/known"
	comm -23 "$FAKE/wanted" "$FAKE/known" >"$FAKE/unknown"
	[ ! -s "$FAKE/unknown" ] || {
		echo "unknown:"
		cat "$FAKE/unknown"
		return 1
	}
}

ok "vmm/ installs as the packages want it" installed
ok "every file has a package, every package its files" claimed "$FAKE/tmp"
touch "$FAKE/tmp/usr/bin/stray"
not_ok "a file without a package is found" claimed "$FAKE/tmp"
rm "$FAKE/tmp/usr/bin/stray" "$FAKE/tmp/usr/bin/offmap"
not_ok "a package without its file is found" claimed "$FAKE/tmp"
is "the packages have the version of the library" \
	"$(sed -nE '1s/.*\((.*)\).*/\1/p' "$DEBIAN/changelog")" "$(sed -n 's/^VERSION := //p' "$TOP/vmm/Makefile")"
for name in host server; do
	ok "$name.config names options of Linux" options_exist "$TOP/kernel/config/$name.config"
done
echo CONFIG_NO_SUCH_OPTION=y >"$FAKE/bad.config"
not_ok "one that does not exist is found" options_exist "$FAKE/bad.config"
not_ok "what is not to be packed is refused" "$TOP/lab/deb" nonsense
like "a configuration that is not there is an error" \
	"$(CONFIG=$FAKE/none "$TOP/lab/deb" kernel 2>&1)" "CONFIG=$FAKE/none cannot be read"

# hint WHAT: the command that lab/deb names if dpkg has no package at all
hint() {
	mkdir -p "$FAKE/none"
	printf '#!/bin/sh\nexit 1\n' >"$FAKE/none/dpkg-query"
	chmod +x "$FAKE/none/dpkg-query"
	PATH=$FAKE/none:$PATH OUT=$FAKE/none "$TOP/lab/deb" "$1" 2>&1 |
		sed -n "s/.*run '\(.*\)'/\1/p"
}
is "lab/deb vmm asks for the packages of vmm/ alone" "$(hint vmm)" "make packages FOR=deb-vmm"

# missing TOOL...: the first one that is not installed
missing() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "$tool"
			return
		}
	done
}

# made ARCH: lab/deb fails if lintian has an error or a warning, and dh_strip if a program
# is for another machine
made() { ARCH=$1 OUT=$FAKE/made-$1 "$TOP/lab/deb" vmm; }

for arch in x86_64 arm64; do
	claim="the packages for $arch are made, and lintian has nothing to say"
	tools=(dpkg-buildpackage dh lintian)
	[ "$arch" = x86_64 ] || tools+=(aarch64-linux-gnu-gcc)
	lacks=$(missing "${tools[@]}")
	if [ -n "$lacks" ]; then
		skip "$claim" "$lacks is not installed: ARCH=$arch make packages FOR=deb-vmm"
	else
		ok "$claim" made "$arch"
	fi
done

# A Linux of a few lines, and a dpkg that has all packages.
fake_linux() {
	mkdir -p "$FAKE/bin" "$FAKE/out/linux/scripts/kconfig"
	echo '#!/bin/sh' >"$FAKE/out/linux/scripts/kconfig/merge_config.sh"
	printf '#!/bin/sh\necho " installed"\n' >"$FAKE/bin/dpkg-query"
	chmod +x "$FAKE/bin/dpkg-query" "$FAKE/out/linux/scripts/kconfig/merge_config.sh"
	cat "$TOP"/kernel/config/{host,server}.config >"$FAKE/config"
	printf '%s\n' defconfig: $'\t@true' olddefconfig: $'\t@cp $(CONFIG_FROM) $(O)/.config' \
		kernelversion: $'\t@echo 7.3.4' \
		bindeb-pkg: $'\t@echo "$(LOCALVERSION) $(KDEB_PKGVERSION)" >$(SAID)' \
		$'\t@touch $(O)/../linux-image.deb' >"$FAKE/out/linux/Makefile"
}

# named: what kbuild is to call the kernel's packages
named() {
	PATH=$FAKE/bin:$PATH OUT=$FAKE/out CONFIG_FROM=$FAKE/config SAID=$FAKE/said \
		"$TOP/lab/deb" kernel 2>&1 >/dev/null | grep error
	cat "$FAKE/said"
}

fake_linux
is "the kernel's packages are named after the release, not a commit" "$(named)" "-offmap 7.3.4-1"
echo 41 >"$FAKE/out/build/x86_64-host/.version"
is "and after the build" "$(named)" "-offmap 7.3.4-42"
