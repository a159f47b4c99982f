// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mermap: short-lived addresses for pages that have no other.
 *
 * Each CPU has a window of MERMAP_SLOTS slots in the address space of each mm
 * that uses the mermap, a page apart from each other.  The n-th mapping that a
 * task nests is in slot n of the CPU that it runs on, and as other tasks get
 * the same slots, a context switch clears and restores them.  So there is
 * nothing to search for and nothing to run out of, and no CPU writes to the
 * slots of another.
 *
 * A task without an mm, or on a CPU for which the page tables of its mm are not
 * prepared, borrows the private mm that the CPU has for this purpose, with
 * preemption disabled.
 *
 * Documentation/mm/mermap.rst argues why no TLB entry outlives its use.
 */
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <asm/mermap.h>

/* Every other page is a slot, so that an overrun faults. */
#define WINDOW_PAGES	(2 * MERMAP_SLOTS)
#define WINDOW_SIZE	(WINDOW_PAGES * PAGE_SIZE)
#define CPUS_PER_TABLE	(PTRS_PER_PTE / WINDOW_PAGES)

/**
 * struct mermap_mm - the mermap of an mm
 * @mm: The mm.
 * @node: In stale_mms, if @stale.
 * @stale: CPUs may have cached slots whose mappings are gone.  Set without
 *	need, but never clear without reason.
 * @tables: For every CPUS_PER_TABLE CPUs the page table that their windows
 *	are in, or NULL as long as none of them has used it.
 */
struct mermap_mm {
	struct mm_struct *mm;
	struct list_head node;
	bool stale;
	pte_t *tables[];
};

/* For tasks that have no prepared mm. */
struct private_mm {
	struct mm_struct *mm;
	pte_t *table;
};

static DEFINE_PER_CPU(struct private_mm, private_mm);

static LIST_HEAD(stale_mms);
/* Protects stale_mms and changes of mermap_mm::stale. */
static DEFINE_SPINLOCK(stale_lock);
/* Held from taking an mm off stale_mms until its flush is complete. */
static DEFINE_MUTEX(flush_mutex);

static bool supported __ro_after_init;

/**
 * mermap_supported - does the mermap work on this machine?
 *
 * Return: false if not, or if it is too early during boot.
 */
bool mermap_supported(void)
{
	return supported;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_supported, "kvm,kvm-amd");

static unsigned long window_addr(unsigned int cpu)
{
	return MERMAP_BASE_ADDR + cpu * WINDOW_SIZE;
}

/* Make the page table that holds the window of a CPU; it stays until exit. */
static pte_t *alloc_table(struct mm_struct *mm, unsigned int cpu)
{
	unsigned long addr = window_addr(round_down(cpu, CPUS_PER_TABLE));
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	if (!pmd || pte_alloc(mm, pmd))
		return NULL;
	return pte_offset_kernel(pmd, addr);
}

static struct mermap_mm *alloc_mermap_mm(struct mm_struct *mm)
{
	unsigned int nr = DIV_ROUND_UP(nr_cpu_ids, CPUS_PER_TABLE);
	struct mermap_mm *new, *old;

