// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mermap in the mm-local region: each mm has slots of its own.
 *
 * Each CPU has a window of MERMAP_SLOTS slots in each mm that uses the mermap, a
 * page apart from each other.  The first MERMAP_RING of them are a ring: what
 * was mapped there stays in the CPU's TLB until the ring has turned, when one
 * flush makes all of its slots available again.  Nested mappings have a slot
 * each behind the ring, and are flushed one by one.
 *
 * Each CPU has a private mm.  A task borrows it if the task has no mm, or if the
 * page tables of its mm are not prepared for the CPU.
 */
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "mermap.h"

/* Every other page is a slot, so that an overrun faults. */
#define WINDOW_PAGES	(2 * MERMAP_SLOTS)
#define WINDOW_SIZE	(WINDOW_PAGES * PAGE_SIZE)
#define CPUS_PER_TABLE	(PTRS_PER_PTE / WINDOW_PAGES)

/* Where private mms map memory by the PMD, with nothing on either side. */
#define BLOCK_ADDR	(MERMAP_END_ADDR - 2 * PMD_SIZE)

/**
 * struct private_mm - for tasks without a prepared mm
 * @mm: The mm, of one CPU.
 * @ptes: The page table entries of the CPU's window.
 * @pmdp: The entry that maps BLOCK_ADDR.
 */
struct private_mm {
	struct mm_struct *mm;
	pte_t *ptes;
	pmd_t *pmdp;
};

static DEFINE_PER_CPU(struct private_mm, private_mm);

/* No use of rings: no address stays in the TLB of its CPU after mermap_put(). */
static bool strict __ro_after_init;

static unsigned long window_addr(unsigned int cpu)
{
	return MERMAP_BASE_ADDR + cpu * WINDOW_SIZE;
}

static pmd_t *alloc_pmd(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;

	return pud ? pmd_alloc(mm, pud, addr) : NULL;
}

/* The window of a CPU, in a page table that stays until the mm exits. */
static pte_t *alloc_window(struct mm_struct *mm, unsigned int cpu)
{
	unsigned long addr = window_addr(cpu);
	pmd_t *pmd = alloc_pmd(mm, addr);

	if (!pmd || pte_alloc(mm, pmd))
		return NULL;
	return pte_offset_kernel(pmd, addr);
}

static struct mermap_mm *alloc_mermap_mm(struct mm_struct *mm)
{
	struct mermap_mm *new, *old;

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;

	new->rings = alloc_percpu_gfp(struct mermap_ring, GFP_KERNEL_ACCOUNT);
	if (!new->rings) {
		kfree(new);
		return NULL;
	}

	refcount_set(&new->refs, 1);
	mutex_init(&new->flush_lock);
	new->mm = mm;

	old = cmpxchg(&mm->mermap, NULL, new);
	if (!old)
		return new;

	/* Another thread was faster. */
	free_percpu(new->rings);
	kfree(new);
	return old;
}

void mermap_put_mm(struct mermap_mm *m)
{
	if (refcount_dec_and_test(&m->refs))
		kfree(m);
}

/**
 * mermap_prepare - speed up the mappings that the task is going to make
 *
 * Allocates page tables for the windows of the CPU that the task runs on, and
 * of its neighbours.  They are accounted to the task's mm and kept until it exits.
 *
 * There is nothing to check afterwards, as mermap_get() works anyway.  It is slower
 * if memory was short, or if the task has no mm.  It is slower, too, if the task has
 * moved to a CPU that no thread of its process has prepared.
 *
 * Context: Task context, may sleep.
 */
void mermap_prepare(void)
{
	unsigned int cpu = raw_smp_processor_id();
	struct mm_struct *mm = current->mm;
	struct mermap_mm *m;
	pte_t *ptes;

	might_sleep();

	if (!mm || !mermap_supported())
		return;

	m = READ_ONCE(mm->mermap) ?: alloc_mermap_mm(mm);
	if (!m || READ_ONCE(per_cpu_ptr(m->rings, cpu)->ptes))
		return;

	cpu = round_down(cpu, CPUS_PER_TABLE);
	ptes = alloc_window(mm, cpu);
	if (!ptes)
		return;

	for (; cpu < nr_cpu_ids; cpu++, ptes += WINDOW_PAGES) {
		if (cpu_possible(cpu))
			/* CPUs use the table as soon as they see it. */
			smp_store_release(&per_cpu_ptr(m->rings, cpu)->ptes, ptes);
		if (cpu % CPUS_PER_TABLE == CPUS_PER_TABLE - 1)
			break;
	}
}
EXPORT_SYMBOL_FOR_MODULES(mermap_prepare, "kvm,kvm-amd");

/*
 * The count is the mm's, as the flush is: it leaves the address spaces of other
 * mms alone, whose translations this CPU may have kept.
 */
static void turn_ring(struct mermap_ring *ring)
{
	arch_mermap_flush_local();
	count_vm_event(MERMAP_TURN);
	ring->addr = (void *)window_addr(smp_processor_id());
	ring->left = MERMAP_RING;
}

/* A nested mapping finds the private mm loaded, and leaves it. */
static struct private_mm *borrow(struct mermap *map)
{
	struct private_mm *private = this_cpu_ptr(&private_mm);

