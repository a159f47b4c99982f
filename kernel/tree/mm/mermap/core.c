// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mermap: short-lived addresses for pages that have no other.
 *
 * A task that holds a mapping cannot be preempted.  So on each CPU one task at most
 * holds mappings, and has all slots of the CPU.  There is nothing to search for,
 * nothing to run out of, and nothing to do in a context switch.
 *
 * Documentation/mm/mermap.rst argues why no TLB entry outlives its use.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "mermap.h"

/**
 * struct holder - the task on a CPU that holds mappings
 * @task: The task.  If another task runs on the CPU, nobody holds a mapping.
 *	If @depth is not 0 then, @task has died with a mapping.
 * @depth: How many mappings @task holds.
 */
struct holder {
	struct task_struct *task;
	unsigned int depth;
};

static DEFINE_PER_CPU(struct holder, holder);

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

/* Disable preemption and count one more mapping, if the caller obeys the rules. */
static __always_inline bool hold(struct mermap *map)
{
	struct holder *this;

	preempt_disable();
	this = this_cpu_ptr(&holder);
	map->depth = this->task == current ? this->depth : 0;

	if (WARN_ON_ONCE(!in_task() || !supported ||
			 map->depth >= MERMAP_NESTING)) {
		preempt_enable();
		return false;
	}

	this->task = current;
	this->depth = map->depth + 1;
	return true;
}

bool mermap_hold(struct mermap *map)
{
	return hold(map);
}

static __always_inline void release(struct mermap *map)
{
	__this_cpu_write(holder.depth, map->depth);
	preempt_enable();
}

/* The mapping is gone: undo mermap_hold(). */
void mermap_release(struct mermap *map)
{
	release(map);
}

/**
 * mermap_get - map a page for a short time
 * @map: The mapping, on the stack of the caller.
 * @page: The page, in the direct map or not.  Before it changes owner, the
 *	caller, or the next to hold it, does as mermap_put() says.
 *
 * There always is a slot, nothing is allocated, and no other CPU is disturbed.
 * Preemption is disabled until mermap_put(): the task must not sleep, nor touch
 * user memory other than with page faults disabled, and should be quick.
 *
 * Mappings nest, MERMAP_NESTING deep, and are put in reverse order.  The address
 * is good for the CPU's loads and stores by this task only: virt_to_page() and
 * the like do not know it, and it means something else to any other task.
 *
 * Call mermap_prepare() before: without, the task may have to borrow an mm.
 *
 * Context: Task context, with or without an mm, spinlocks may be held; not while
 * the task holds another temporary mm.
 * Return: The address.  NULL, after a warning, only if the caller broke the
 * rules: not in task context, nested too deep, or mermap_supported() is false.
 */
void *mermap_get(struct mermap *map, struct page *page)
{
	if (!hold(map))
		return NULL;

	mermap_enter(map);

	/* A task that died here has left it behind. */
	if (unlikely(!pte_none(ptep_get(map->ptep))))
		arch_mermap_clear(map->ptep, map->addr);

	arch_mermap_set(map->ptep, arch_mermap_pte(page));
	return map->addr;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_get, "kvm,kvm-amd");

/**
 * mermap_put - end an ephemeral mapping
 * @map: The task's most recent mapping.
 *
 * The page tables do not have the address any more, but the TLBs of CPUs that
 * run threads of the same process still may.  Before the page changes
 * owner, one of these has to happen: the same task calls mermap_flush(), or the same
 * task calls mermap_mark() and any task calls mermap_flush_marks() later.
 *
 * Context: That of mermap_get().
 */
void mermap_put(struct mermap *map)
{
	if (WARN_ON_ONCE(__this_cpu_read(holder.task) != current ||
			 __this_cpu_read(holder.depth) != map->depth + 1))
		return;

	if (likely(map->in_ring))
		arch_mermap_set(map->ptep, __pte(0));
	else
		arch_mermap_clear(map->ptep, map->addr);

	mermap_leave(map);
	release(map);
}
EXPORT_SYMBOL_FOR_MODULES(mermap_put, "kvm,kvm-amd");

static int __init mermap_init(void)
{
	int err;

	if (!arch_mermap_supported())
		return 0;

	err = mermap_init_local();
	if (err) {
		pr_err("mermap: not available: %d\n", err);
		return err;
	}

	supported = true;
	return 0;
}
subsys_initcall(mermap_init);