	new = kvzalloc(struct_size(new, tables, nr), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;

	new->mm = mm;
	INIT_LIST_HEAD(&new->node);

	old = cmpxchg(&mm->mermap, NULL, new);
	if (!old)
		return new;

	/* Another thread was faster. */
	kvfree(new);
	return old;
}

static pte_t *find_table(struct mm_struct *mm, unsigned int cpu)
{
	struct mermap_mm *m = READ_ONCE(mm->mermap);

	return m ? READ_ONCE(m->tables[cpu / CPUS_PER_TABLE]) : NULL;
}

/**
 * mermap_prepare - speed up the mappings that the task is going to make
 *
 * Allocates page tables for the windows of the CPU that the task runs on, and
 * of its neighbours, accounted to the task's mm and kept until it exits.
 *
 * There is nothing to check afterwards: mermap_get() works anyway, only slower
 * and with preemption disabled, if memory was short, the task has no mm, or it
 * has moved to a CPU that nobody has prepared.
 *
 * Context: Task context, may sleep.
 */
void mermap_prepare(void)
{
	unsigned int cpu = raw_smp_processor_id();
	struct mm_struct *mm = current->mm;
	struct mermap_mm *m;
	pte_t *table;

	might_sleep();

	if (!supported || !mm || find_table(mm, cpu))
		return;

	m = READ_ONCE(mm->mermap) ?: alloc_mermap_mm(mm);
	if (!m)
		return;

	table = alloc_table(mm, cpu);
	if (table)
		/* Others use the table as soon as they see it. */
		smp_store_release(&m->tables[cpu / CPUS_PER_TABLE], table);
}
EXPORT_SYMBOL_FOR_MODULES(mermap_prepare, "kvm,kvm-amd");

/* Return: the page table with this CPU's window, which is loaded until leave(). */
static pte_t *enter(struct mermap *map, unsigned int cpu)
{
	struct mermap *outer = map->outer;
	pte_t *table;

	map->prev_mm = NULL;

	/* What is inside of a borrowed mm stays there. */
	if (outer && !outer->owner) {
		map->owner = NULL;
		return __this_cpu_read(private_mm.table);
	}

	table = current->mm ? find_table(current->mm, cpu) : NULL;
	if (likely(table)) {
		map->owner = current->mm->mermap;
		return table;
	}

	preempt_disable();
	map->owner = NULL;
	map->prev_mm = arch_mermap_enter(__this_cpu_read(private_mm.mm));
	return __this_cpu_read(private_mm.table);
}

static void leave(struct mermap *map)
{
	if (map->prev_mm) {
		arch_mermap_leave(map->prev_mm);
		preempt_enable();
	}
}

/* The page was mapped, so any CPU that has the mm loaded may have cached that. */
static void mark_stale(struct mermap_mm *m)
{
	/*
	 * Order the clearing of the slot before the load of m->stale.  If that
	 * is still set here, whoever clears it starts to flush after that, and
	 * no CPU finds the slot any more.  Pairs with mermap_flush().
	 */
	smp_mb();
	if (likely(READ_ONCE(m->stale)))
		return;

	spin_lock(&stale_lock);
	if (!m->stale) {
		WRITE_ONCE(m->stale, true);
		list_add_tail(&m->node, &stale_mms);
	}
	spin_unlock(&stale_lock);
}

static void set_slot(struct mermap *map)
{
	set_pte(map->ptep, map->pte);
}

/* Clear the slot of a mapping, and what this CPU has cached of it. */
static void clear_slot(struct mermap *map)
{
	set_pte(map->ptep, __pte(0));
	arch_mermap_flush_page(map->addr);
}

/**
 * mermap_get - map a page for a short time
 * @map: The mapping, on the stack of the caller.
 * @page: The page, in the direct map or not.  It must not change owner before
 *	mermap_put() and a mermap_flush() after that.
 *
 * There always is a slot, nothing is allocated, and no other CPU is disturbed.
 * Until mermap_put() the task does not migrate, and must not sleep, return to
 * user mode, or touch user memory other than with page faults disabled.  It can
 * be preempted unless it runs without a prepared mm, see mermap_prepare().
 *
 * Mappings nest, MERMAP_SLOTS deep, and are put in reverse order.  The address
 * is good for the CPU's loads and stores by this task only: virt_to_page() and
 * the like do not know it, and it means something else to any other task.
 *
 * Context: Task context, with or without an mm; not while the task holds
 * another temporary mm.
 * Return: The address.  NULL, after a warning, only if the caller broke the
 * rules: not in task context, nested too deep, or mermap_supported() is false.
 */
void *mermap_get(struct mermap *map, struct page *page)
{
	struct mermap *outer = current->mermap;
	unsigned int depth = outer ? outer->depth + 1 : 0;
	unsigned int cpu, index;
	pte_t *table;

	if (WARN_ON_ONCE(!in_task() || !supported || depth >= MERMAP_SLOTS))
		return NULL;

	migrate_disable();
	cpu = smp_processor_id();

	map->outer = outer;
	map->depth = depth;
	map->pte = arch_mermap_pte(page);

	table = enter(map, cpu);
	index = 2 * depth + 1;
	map->addr = (void *)(window_addr(cpu) + index * PAGE_SIZE);
	map->ptep = table + cpu % CPUS_PER_TABLE * WINDOW_PAGES + index;

	/*
	 * Tell the context switch first: what it does not know of it would
	 * leave to the next task.
	 */
	barrier();
	WRITE_ONCE(current->mermap, map);
	barrier();
	set_slot(map);

	return map->addr;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_get, "kvm,kvm-amd");

/**
 * mermap_put - end an ephemeral mapping
 * @map: The task's most recent mapping.
 *
 * This CPU does not translate the address any more.  Another CPU that runs a
 * thread of the same process may have cached the translation by speculation:
 * before the page changes owner, call mermap_flush().
 *
 * Context: That of mermap_get().
 */
void mermap_put(struct mermap *map)
{
	if (WARN_ON_ONCE(current->mermap != map))
		return;

	/*
	 * Have the context switch clear the slot, but not restore it, for as
	 * long as this task may find it filled.
	 */
	WRITE_ONCE(map->pte, __pte(0));
	barrier();
	clear_slot(map);
	barrier();
	WRITE_ONCE(current->mermap, map->outer);

	if (map->owner)
		mark_stale(map->owner);
	leave(map);
	migrate_enable();
}
EXPORT_SYMBOL_FOR_MODULES(mermap_put, "kvm,kvm-amd");

/* The slots are the CPU's, and the next task may have the same mm. */
void __mermap_sched_out(void)
{
	struct mermap *map;

	for (map = current->mermap; map; map = map->outer)
		clear_slot(map);
}

void __mermap_sched_in(void)
{
	struct mermap *map;

	for (map = current->mermap; map; map = map->outer)
		set_slot(map);
}

static void flush_mm(struct mermap_mm *m)
{
	arch_mermap_flush_mm(m->mm, window_addr(0), window_addr(nr_cpu_ids));
}

/* Return: whether @m was stale, in which case the caller has to flush it. */
static bool take_stale(struct mermap_mm *m)
{
	bool stale;

	lockdep_assert_held(&flush_mutex);

	spin_lock(&stale_lock);
	stale = m->stale;
	if (stale) {
		WRITE_ONCE(m->stale, false);
		list_del_init(&m->node);
	}
	spin_unlock(&stale_lock);

	/* Pairs with mark_stale(): flush after that. */
	smp_mb();
	return stale;
}

/**
 * mermap_flush - make sure that no CPU has cached any mapping that is gone
 *
 * Call it before pages that were mapped go to another owner, once for as many
 * as possible.  It covers all pages for which mermap_put() has returned, on any
 * CPU and in any mm, and waits for flushes that others have begun.
 *
 * Interrupts the CPUs that have such an mm loaded, if there are any.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void mermap_flush(void)
{
	struct mermap_mm *m;
	LIST_HEAD(mms);

	might_sleep();

	/*
	 * The mutex is what makes it safe to find nothing to do: whoever has
	 * taken an mm off the list has completed its flush.
	 */
	guard(mutex)(&flush_mutex);

