#!/bin/sh
# SPDX-License-Identifier: MIT
# On a host, VMs populate and punch pages at random.  The memory of dead VMs comes
# back, and no page has two owners.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

no_oom() { [ "$(vmstat oom_kill)" = 0 ]; }

# shellcheck disable=SC2034 # T is for tap.sh
T=240
t "roomy: what seven of eight VMs held comes back" host_of_vms host 50 400000
t "tight: what seven of eight VMs held comes back" host_of_vms host 85 400000
t "VMs that come and go have their pages to themselves" host_of_vms lives 85 200000
# PREEMPT_RT has no large folios
if [ "$(uname -m)" = x86_64 ] && [ -d /sys/kernel/mm/transparent_hugepage ]; then
	t "and so with folios of 2 MiB" host_of_vms huge 50 100000
fi
t "a VM with a balloon has few pages that it does not use" host_of_vms balloon 256 100000
t "without the OOM killer" no_oom
plan
