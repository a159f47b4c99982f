# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Shared by every script of the lab: where things are, and how to speak.
# Sourced, never run.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OUT=${OUT:-$TOP/out}
ARCH=${ARCH:-x86_64}
JOBS=${JOBS:-$(nproc)}
LINUX_TREE=$OUT/linux
# where figures go; those of different architectures are never compared
BENCH=$OUT/bench
[ "$ARCH" = x86_64 ] || BENCH=$OUT/bench-$ARCH

# One line each, to stderr: standard output belongs to the result.
note() { printf 'offmap: %s\n' "$*" >&2; }
warn() { printf 'offmap: warning: %s\n' "$*" >&2; }
die() {
	printf 'offmap: error: %s\n' "$*" >&2
	exit 2
}

# The first words of a line of shell that sets variables only: base, *.conf.
read_conf() {
	[ -r "$1" ] || die "cannot read ${1#"$TOP"/}"
	# shellcheck source=/dev/null
	. "$1"
}

# cached COMPILER: what a kernel's make is to call it by.
cached() { if command -v ccache >/dev/null; then echo "$TOP/lab/ccache $1"; else echo "$1"; fi; }

# toolchain FLAVOUR: sets COMPILER and LINKER, and LLVM for kbuild where gcc lacks
# what the flavour is for.
toolchain() {
	COMPILER=${CROSS_COMPILE:-}gcc LINKER=${CROSS_COMPILE:-}ld
	[ "$1" != kmsan ] || {
		COMPILER=clang-19 LINKER=ld.lld-19
		export LLVM=-19
	}
}
