// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes of what ephemeral mappings have left in TLBs, before pages change
 * owner.
 *
 * Each mm counts the flushes that have started and that are complete.  The flush
 * that a mapping needs is one that starts after its end: the next one.  Which mm
 * that is, and the number of that flush, is a mark.  The owner of pages keeps the
 * marks, so that what it needs is flushed and nothing else, once for all pages
 * whose mappings ended before.
 *
 * No lock is common to more than one mm, or to more than one owner of pages.
 */
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "mermap.h"

/* More processes than this that map pages of one owner flush themselves. */
#define NR_MARKS	4

/* No flush but that of an exit has this number, or a higher one. */
#define NEVER_FLUSHED	(U64_MAX - 1)

/**
 * struct mermap_mark - a flush that pages of an owner need
 * @m: The mm to flush, with a reference, or NULL.
 * @seq: The number of its flush.
 */
struct mermap_mark {
	struct mermap_mm *m;
	u64 seq;
};

/**
 * struct mermap_marks - the flushes that pages of an owner need
 * @refs: References.
 * @lock: Protects @mark.
 * @mark: One for each mm.
 */
struct mermap_marks {
	refcount_t refs;
	/* For @mark. */
	spinlock_t lock;
	struct mermap_mark mark[NR_MARKS];
};

static bool is_flushed(struct mermap_mm *m, u64 seq)
{
	/* Pairs with flush(), and with the exit of the mm. */
	return smp_load_acquire(&m->completed) >= seq;
}

/* Which flush the mappings that the task has put need. */
static u64 needed_flush(struct mermap_mm *m)
{
	/*
	 * Order the clearing of their slots before the load of the count.  Pairs
	 * with flush(): a flush that is not counted here finds the slots clear,
	 * and no CPU can cache them again.
	 */
	smp_mb();
	return READ_ONCE(m->started) + 1;
}

/* A task that waits for the lock needs this flush, or the next one at most. */
static void flush(struct mermap_mm *m, u64 seq)
{
	if (is_flushed(m, seq))
		return;

	guard(mutex)(&m->flush_lock);

	if (is_flushed(m, seq))
		return;

	WRITE_ONCE(m->started, m->started + 1);
	/* Pairs with needed_flush(). */
	smp_mb();
	mermap_flush_mm_range(m->mm);
	count_vm_event(MERMAP_FLUSH);
	/* Pairs with is_flushed(). */
	smp_store_release(&m->completed, m->started);
}

/**
 * mermap_flush - make sure that no CPU has cached what the task has mapped
 *
 * Covers all mappings that threads of the task's process have put when it is
 * called.  Interrupts the CPUs that run such threads, and no others.
 *
 * For pages that no other process has mapped, like those that are new to their
 * owner.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void mermap_flush(void)
{
	struct mermap_mm *m = mermap_of_current();

	might_sleep();

	if (m)
		flush(m, needed_flush(m));
}
EXPORT_SYMBOL_FOR_MODULES(mermap_flush, "kvm,kvm-amd");

static struct mermap_marks *alloc_marks(struct mermap_marks **where)
{
	struct mermap_marks *new, *old;

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!new)
		return NULL;

	refcount_set(&new->refs, 1);
	spin_lock_init(&new->lock);

	old = cmpxchg(where, NULL, new);
	if (!old)
		return new;

	/* Another task was faster. */
	kfree(new);
	return old;
}

/* Return: whether there was room for it. */
static bool add_mark(struct mermap_marks *marks, struct mermap_mm *m, u64 seq)
{
	struct mermap_mark *mark, *unused = NULL;

	guard(spinlock)(&marks->lock);

	for (mark = marks->mark; mark < marks->mark + NR_MARKS; mark++) {
		if (mark->m == m) {
			mark->seq = max(mark->seq, seq);
			return true;
		}
		if (!mark->m || is_flushed(mark->m, mark->seq))
			unused = mark;
	}
	if (!unused)
		return false;

	if (unused->m)
		mermap_put_mm(unused->m);
	refcount_inc(&m->refs);
	unused->m = m;
	unused->seq = seq;
	return true;
}

