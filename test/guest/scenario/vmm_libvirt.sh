#!/bin/sh
# SPDX-License-Identifier: MIT
# A domain of libvirt in session mode, whose <emulator> starts QEMU below offmap run.
# offmap audit tells that this kernel cannot reach its memory.
#
# Arguments: where vmm/ is built, what lab/libvirt has unpacked, and the <emulator>,
# all on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=none
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh
# shellcheck source-path=SCRIPTDIR source=libvirt_lib.sh
. /scenario/libvirt_lib.sh

t "libvirt: the host's root is a place for a VMM" host_ready
t "libvirt: a root that has libvirt" libvirt_root $ROOT "$ROOT$2" "$ROOT$BUILT/bin/offmap" "$ROOT$3"
START=$(holes)
t "libvirt: libvirtd starts, as a user" libvirt_starts
t "libvirt: a domain starts" domain_starts
t "libvirt: all of its memory is guest_memfd" domain_is_protected
t "libvirt: the kernel can reach nothing of it" absent
t "libvirt: the domain is reset" domain_resets
t "libvirt: the kernel can still reach nothing of it" absent
t "libvirt: the domain is destroyed, and so is its task" domain_ends
t "libvirt: no page stays out of the direct map" holes_are "$START"
plan
