/* SPDX-License-Identifier: MIT */
/* What the cases of run_vmm share. */
#ifndef RUN_VMM_H
#define RUN_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kvm_abi.h"

#define MIB (1UL << 20)
#define RAM (8 * MIB)
#define PAGE 4096UL
/* the guest's byte, and its code */
#define BYTE 0x3000
#define CODE 0x1000

/* Seconds after which the supervisor has looked at mappings and descriptors. */
#define LOOKED 3

#define must(condition) must_at(condition, #condition, __LINE__)

void must_at(bool good, const char *text, int line);
_Noreturn void cannot_try(const char *why);

/* /dev/kvm, and the VM that set_slot() and the guest use */
extern int kvm, vm;

int new_vm(void);
int set_slot(uint32_t id, uint64_t gpa, uint64_t size, void *mem);
uint8_t *map_ram(uint64_t size, int flags);
uint8_t *new_ram(void);
/* The line of a file of /proc/thread-self for an address; empty: none. */
const char *line_of(const char *name, const void *addr);
bool is_protected(const void *addr);
/* The pages of RAM bytes that are allocated. */
size_t resident(uint8_t *ram);
/* Someone else has a page of the memory when it is moved: it must not have the contents. */
int keep_old_page(uint8_t *page);
void must_be_scrubbed(int kept, const uint8_t *page);
/* RAM bytes of a memfd, shared, and its descriptor. */
uint8_t *shared_ram(int *ret_fd);
/* The guest's byte; x86 only.  It leaves 0x77. */
int guest_byte(uint8_t *ram);
/* x86 only.  Has the guest memory to run in? */
bool guest_works(uint8_t *ram);
/* x86 only.  The guest runs until /proc counts its time. */
void guest_takes_time(uint8_t *ram);
/* The memory is protected, and the guest sees this byte.  It leaves 0x77. */
void must_see(uint8_t *ram, int byte);
/* The same, with a byte that the VMM writes. */
void must_run(uint8_t *ram);
/* Waits for a child, which ends with this status. */
void wait_for(pid_t pid, int status);
/* Limits the process to these system calls; others kill it. */
void allow_only(const uint32_t *calls, size_t nr);

/* run_around.c */
void case_around(void);
void case_fork_allowlist(void);
void case_fork_no_exit(void);
void case_fork_no_clone(void);
void case_fork_no_mmap(void);
void case_mremap(void);
void case_moved(void);
void case_process_madvise(void);
void case_remap(void);
void case_sysv(void);
void case_unmapped(void);
void case_unmapped_later(void);
void case_unmapped_busy(void);
void case_unmapped_running(void);
void case_own_guest_memfd(void);
void case_no_maps(void);
void case_exec_waits(void);
void case_nothing(void);
void case_uring(void);
void case_uring_share(void);

/* run_churn.c */
void case_churn(void);

/* run_life.c */
void case_term(void);
void case_first_thread_ends(void);
void case_first_thread_ends_share(void);
void case_locked(void);
void case_locked_short(void);
void case_on_node(void);
void case_stays_on_node(void);
void case_full(void);
void case_raw_exit(void);

#endif
