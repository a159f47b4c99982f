#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map during other work of the kernel on memory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

NODES=(2G 6G) MEM=8G
# KASAN's quarantine is everywhere: more RAM, in which it leaves some ranges of 1 GiB alone
[ "${FLAVOUR:-}" != debug ] || NODES=(2G 12G) MEM=14G
boot_tap boundaries -c 4,sockets=2 -m $MEM -t 900 \
	-q "$(two_nodes "${NODES[@]}") -device virtio-balloon-pci,free-page-reporting=on" -- \
	/scenario/boundaries.sh