	if (!map->depth || !arch_mermap_is_loaded(private->mm))
		map->prev_mm = arch_mermap_enter(private->mm);
	return private;
}

/*
 * mermap_enter(), where it takes more than a slot of the ring: @ring has turned, or is
 * NULL, or the mapping needs a slot behind it.
 */
void mermap_enter_slow(struct mermap *map, struct mermap_ring *ring)
{
	unsigned int slot = MERMAP_RING + map->depth;
	pte_t *ptes = ring ? READ_ONCE(ring->ptes) : NULL;

	if (!ptes || !arch_mermap_is_loaded(current->mm)) {
		ptes = borrow(map)->ptes;
	} else if (!map->depth && !strict) {
		turn_ring(ring);
		mermap_use_ring(map, ring);
		return;
	}

	map->in_ring = false;
	map->ptep = ptes + 2 * slot + 1;
	map->addr = (void *)(window_addr(smp_processor_id()) +
			     (2 * slot + 1) * PAGE_SIZE);
}

/*
 * Map the PMD_SIZE of memory that @page is in, always in the CPU's private mm.
 * Otherwise as mermap_get().
 *
 * Return: where @page is, or NULL.
 */
void *mermap_get_window(struct mermap *map, struct page *page)
{
	struct private_mm *private;

	if (!mermap_hold(map))
		return NULL;

	map->prev_mm = NULL;
	private = borrow(map);
	map->pmdp = private->pmdp;
	map->addr = (void *)BLOCK_ADDR + (page_to_phys(page) & ~PMD_MASK);

	/* A task that died here has left it behind. */
	if (unlikely(!pmd_none(pmdp_get(map->pmdp))))
		arch_mermap_clear_pmd(map->pmdp, (void *)BLOCK_ADDR);

	set_pmd(map->pmdp, arch_mermap_pmd(page));
	return map->addr;
}

/* No CPU translates the address any more. */
void mermap_put_window(struct mermap *map)
{
	arch_mermap_clear_pmd(map->pmdp, (void *)BLOCK_ADDR);
	mermap_leave(map);
	mermap_release(map);
}

/* The windows of all CPUs. */
void mermap_flush_mm_range(struct mm_struct *mm)
{
	arch_mermap_flush_mm(mm, window_addr(0), window_addr(nr_cpu_ids));
}

/* A task that has died with a mapping has left a slot filled. */
static void clear_live(struct mermap_mm *m)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		pte_t *ptes = per_cpu_ptr(m->rings, cpu)->ptes;

		for (i = 0; ptes && i < WINDOW_PAGES; i++) {
			pte_t pte = ptep_get(ptes + i);

			if (pte_none(pte))
				continue;
			WARN_ONCE(1, "pfn %#lx is still mapped by an mm that exits\n",
				  pte_pfn(pte));
			set_pte(ptes + i, __pte(0));
		}
	}
}

/* The page tables go with the rest of the mm-local region, after this. */
void __mermap_exit_mmap(struct mm_struct *mm)
{
	struct mermap_mm *m = mm->mermap;

	clear_live(m);

	/* Also waits for a flush of this mm. */
	scoped_guard(mutex, &m->flush_lock) {
		mermap_flush_mm_range(mm);
		m->mm = NULL;
		/* Pairs with is_flushed(). */
		smp_store_release(&m->completed, U64_MAX);
	}

	mm->mermap = NULL;
	free_percpu(m->rings);
	m->rings = NULL;
	mermap_put_mm(m);
}

/* An mm that belongs to no task, and is accounted to no control group. */
static struct mm_struct *alloc_private_mm(unsigned int cpu,
					  struct private_mm *private)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return NULL;
#ifdef CONFIG_MEMCG
	RCU_INIT_POINTER(mm->owner, NULL);
#endif
	arch_mermap_init_private(mm);

	private->ptes = alloc_window(mm, cpu);
	private->pmdp = alloc_pmd(mm, BLOCK_ADDR);
	if (!private->ptes || !private->pmdp) {
		mmput(mm);
		return NULL;
	}
	return mm;
}

/* Before a CPU comes up.  What it needs stays when it goes down. */
static int prepare_cpu(unsigned int cpu)
{
	struct private_mm *private = per_cpu_ptr(&private_mm, cpu);
	struct mem_cgroup *old;

	if (private->mm)
		return 0;

	old = set_active_memcg(root_mem_cgroup);
	private->mm = alloc_private_mm(cpu, private);
	set_active_memcg(old);

	return private->mm ? 0 : -ENOMEM;
}

int __init mermap_init_local(void)
{
	int err;

	BUILD_BUG_ON(PTRS_PER_PTE % WINDOW_PAGES);

	if (WARN_ON(window_addr(nr_cpu_ids) > BLOCK_ADDR - PMD_SIZE))
		return -ENOSPC;

	err = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "mm/mermap:prepare",
				prepare_cpu, NULL);
	return min(err, 0);
}

static int __init mermap_param(char *arg)
{
	if (!arg || strcmp(arg, "strict"))
		return -EINVAL;
	strict = true;
	return 0;
}
early_param("mermap", mermap_param);
