#!/bin/sh
# SPDX-License-Identifier: MIT
# Every allocation, and every change of the direct map, fails once.
#
# Arguments: what is to fail.  folio_restore_direct_map is not among it: a page
# that cannot come back is lost, with a warning, and that is its documented end.
# shellcheck source=/dev/null
. /tap.sh

# tap.sh reads this
# shellcheck disable=SC2034
T=900
for what; do
	t "each $what fails once" faults_nth "$what"
	sed -n 's/failures/&/p' /tmp/tap.out | sed 's/^/# /' >&3
done
plan