	/* What becomes stale from here on is not ours to wait for. */
	spin_lock(&stale_lock);
	list_splice_init(&stale_mms, &mms);
	spin_unlock(&stale_lock);

	/* An mm cannot go away meanwhile, see __mermap_exit_mmap(). */
	while ((m = list_first_entry_or_null(&mms, struct mermap_mm, node))) {
		take_stale(m);
		flush_mm(m);
	}
}
EXPORT_SYMBOL_FOR_MODULES(mermap_flush, "kvm,kvm-amd");

static void warn_if_live(struct mermap_mm *m)
{
	unsigned int i, slot;

	for (i = 0; i < DIV_ROUND_UP(nr_cpu_ids, CPUS_PER_TABLE); i++)
		for (slot = 0; m->tables[i] && slot < PTRS_PER_PTE; slot++)
			WARN_ONCE(!pte_none(ptep_get(m->tables[i] + slot)),
				  "pfn %#lx is still mapped by an mm that exits\n",
				  pte_pfn(ptep_get(m->tables[i] + slot)));
}

/* The page tables go with the rest of the mm-local region, after this. */
void __mermap_exit_mmap(struct mm_struct *mm)
{
	struct mermap_mm *m = mm->mermap;

	warn_if_live(m);

	/* Also waits for a mermap_flush() that is busy with this mm. */
	scoped_guard(mutex, &flush_mutex) {
		if (take_stale(m))
			flush_mm(m);
	}

	mm->mermap = NULL;
	kvfree(m);
}

/* Before a CPU comes up.  What it needs stays when it goes down. */
static int prepare_cpu(unsigned int cpu)
{
	struct private_mm *private = per_cpu_ptr(&private_mm, cpu);
	struct mm_struct *mm;
	pte_t *table;

	if (private->mm)
		return 0;

	mm = mm_alloc();
	if (!mm)
		return -ENOMEM;

	arch_mermap_init_private(mm);
	table = alloc_table(mm, cpu);
	if (!table) {
		mmput(mm);
		return -ENOMEM;
	}

	private->table = table;
	private->mm = mm;
	return 0;
}

static int __init mermap_init(void)
{
	int err;

	BUILD_BUG_ON(PTRS_PER_PTE % WINDOW_PAGES);

	if (!arch_mermap_supported())
		return 0;
	if (WARN_ON(window_addr(nr_cpu_ids) > MERMAP_END_ADDR))
		return -ENOSPC;

	err = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "mm/mermap:prepare",
				prepare_cpu, NULL);
	if (err < 0) {
		pr_err("no memory for the ephemeral mappings of each CPU: %d\n", err);
		return err;
	}

	supported = true;
	return 0;
}
subsys_initcall(mermap_init);