/**
 * mermap_mark - note that the task has mapped pages of an owner
 * @marks: Where the owner keeps its marks; NULL in there at first.  NULL if the owner
 *	can keep none.
 *
 * Call it after mermap_put(), and before somebody else could take one of the
 * pages from the owner.  The task that takes it calls mermap_flush_marks().
 *
 * Where there is no room for another mark, the task's own mm is flushed at once.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void mermap_mark(struct mermap_marks **marks)
{
	struct mermap_mm *m = mermap_of_current();
	struct mermap_marks *p;
	u64 seq;

	might_sleep();

	if (!m)
		return;

	seq = needed_flush(m);
	p = marks ? READ_ONCE(*marks) ?: alloc_marks(marks) : NULL;
	if (!p || !add_mark(p, m, seq))
		flush(m, seq);
}
EXPORT_SYMBOL_FOR_MODULES(mermap_mark, "kvm,kvm-amd");

/**
 * mermap_mark_lasting - note that the task's process maps pages at any time
 * @marks: As for mermap_mark().
 *
 * For an owner whose pages are mapped where the task must not sleep.  From now on
 * each mermap_flush_marks() flushes the task's mm.
 *
 * Context: Process context, may sleep, interrupts enabled.
 * Return: false if that cannot be noted: the task must not map the pages then.
 */
bool mermap_mark_lasting(struct mermap_marks **marks)
{
	struct mermap_mm *m;
	struct mermap_marks *p;

	might_sleep();

	mermap_prepare();
	m = mermap_of_current();
	if (!m)
		return !current->mm;

	p = marks ? READ_ONCE(*marks) ?: alloc_marks(marks) : NULL;
	if (!p)
		return false;
	if (add_mark(p, m, NEVER_FLUSHED))
		return true;

	/* Others have all marks, of which those are free that have been flushed. */
	mermap_flush_marks(p);
	return add_mark(p, m, NEVER_FLUSHED);
}
EXPORT_SYMBOL_FOR_MODULES(mermap_mark_lasting, "kvm,kvm-amd");

static void flush_mark(struct mermap_marks *marks, struct mermap_mark *mark)
{
	struct mermap_mm *m;
	u64 seq;

	scoped_guard(spinlock, &marks->lock) {
		m = mark->m;
		seq = mark->seq;
		if (!m || is_flushed(m, seq))
			return;
		refcount_inc(&m->refs);
	}

	flush(m, seq);
	mermap_put_mm(m);
}

/**
 * mermap_flush_marks - make sure that no CPU has cached pages of an owner
 * @marks: The owner's marks, or NULL.
 *
 * Call it before pages go to another owner, and for as many as possible.  It
 * covers all pages for whose mappings mermap_mark() has returned.
 *
 * Flushes the marked mms, unless that was done since they were marked.  What
 * interrupts other CPUs is that they run threads of a process that has mapped
 * pages of this owner.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void mermap_flush_marks(struct mermap_marks *marks)
{
	unsigned int i;

	might_sleep();

	for (i = 0; marks && i < NR_MARKS; i++)
		flush_mark(marks, &marks->mark[i]);
}
EXPORT_SYMBOL_FOR_MODULES(mermap_flush_marks, "kvm,kvm-amd");

/**
 * mermap_get_marks - keep marks beyond the life of their owner
 * @marks: The marks, of an owner that lives, or NULL.
 *
 * Return: @marks, to be put with mermap_put_marks().
 */
struct mermap_marks *mermap_get_marks(struct mermap_marks *marks)
{
	if (marks)
		refcount_inc(&marks->refs);
	return marks;
}

/**
 * mermap_put_marks - drop a reference to marks
 * @marks: The marks, or NULL.  The owner has no pages any more, or the caller has
 *	got the reference from mermap_get_marks().
 *
 * Context: Any.
 */
void mermap_put_marks(struct mermap_marks *marks)
{
	unsigned int i;

	if (!marks || !refcount_dec_and_test(&marks->refs))
		return;

	for (i = 0; i < NR_MARKS; i++)
		if (marks->mark[i].m)
			mermap_put_mm(marks->mark[i].m);
	kfree(marks);
}
