#!/bin/sh
# SPDX-License-Identifier: MIT
# What can fail on the way into a mapping out of the direct map is made to.
# shellcheck source=/dev/null
. /tap.sh

t "fault: a folio that cannot be zapped" faults folio_zap_direct_map
t "fault: a folio that does not get into the page cache" faults __filemap_add_folio
plan
