#!/bin/bash
# SPDX-License-Identifier: MIT
# Every allocation and every change of the direct map fails once, alone.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap faults_nth -m 1G -t 900 -- /scenario/faults_nth.sh alloc nodirmap_zap_block \
	nodirmap_restore_block __filemap_add_folio
boot_tap faults_nth_nodirmap_off -m 1G -t 600 -a nodirmap=off -- \
	/scenario/faults_nth.sh folio_zap_direct_map __filemap_add_folio
