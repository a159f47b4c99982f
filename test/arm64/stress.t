#!/bin/bash
# SPDX-License-Identifier: MIT
# Many users of the mermap at once, and memory that others need back.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap arm64_mermap -c 4 -m 1G -t 600 -- /scenario/mermap.sh stress=10
# on more memory the last test takes minutes, when the machine has other work
MEM=512M
ARGS=()
# with 64K pages the list of one CPU holds huge pages of 512 MiB, which nobody else gets
[ "${FLAVOUR:-}" != 64k ] || { MEM=1G ARGS=(-a transparent_hugepage=never); }
boot_tap arm64_pressure -m $MEM -t 600 "${ARGS[@]}" -- /scenario/pressure.sh
