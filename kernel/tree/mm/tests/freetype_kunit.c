// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the names of free lists: freetypes, their indexes, and the
 * lists of free pages of a CPU.
 */
#include <kunit/test.h>
#include <linux/freetype.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "../page_alloc.h"

static void need_nodirmap(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_NODIRMAP_BLOCKS))
		kunit_skip(test, "all free lists are in the direct map");
}

static freetype_t nodirmap(int migratetype)
{
	return make_freetype(migratetype, FREETYPE_NODIRMAP);
}

static void freetype_from_index_is_inverse(struct kunit *test)
{
	for (int idx = 0; idx < NR_FREETYPES; idx++) {
		freetype_t freetype = freetype_from_index(idx);

		KUNIT_EXPECT_EQ(test, freetype_index(freetype), idx);
		KUNIT_EXPECT_LT(test, freetype_list(freetype), NR_FREE_LISTS);
	}
}

/* Tools that read the lists of a dump rely on it */
static void freetype_without_flags_is_migratetype(struct kunit *test)
{
	for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
		freetype_t freetype = make_freetype(mt, 0);

		KUNIT_EXPECT_EQ(test, freetype_index(freetype), mt);
		KUNIT_EXPECT_EQ(test, freetype_list(freetype), mt);
		KUNIT_EXPECT_EQ(test, freetype_migratetype(freetype), mt);
		KUNIT_EXPECT_EQ(test, freetype_flags(freetype), 0);
	}
}

static void freetype_keeps_both_parts(struct kunit *test)
{
	need_nodirmap(test);

	for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
		KUNIT_EXPECT_EQ(test, freetype_migratetype(nodirmap(mt)), mt);
		KUNIT_EXPECT_EQ(test, freetype_flags(nodirmap(mt)),
				FREETYPE_NODIRMAP);
	}
}

static void freetype_nodirmap_only_unmovable(struct kunit *test)
{
	need_nodirmap(test);

	for (int mt = 0; mt < MIGRATE_TYPES; mt++)
		KUNIT_EXPECT_EQ(test, freetype_index(nodirmap(mt)),
				mt == MIGRATE_UNMOVABLE ? MIGRATE_TYPES : -1);
}

/* Lists that do not exist had better be out of reach */
static void freetype_flags_are_dropped(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_NODIRMAP_BLOCKS))
		kunit_skip(test, "there are flags");

	KUNIT_EXPECT_EQ(test, NR_FREETYPES, MIGRATE_TYPES);
	for (int mt = 0; mt < MIGRATE_TYPES; mt++)
		KUNIT_EXPECT_EQ(test, freetype_index(nodirmap(mt)), mt);
}

static void freetype_with_migratetype_keeps_flags(struct kunit *test)
{
	for (int idx = 0; idx < NR_FREETYPES; idx++) {
		freetype_t freetype = freetype_from_index(idx);

		for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
			freetype_t other = freetype_with_migratetype(freetype, mt);

			KUNIT_EXPECT_EQ(test, freetype_migratetype(other), mt);
			KUNIT_EXPECT_TRUE(test, freetype_same_flags(other, freetype));
		}
	}
}

static void freetype_comparisons(struct kunit *test)
{
	for (int a = 0; a < NR_FREETYPES; a++) {
		for (int b = 0; b < NR_FREETYPES; b++) {
			freetype_t fa = freetype_from_index(a);
			freetype_t fb = freetype_from_index(b);

			KUNIT_EXPECT_EQ(test, freetype_equal(fa, fb), a == b);
			/* One list, the last, has a flag */
			KUNIT_EXPECT_EQ(test, freetype_same_flags(fa, fb),
					(a < MIGRATE_TYPES) == (b < MIGRATE_TYPES));
		}
	}
}

static void freetype_names_differ(struct kunit *test)
{
	for (int a = 0; a < NR_FREETYPES; a++) {
		for (int b = 0; b < a; b++)
			KUNIT_EXPECT_STRNEQ(test,
					    freetype_name(freetype_from_index(a)),
					    freetype_name(freetype_from_index(b)));
	}
}

static void expect_request(struct kunit *test, gfp_t gfp,
			   unsigned int alloc_flags, freetype_t freetype)
{
	KUNIT_EXPECT_EQ(test, freetype_index(gfp_freetype(gfp, alloc_flags)),
			freetype_index(freetype));
}

static void freetype_of_request(struct kunit *test)
{
	if (page_group_by_mobility_disabled)
		kunit_skip(test, "too little memory to group it");

	expect_request(test, GFP_HIGHUSER, 0,
		       make_freetype(MIGRATE_UNMOVABLE, 0));
	expect_request(test, GFP_HIGHUSER_MOVABLE, 0,
		       make_freetype(MIGRATE_MOVABLE, 0));
	expect_request(test, GFP_KERNEL | __GFP_RECLAIMABLE, 0,
		       make_freetype(MIGRATE_RECLAIMABLE, 0));
}

/* Watermarks and the other flags of a request are not its concern */
static void freetype_of_nodirmap_request(struct kunit *test)
{
	need_nodirmap(test);

	expect_request(test, GFP_HIGHUSER, ALLOC_UNMAPPED,
		       nodirmap(MIGRATE_UNMOVABLE));
	expect_request(test, GFP_USER, ALLOC_UNMAPPED | ALLOC_WMARK_LOW,
		       nodirmap(MIGRATE_UNMOVABLE));
	expect_request(test, GFP_HIGHUSER, (unsigned int)~ALLOC_UNMAPPED,
		       make_freetype(gfp_migratetype(GFP_HIGHUSER), 0));
}

