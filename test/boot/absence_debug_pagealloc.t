#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent with debug_pagealloc=on, too, where free pages are not in the
# direct map.  No blocks are kept out of it then, and each page leaves on its own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap absence_debug_pagealloc -m 512M -t 600 -a debug_pagealloc=on -- \
	/scenario/absence.sh debug_pagealloc=on
