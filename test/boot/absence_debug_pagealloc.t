#!/bin/bash
# SPDX-License-Identifier: MIT
# The same where free pages have no place in the direct map: no blocks are kept
# out of it then, and each page leaves on its own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap absence_debug_pagealloc -m 512M -t 600 -a debug_pagealloc=on -- \
	/scenario/absence.sh debug_pagealloc=on
