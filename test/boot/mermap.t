#!/bin/bash
# SPDX-License-Identifier: MIT
# Processes that use the mermap live, work and end as others do.  For longer,
# under lockdep, KASAN and DEBUG_VM (FLAVOUR=debug make build goes first):
#
#   FLAVOUR=debug lab/boot -n mermap_debug -c 4 -m 2G -t 1500 -- \
#       /scenario/mermap.sh stress=600 hotplug=60 lives=1000
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap mermap -c 4 -m 1G -t 900 -- \
	/scenario/mermap.sh lives=10000 stress=10 hotplug=10 neighbour
boot_tap mermap_pti_4level -c 4 -m 1G -t 900 -a "pti=on no5lvl" -- \
	/scenario/mermap.sh pti=on no5lvl lives=1000 stress=3