static bool has_pcp_list(freetype_t freetype, unsigned int order)
{
	return freetype_migratetype(freetype) < MIGRATE_PCPTYPES &&
	       pcp_allowed_order(order) && pcp_allowed_freetype(freetype, order);
}

static void pcp_lists_hold_one_order(struct kunit *test)
{
	for (int idx = 0; idx < NR_FREETYPES; idx++) {
		freetype_t freetype = freetype_from_index(idx);

		for (int order = 0; order < NR_PAGE_ORDERS; order++) {
			unsigned int pindex;

			if (!has_pcp_list(freetype, order))
				continue;

			pindex = order_to_pindex(freetype, order);
			KUNIT_ASSERT_LT(test, pindex, NR_PCP_LISTS);
			KUNIT_EXPECT_EQ(test, pindex_to_order(pindex), order);
		}
	}
}

/* Lists for THP serve more than one type, but never differing flags */
static void pcp_lists_do_not_mix(struct kunit *test)
{
	freetype_t of[NR_PCP_LISTS];
	bool used[NR_PCP_LISTS] = {};

	for (int idx = 0; idx < NR_FREETYPES; idx++) {
		freetype_t freetype = freetype_from_index(idx);

		for (int order = 0; order < NR_PAGE_ORDERS; order++) {
			unsigned int pindex;

			if (!has_pcp_list(freetype, order))
				continue;

			pindex = order_to_pindex(freetype, order);
			KUNIT_ASSERT_LT(test, pindex, NR_PCP_LISTS);

			if (used[pindex]) {
				KUNIT_EXPECT_GT(test, order,
						PAGE_ALLOC_COSTLY_ORDER);
				KUNIT_EXPECT_TRUE(test,
						  freetype_same_flags(of[pindex],
								      freetype));
			}
			used[pindex] = true;
			of[pindex] = freetype;
		}
	}

	for (int pindex = 0; pindex < NR_PCP_LISTS; pindex++)
		KUNIT_EXPECT_TRUE(test, used[pindex]);
}

static void no_pcp_list_for_nodirmap_thp(struct kunit *test)
{
	need_nodirmap(test);

	for (int order = 0; order < NR_PAGE_ORDERS; order++)
		KUNIT_EXPECT_EQ(test,
				has_pcp_list(nodirmap(MIGRATE_UNMOVABLE), order),
				order <= PAGE_ALLOC_COSTLY_ORDER);
}

static void expect_block(struct kunit *test, struct page *page, int migratetype,
			 unsigned int flags)
{
	freetype_t freetype = get_pageblock_freetype(page);

	KUNIT_EXPECT_EQ(test, freetype_migratetype(freetype), migratetype);
	KUNIT_EXPECT_EQ(test, get_pageblock_migratetype(page), migratetype);
	KUNIT_EXPECT_EQ(test, freetype_flags(freetype), flags);
	KUNIT_EXPECT_EQ(test, get_pageblock_nodirmap(page), !!flags);
}

/* The block is all ours, so that no free list learns what we say of it */
static void pageblock_bit_is_flag(struct kunit *test)
{
	struct page *page;
	int migratetype;
	bool skip;

	need_nodirmap(test);

	page = alloc_pages(GFP_KERNEL, pageblock_order);
	KUNIT_ASSERT_NOT_NULL(test, page);

	migratetype = get_pageblock_migratetype(page);
	skip = get_pageblock_skip(page);
	expect_block(test, page, migratetype, 0);

	set_pageblock_nodirmap(page);
	expect_block(test, page, migratetype, FREETYPE_NODIRMAP);
	expect_block(test, page + pageblock_nr_pages - 1, migratetype,
		     FREETYPE_NODIRMAP);
	KUNIT_EXPECT_EQ(test, get_pageblock_skip(page), skip);

	clear_pageblock_nodirmap(page);
	expect_block(test, page, migratetype, 0);

	__free_pages(page, pageblock_order);
}

static struct kunit_case freetype_test_cases[] = {
	KUNIT_CASE(freetype_from_index_is_inverse),
	KUNIT_CASE(freetype_without_flags_is_migratetype),
	KUNIT_CASE(freetype_keeps_both_parts),
	KUNIT_CASE(freetype_nodirmap_only_unmovable),
	KUNIT_CASE(freetype_flags_are_dropped),
	KUNIT_CASE(freetype_with_migratetype_keeps_flags),
	KUNIT_CASE(freetype_comparisons),
	KUNIT_CASE(freetype_names_differ),
	KUNIT_CASE(freetype_of_request),
	KUNIT_CASE(freetype_of_nodirmap_request),
	KUNIT_CASE(pcp_lists_hold_one_order),
	KUNIT_CASE(pcp_lists_do_not_mix),
	KUNIT_CASE(no_pcp_list_for_nodirmap_thp),
	KUNIT_CASE(pageblock_bit_is_flag),
	{}
};

static struct kunit_suite freetype_test_suite = {
	.name = "freetype",
	.test_cases = freetype_test_cases,
};

kunit_test_suite(freetype_test_suite);
