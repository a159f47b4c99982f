// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit test that no CPU keeps a way to a folio which has left a mapping with
 * AS_NO_DIRECT_MAP.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "../../mermap/mermap.h"
#include "../nodirmap.h"

#define NR_FOLIOS 16
/* Not every entry that is seen is kept until it is looked for. */
#define ENOUGH 30
/* An emulator may let a CPU see few of them, or none. */
#define PATIENCE (20 * HZ)

/* On another CPU, with the same mm: reads slots all the time. */
struct onlooker {
	struct mm_struct *mm;
	/* Of the first slot, and how many there are, two pages apart. */
	const void *addr;
	unsigned int slots;
	struct completion done;
	unsigned int reads;
	unsigned int seen;
	bool stop;
};

static int look_on(void *data)
{
	struct onlooker *o = data;
	unsigned char byte;
	unsigned int i;

	kthread_use_mm(o->mm);
	while (!READ_ONCE(o->stop)) {
		for (i = 0; i < o->slots; i++)
			if (!copy_from_kernel_nofault(&byte, o->addr + 2 * i * PAGE_SIZE, 1))
				WRITE_ONCE(o->seen, o->seen + 1);
		/* Pairs with sees_now(). */
		smp_store_release(&o->reads, o->reads + 1);
		cond_resched();
	}
	kthread_unuse_mm(o->mm);
	complete(&o->done);
	return 0;
}

/* Can it read there now?  The first of the rounds may have begun before. */
static bool sees_now(struct onlooker *o)
{
	unsigned int reads, seen;

	reads = READ_ONCE(o->reads);
	/* Pairs with look_on(). */
	while (smp_load_acquire(&o->reads) == reads)
		cpu_relax();
	seen = READ_ONCE(o->seen);
	/* The same. */
	while (smp_load_acquire(&o->reads) - reads < 3)
		cpu_relax();
	return READ_ONCE(o->seen) != seen;
}

static void start(struct kunit *test, struct onlooker *o, unsigned int cpu)
{
	struct task_struct *task;

	init_completion(&o->done);
	task = kthread_create(look_on, o, "onlooker");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, cpu);
	wake_up_process(task);
}

/* Where the mermap maps pages for a task on this CPU that has no other mapping. */
static void look_at_slots(struct onlooker *o, struct page *page)
{
	struct mermap map;

	o->addr = mermap_get(&map, page);
	o->slots = map.in_ring ? MERMAP_RING : 1;
	mermap_put(&map);
}

static void no_cpu_keeps_a_scrubbed_folio(struct kunit *test)
{
	struct onlooker *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);
	unsigned int i, caught = 0, kept = 0, before;
	unsigned long deadline;
	struct folio *folios[NR_FOLIOS];

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs a second CPU");

	KUNIT_ASSERT_NOT_NULL(test, o);
	for (i = 0; i < NR_FOLIOS; i++) {
		folios[i] = folio_alloc(GFP_USER, 0);
		KUNIT_ASSERT_NOT_NULL(test, folios[i]);
		KUNIT_ASSERT_EQ(test, 0, folio_zap_direct_map(folios[i]));
	}

	o->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, o->mm);
	kthread_use_mm(o->mm);
	migrate_disable();
	mermap_prepare();
	look_at_slots(o, folio_page(folios[0], 0));
	start(test, o, cpumask_any_but(cpu_online_mask, smp_processor_id()));

	/* A TLB that forgets what it has cached proves nothing: catch some. */
	deadline = jiffies + PATIENCE;
	for (i = 0; i < 100000 && caught < ENOUGH; i++) {
		if (time_after(jiffies, deadline))
			break;
		before = READ_ONCE(o->seen);
		KUNIT_EXPECT_TRUE(test, nodirmap_scrub(NULL, folios, NR_FOLIOS));
		caught += READ_ONCE(o->seen) != before;
		kept += sees_now(o);
		cond_resched();
	}
	migrate_enable();

	WRITE_ONCE(o->stop, true);
	wait_for_completion(&o->done);
	kthread_unuse_mm(o->mm);
	mmput(o->mm);

	KUNIT_EXPECT_EQ(test, 0, kept);

	for (i = 0; i < NR_FOLIOS; i++) {
		KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folios[i]));
		folio_put(folios[i]);
	}
	if (!caught)
		kunit_skip(test, "no CPU was seen to have a slot in its TLB");
}

static int nodirmap_scrub_test_init(struct kunit *test)
{
	if (!mermap_supported())
		kunit_skip(test, "there is no mermap on this machine");
	return 0;
}

static struct kunit_case nodirmap_scrub_test_cases[] = {
	KUNIT_CASE(no_cpu_keeps_a_scrubbed_folio),
	{}
};

static struct kunit_suite nodirmap_scrub_test_suite = {
	.name = "nodirmap_scrub",
	.init = nodirmap_scrub_test_init,
	.test_cases = nodirmap_scrub_test_cases,
};

kunit_test_suite(nodirmap_scrub_test_suite);
