/* SPDX-License-Identifier: MIT */
/* Advice of madvise(2) that older headers lack: Linux 5.14 and 5.18. */
#ifndef OFFMAP_ADVICE_H
#define OFFMAP_ADVICE_H

#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#endif
