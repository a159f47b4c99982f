// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for folios that leave the direct map and come back.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "../nodirmap.h"

#define PATTERN 0x5a
/* How often, and how many pages to look at for the one that was just freed. */
#define ROUNDS 200
#define TRIES 64

static bool readable(struct folio *folio)
{
	unsigned char byte;

	return !copy_from_kernel_nofault(&byte, folio_address(folio), 1);
}

static void expect_mapped(struct kunit *test, struct folio *folio)
{
	KUNIT_EXPECT_TRUE(test, kernel_page_present(folio_page(folio, 0)));
	KUNIT_EXPECT_TRUE(test, readable(folio));
}

static void expect_absent(struct kunit *test, struct folio *folio)
{
	KUNIT_EXPECT_FALSE(test, kernel_page_present(folio_page(folio, 0)));
	KUNIT_EXPECT_FALSE(test, readable(folio));
}

static struct folio *new_folio(struct kunit *test, unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_USER | __GFP_ZERO, order);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	return folio;
}

static void zap_and_restore(struct kunit *test)
{
	struct folio *folio = new_folio(test, 0);

	memset(folio_address(folio), PATTERN, PAGE_SIZE);
	expect_mapped(test, folio);

	KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(folio));
	expect_absent(test, folio);

	KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folio));
	expect_mapped(test, folio);
	KUNIT_EXPECT_NULL(test, memchr_inv(folio_address(folio), PATTERN, PAGE_SIZE));

	folio_put(folio);
}

static void neighbours_stay(struct kunit *test)
{
	struct page *pages = alloc_pages(GFP_USER | __GFP_ZERO, 2);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	split_page(pages, 2);

	KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(page_folio(pages + 1)));
	expect_mapped(test, page_folio(pages));
	expect_absent(test, page_folio(pages + 1));
	expect_mapped(test, page_folio(pages + 2));
	KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(page_folio(pages + 1)));

	for (i = 0; i < 4; i++)
		put_page(pages + i);
}

static void large_folio_is_refused(struct kunit *test)
{
	struct folio *folio = new_folio(test, 1);

	KUNIT_EXPECT_EQ(test, -EINVAL, folio_zap_direct_map(folio));
	expect_mapped(test, folio);
	folio_put(folio);
}

static void poisoned_folio_stays_out(struct kunit *test)
{
	struct folio *folio;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");

	folio = new_folio(test, 0);
	KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(folio));

	SetPageHWPoison(folio_page(folio, 0));
	KUNIT_EXPECT_EQ(test, -EHWPOISON, folio_restore_direct_map(folio));
	expect_absent(test, folio);
	ClearPageHWPoison(folio_page(folio, 0));

	KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folio));
	folio_put(folio);
}

/*
 * vfree() frees pages whose translations are still in TLBs.  Once such a page is
 * outside the direct map, no CPU may read it at its old address either.
 */
static void old_vmalloc_address_is_flushed(struct kunit *test)
{
	struct folio **tried = kunit_kcalloc(test, TRIES, sizeof(*tried), GFP_KERNEL);
	unsigned int i, j, found = 0, kept = 0;

	KUNIT_ASSERT_NOT_NULL(test, tried);
	for (i = 0; i < ROUNDS; i++) {
		unsigned char *old = vmalloc(PAGE_SIZE), byte;
		struct folio *folio = NULL;
		struct page *page;

		KUNIT_ASSERT_NOT_NULL(test, old);
		page = vmalloc_to_page(old);
		WRITE_ONCE(*old, PATTERN);
		vfree(old);

		for (j = 0; j < TRIES && !folio; j++) {
			tried[j] = new_folio(test, 0);
			if (folio_page(tried[j], 0) == page)
				folio = tried[j];
		}
		if (folio) {
			found++;
			KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(folio));
			kept += !copy_from_kernel_nofault(&byte, old, 1);
			KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folio));
		}
		while (j--)
			folio_put(tried[j]);
	}

	KUNIT_EXPECT_LT(test, 0, found);
	KUNIT_EXPECT_EQ(test, 0, kept);
}

#ifdef CONFIG_X86_64
static pteval_t direct_map_flags(struct kunit *test, struct folio *folio)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)folio_address(folio), &level);

	KUNIT_ASSERT_NOT_NULL(test, pte);
	KUNIT_EXPECT_EQ(test, PG_LEVEL_4K, level);
	return pte_flags(*pte) & ~_PAGE_ACCESSED;
}

static void every_bit_comes_back(struct kunit *test)
{
	struct folio *folio = new_folio(test, 0);
	pteval_t first;

	/* The first cycle splits a large page; compare entries of one size. */
	KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(folio));
	KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folio));
	first = direct_map_flags(test, folio);
	KUNIT_EXPECT_EQ(test, pgprot_val(PAGE_KERNEL) & ~_PAGE_ACCESSED, first);

	KUNIT_EXPECT_EQ(test, 0, folio_zap_direct_map(folio));
	KUNIT_EXPECT_EQ(test, 0, folio_restore_direct_map(folio));
	KUNIT_EXPECT_EQ(test, first, direct_map_flags(test, folio));

	folio_put(folio);
}
#endif

static struct kunit_case nodirmap_convert_test_cases[] = {
	KUNIT_CASE(zap_and_restore),
	KUNIT_CASE(neighbours_stay),
	KUNIT_CASE(large_folio_is_refused),
	KUNIT_CASE(poisoned_folio_stays_out),
	KUNIT_CASE(old_vmalloc_address_is_flushed),
#ifdef CONFIG_X86_64
	KUNIT_CASE(every_bit_comes_back),
#endif
	{}
};

static int nodirmap_convert_test_init(struct kunit *test)
{
	if (!can_set_direct_map())
		kunit_skip(test, "the direct map cannot be changed here");
	return 0;
}

static struct kunit_suite nodirmap_convert_test_suite = {
	.name = "nodirmap_convert",
	.init = nodirmap_convert_test_init,
	.test_cases = nodirmap_convert_test_cases,
};

kunit_test_suite(nodirmap_convert_test_suite);
