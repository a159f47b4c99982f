/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the mermap share.
 *
 * The two back ends differ in where slots are.  With an mm-local region, each mm
 * has its own; local.c keeps them.  Without one, all mms share those that
 * asm/mermap.h provides, and mermap_put() leaves no translation in any TLB.
 */
#ifndef _MM_MERMAP_H
#define _MM_MERMAP_H

#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/smp.h>

#include <asm/mermap.h>

/* The slots of a ring, if there are rings, and of nested mappings behind it. */
#define MERMAP_RING	56
#define MERMAP_SLOTS	(MERMAP_RING + MERMAP_NESTING)

#ifdef CONFIG_MM_LOCAL_REGION
/**
 * struct mermap_ring - the slots that one CPU has in one mm
 * @ptes: The page table entries of the CPU's window, or NULL as long as they are
 *	not allocated.  Does not change any more once it is set.
 * @left: How many slots of the ring, from the first, the TLB of the CPU holds no
 *	translation of.  This and what follows is only used by the CPU itself, with
 *	preemption disabled.
 * @addr: The address of the window, once @left has not been 0.
 */
struct mermap_ring {
	pte_t *ptes;
	unsigned int left;
	void *addr;
};

/**
 * struct mermap_mm - the mermap of an mm
 * @refs: One for the mm until it exits, one for each mark.
 * @rings: For each CPU.
 * @flush_lock: Held while the mm is flushed, and when it exits.
 * @mm: The mm, or NULL when it has exited.  Protected by @flush_lock.
 * @started: How many flushes have begun.  Written with @flush_lock held.
 * @completed: How many are complete; U64_MAX when the mm has exited.  Written
 *	with @flush_lock held.
 */
struct mermap_mm {
	refcount_t refs;
	struct mermap_ring __percpu *rings;
	/* For what follows. */
	struct mutex flush_lock;
	struct mm_struct *mm;
	u64 started;
	u64 completed;
};

int mermap_init_local(void);
void mermap_enter_slow(struct mermap *map, struct mermap_ring *ring);
void *mermap_get_window(struct mermap *map, struct page *page);
void mermap_put_window(struct mermap *map);

void mermap_flush_mm_range(struct mm_struct *mm);
void mermap_put_mm(struct mermap_mm *m);

/* The mermap of the task's mm, if it has one: without, it has borrowed only. */
static inline struct mermap_mm *mermap_of_current(void)
{
	return current->mm ? READ_ONCE(current->mm->mermap) : NULL;
}

/* Use a slot of the ring that the TLB knows nothing of. */
static inline void mermap_use_ring(struct mermap *map, struct mermap_ring *ring)
{
	/* Every other page is a slot, from the second on. */
	unsigned int page = 2 * --ring->left + 1;

	map->ptep = ring->ptes + page;
	map->addr = ring->addr + page * PAGE_SIZE;
	map->in_ring = true;
}

/* Find a slot, in an mm that is loaded until mermap_leave(). */
static inline void mermap_enter(struct mermap *map)
{
	struct mermap_mm *m = mermap_of_current();
	struct mermap_ring *ring = m ? this_cpu_ptr(m->rings) : NULL;

	map->prev_mm = NULL;
	if (likely(ring && ring->left && !map->depth &&
		   arch_mermap_is_loaded(current->mm)))
		mermap_use_ring(map, ring);
	else
		mermap_enter_slow(map, ring);
}

static inline void mermap_leave(struct mermap *map)
{
	if (unlikely(map->prev_mm))
		arch_mermap_leave(map->prev_mm);
}
#else
static inline int mermap_init_local(void)
{
	return 0;
}

static inline void mermap_enter(struct mermap *map)
{
	unsigned int cpu = smp_processor_id();

	map->in_ring = false;
	map->addr = arch_mermap_addr(cpu, map->depth);
	map->ptep = arch_mermap_ptep(cpu, map->depth);
}

static inline void mermap_leave(struct mermap *map) { }
#endif

bool mermap_hold(struct mermap *map);
void mermap_release(struct mermap *map);

#endif /* _MM_MERMAP_H */
