#!/bin/sh
# SPDX-License-Identifier: MIT
# Checksums of guest memory while everything that can happen to it does, first
# of plain guest_memfd, then of memory out of the direct map.
#
# Arguments: seconds for each.
# Selftests: kvm
# shellcheck source=/dev/null
. /tap.sh

# Time decides when it ends, however much it has done by then.  tap.sh reads this.
# shellcheck disable=SC2034
T=$((4 * $1 + 300))
t "kvm: guest_memfd_write_stress_test, $1 s each" \
	/kvm/guest_memfd_write_stress_test -d "$1"
plan
