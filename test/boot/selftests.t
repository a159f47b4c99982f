#!/bin/bash
# SPDX-License-Identifier: MIT
# KVM's selftests on memory out of the direct map, also with kernel options that touch
# pages at allocation, free, or mapping.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap selftests -t 600 -- /scenario/selftests.sh brief
# on one thread: docs/lab.md, "What QEMU gets wrong"
for option in "init_on_alloc=1 init_on_free=1" page_poison=1 nopcid pti=on; do
	boot_tap "selftests_${option%%=*}" -1 -t 600 -a "$option" -- \
		/scenario/selftests.sh core
done
