// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mermap where there are no kernel addresses that differ from mm to mm.
 *
 * Each CPU has MERMAP_SLOTS slots in page tables that all share, a page apart
 * from each other.  The n-th mapping that a task nests is in slot n of the CPU
 * that it runs on, and as other tasks get the same slots, a context switch
 * clears and restores them.  So there is nothing to search for, nothing to run
 * out of, nothing to allocate, and no CPU writes to the slots of another.
 *
 * For as long as a page is mapped, any CPU can reach it through the slot, by a
 * bug or by speculation; that is what an mm-local region would prevent.  To
 * leave nothing behind, whoever clears a slot invalidates it on all CPUs, which
 * architectures without such a region are expected to do in hardware.  So
 * mermap_flush() has nothing left to do.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include <asm/mermap.h>

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

/**
 * mermap_prepare - speed up the mappings that the task is going to make
 *
 * There is nothing to prepare, the slots are always there.
 *
 * Context: Task context, may sleep.
 */
void mermap_prepare(void)
{
	might_sleep();
}
EXPORT_SYMBOL_FOR_MODULES(mermap_prepare, "kvm,kvm-amd");

static void set_slot(struct mermap *map)
{
	arch_mermap_set(map->ptep, map->pte);
}

static void clear_slot(struct mermap *map)
{
	arch_mermap_clear(map->ptep, map->addr);
}

/**
 * mermap_get - map a page for a short time
 * @map: The mapping, on the stack of the caller.
 * @page: The page, in the direct map or not.  It must not change owner before
 *	mermap_put() and a mermap_flush() after that.
 *
 * There always is a slot, nothing is allocated, and no other CPU is disturbed.
 * Until mermap_put() the task does not migrate.  For what it must not do
 * meanwhile see Documentation/mm/mermap.rst, although this kind of mermap would
 * let it sleep.
 *
 * Mappings nest, MERMAP_SLOTS deep, and are put in reverse order.  The address
 * is good for the CPU's loads and stores by this task only: virt_to_page() and
 * the like do not know it, and it means something else to any other task.
 *
 * Context: Task context, with or without an mm, spinlocks may be held.
 * Return: The address.  NULL, after a warning, only if the caller broke the
 * rules: not in task context, nested too deep, or mermap_supported() is false.
 */
void *mermap_get(struct mermap *map, struct page *page)
{
	struct mermap *outer = current->mermap;
	unsigned int depth = outer ? outer->depth + 1 : 0;
	unsigned int cpu;

	if (WARN_ON_ONCE(!in_task() || !supported || depth >= MERMAP_SLOTS))
		return NULL;

	migrate_disable();
	cpu = smp_processor_id();

	*map = (struct mermap) {
		.outer = outer,
		.depth = depth,
		.addr = arch_mermap_addr(cpu, depth),
		.ptep = arch_mermap_ptep(cpu, depth),
		.pte = arch_mermap_pte(page),
	};

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
 * No CPU translates the address any more.
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

	migrate_enable();
}
EXPORT_SYMBOL_FOR_MODULES(mermap_put, "kvm,kvm-amd");

/*
 * On all CPUs, although the mappings come back: an architecture may not allow a
 * valid translation to change into another one before all have forgotten it.
 */
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

/**
 * mermap_flush - make sure that no CPU has cached any mapping that is gone
 *
 * mermap_put() has seen to it.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void mermap_flush(void)
{
	might_sleep();
}
EXPORT_SYMBOL_FOR_MODULES(mermap_flush, "kvm,kvm-amd");

/* Nothing of this belongs to an mm. */
void __mermap_exit_mmap(struct mm_struct *mm)
{
}

static int __init mermap_init(void)
{
	supported = true;
	return 0;
}
subsys_initcall(mermap_init);
