#!/bin/bash
# SPDX-License-Identifier: MIT
# Kinds of memory that QEMU can give its guest: huge pages, allocated beforehand, of one
# node.  The guest checks its contents.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_backends
