// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for folios of a mapping with AS_NO_DIRECT_MAP that the direct map
 * lacks from the outset.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mermap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "../../internal.h"
#include "../nodirmap.h"

#define TIMES 8

static struct folio *must_alloc(struct kunit *test)
{
	struct folio *folio = nodirmap_alloc_folio(NULL, GFP_USER, 0, NULL);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	if (!page_is_nodirmap(folio_page(folio, 0))) {
		folio_put(folio);
		kunit_skip(test, "no page block to be had");
	}
	return folio;
}

#ifdef CONFIG_X86
static s64 flushes_of(struct mm_struct *mm)
{
	return atomic64_read(&mm->context.tlb_gen);
}
#endif

/*
 * Before a folio of a page block goes to somebody else, all CPUs have forgotten
 * how the kernel has reached it.  That costs nothing if it has not.
 */
static void no_cpu_keeps_a_removed_folio(struct kunit *test)
{
#ifdef CONFIG_X86
	unsigned int i, kept = 0, idle = 0;
	struct address_space mapping = { };
	struct mm_struct *mm = mm_alloc();
	struct folio *folio;
	s64 before;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mapping_set_no_direct_map(&mapping);
	kthread_use_mm(mm);
	mermap_prepare();
	for (i = 0; i < TIMES; i++) {
		folio = must_alloc(test);
		folio_lock(folio);
		KUNIT_EXPECT_EQ(test, 0, nodirmap_add_folio(&mapping, folio,
							    GFP_USER));
		before = flushes_of(mm);
		nodirmap_remove_folios(nodirmap_marks_of(&mapping), &folio, 1);
		kept += flushes_of(mm) == before;

		before = flushes_of(mm);
		nodirmap_remove_folios(nodirmap_marks_of(&mapping), &folio, 1);
		idle += flushes_of(mm) == before;
		folio_unlock(folio);
		folio_put(folio);
	}
	kthread_unuse_mm(mm);
	mmput(mm);
	nodirmap_exit_mapping(&mapping);

	KUNIT_EXPECT_EQ(test, 0, kept);
	KUNIT_EXPECT_EQ(test, TIMES, idle);
#else
	kunit_skip(test, "needs to know how the architecture counts flushes");
#endif
}

/* The same for a folio that does not get into the mapping. */
static void no_cpu_keeps_a_cancelled_folio(struct kunit *test)
{
#ifdef CONFIG_X86
	struct address_space mapping = { };
	struct mm_struct *mm = mm_alloc();
	unsigned int i, kept = 0;
	struct folio *folio;
	s64 before;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mapping_set_no_direct_map(&mapping);
	kthread_use_mm(mm);
	for (i = 0; i < TIMES; i++) {
		folio = must_alloc(test);
		folio_lock(folio);
		KUNIT_EXPECT_EQ(test, 0, nodirmap_add_folio(&mapping, folio,
							    GFP_USER));
		before = flushes_of(mm);
		nodirmap_undo_add(folio);
		kept += flushes_of(mm) == before;
		folio_unlock(folio);
		folio_put(folio);
	}
	kthread_unuse_mm(mm);
	mmput(mm);
	nodirmap_exit_mapping(&mapping);

	KUNIT_EXPECT_EQ(test, 0, kept);
#else
	kunit_skip(test, "needs to know how the architecture counts flushes");
#endif
}

/* The last of the others that had a reference, e.g. of a batch, lets go. */
static struct folio *let_go(struct folio *src, unsigned long private)
{
	folio_put(src);
	return folio_alloc(GFP_USER, 0);
}

static void free_dst(struct folio *dst, unsigned long private)
{
	folio_put(dst);
}

/* It has no mapping any more that would tell, and no address yet to copy it from. */
static void truncated_folio_is_not_migrated(struct kunit *test)
{
	struct folio *folio;
	unsigned int moved = 0;
	LIST_HEAD(folios);

	if (!IS_ENABLED(CONFIG_MIGRATION))
		kunit_skip(test, "needs CONFIG_MIGRATION");

	folio = must_alloc(test);
	/* Without a cgroup it could not be on an LRU list. */
	KUNIT_ASSERT_EQ(test, 0, mem_cgroup_charge(folio, NULL, GFP_KERNEL));
	folio_add_lru(folio);
	lru_add_drain_all();
	KUNIT_ASSERT_TRUE(test, folio_isolate_lru(folio));
	node_stat_add_folio(folio, NR_ISOLATED_ANON + folio_is_file_lru(folio));
	list_add(&folio->lru, &folios);

	KUNIT_EXPECT_NE(test, 0, migrate_pages(&folios, let_go, free_dst, 0, MIGRATE_ASYNC,
					       MR_SYSCALL, &moved));
	KUNIT_EXPECT_EQ(test, 0, moved);
	KUNIT_EXPECT_FALSE(test, list_empty(&folios));
	KUNIT_EXPECT_FALSE(test, folio_test_hwpoison(folio));
	putback_movable_pages(&folios);
	lru_add_drain_all();
}

static int nodirmap_folios_test_init(struct kunit *test)
{
	if (!nodirmap_use_blocks())
		kunit_skip(test, "this machine has no page blocks outside the direct map");
	return 0;
}

static struct kunit_case nodirmap_folios_test_cases[] = {
	KUNIT_CASE(no_cpu_keeps_a_removed_folio),
	KUNIT_CASE(no_cpu_keeps_a_cancelled_folio),
	KUNIT_CASE(truncated_folio_is_not_migrated),
	{}
};

static struct kunit_suite nodirmap_folios_test_suite = {
	.name = "nodirmap_folios",
	.init = nodirmap_folios_test_init,
	.test_cases = nodirmap_folios_test_cases,
};

kunit_test_suite(nodirmap_folios_test_suite);
