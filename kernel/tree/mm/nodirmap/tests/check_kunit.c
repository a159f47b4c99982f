// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the sweep over memory outside the direct map.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nodirmap.h>
#include <linux/page-isolation.h>
#include <linux/pagemap.h>
#include <linux/set_memory.h>

#include <asm/tlbflush.h>

#include "../nodirmap.h"

static const struct file_operations test_fops;

static const struct address_space_operations test_aops = {
	.dirty_folio = noop_dirty_folio,
};

static unsigned long nr_wrong(void)
{
	struct nodirmap_sweep sweep;

	nodirmap_sweep(&sweep);
	return sweep.wrong;
}

static struct folio *add_folio(struct kunit *test)
{
	struct file *file = test->priv;
	struct folio *folio;

	folio = __filemap_get_folio(file->f_mapping, 0, FGP_LOCK | FGP_CREAT, GFP_USER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_unlock(folio);
	return folio;
}

static void page_in_the_map_is_found(struct kunit *test)
{
	struct folio *folio = add_folio(test);
	struct page *page = folio_page(folio, 0);

	KUNIT_EXPECT_EQ(test, 0, nr_wrong());
	KUNIT_ASSERT_EQ(test, 0, set_direct_map_default_noflush(page));
	KUNIT_EXPECT_EQ(test, 1, nr_wrong());
	KUNIT_ASSERT_EQ(test, 0, set_direct_map_invalid_noflush(page));
	flush_tlb_all();
	KUNIT_EXPECT_EQ(test, 0, nr_wrong());
	folio_put(folio);
}

static void free_page_outside_is_found(struct kunit *test)
{
#ifdef CONFIG_MEMORY_ISOLATION
	struct page *page = alloc_pages(GFP_USER, pageblock_order);
	unsigned long pfn, end;

	if (debug_pagealloc_enabled())
		kunit_skip(test, "debug_pagealloc takes free pages out");
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	end = pfn + pageblock_nr_pages;
	__free_pages(page, pageblock_order);
	/* Nobody can have a page of it meanwhile. */
	KUNIT_ASSERT_EQ(test, 0, start_isolate_page_range(pfn, end,
							  PB_ISOLATE_MODE_OTHER));
	drain_all_pages(page_zone(page));

	KUNIT_EXPECT_EQ(test, 0, set_direct_map_invalid_noflush(page));
	flush_tlb_all();
	KUNIT_EXPECT_EQ(test, 1, nr_wrong());
	KUNIT_EXPECT_EQ(test, 0, set_direct_map_default_noflush(page));
	KUNIT_EXPECT_EQ(test, 0, nr_wrong());
	undo_isolate_page_range(pfn, end);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_ISOLATION");
#endif
}

static void page_is_counted(struct kunit *test)
{
	struct folio *folio = add_folio(test);
	struct nodirmap_sweep sweep;

	nodirmap_sweep(&sweep);
	KUNIT_EXPECT_GT(test, sweep.in_blocks + sweep.single, 0);
	KUNIT_EXPECT_EQ(test, 0, sweep.holes);
	folio_put(folio);
}

static int nodirmap_check_test_init(struct kunit *test)
{
	struct file *file;

	if (!can_set_direct_map())
		kunit_skip(test, "the direct map cannot be changed");

	file = anon_inode_create_getfile("[nodirmap_check_test]", &test_fops, NULL,
					 O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	file->f_mapping->a_ops = &test_aops;
	mapping_set_gfp_mask(file->f_mapping, GFP_USER);
	mapping_set_no_direct_map(file->f_mapping);
	test->priv = file;
	return 0;
}

static void nodirmap_check_test_exit(struct kunit *test)
{
	struct file *file = test->priv;

	if (file)
		__fput_sync(file);
}

static struct kunit_case nodirmap_check_test_cases[] = {
	KUNIT_CASE(page_in_the_map_is_found),
	KUNIT_CASE(free_page_outside_is_found),
	KUNIT_CASE(page_is_counted),
	{}
};

static struct kunit_suite nodirmap_check_test_suite = {
	.name = "nodirmap_check",
	.init = nodirmap_check_test_init,
	.exit = nodirmap_check_test_exit,
	.test_cases = nodirmap_check_test_cases,
};

kunit_test_suite(nodirmap_check_test_suite);
