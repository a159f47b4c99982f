// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for AS_NO_DIRECT_MAP: every way in, every way out.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/pagemap.h>
#include <linux/set_memory.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include "../../internal.h"
#include "../nodirmap.h"

#define PATTERN 0x5a
#define NR_FOLIOS 40 /* more than a folio_batch */

static const struct file_operations test_fops;

static const struct address_space_operations test_aops = {
	.dirty_folio = noop_dirty_folio,
};

struct test_state {
	struct file *file;
	struct address_space *mapping;
	struct folio *folios[NR_FOLIOS];
};

static bool readable(struct folio *folio)
{
	unsigned char byte;

	return !copy_from_kernel_nofault(&byte, folio_address(folio), 1);
}

static void expect_absent(struct kunit *test, struct folio *folio)
{
	KUNIT_EXPECT_FALSE(test, kernel_page_present(folio_page(folio, 0)));
	KUNIT_EXPECT_FALSE(test, readable(folio));
}

static void expect_back(struct kunit *test, struct folio *folio, int contents)
{
	KUNIT_EXPECT_TRUE(test, kernel_page_present(folio_page(folio, 0)));
	KUNIT_ASSERT_TRUE(test, readable(folio));
	KUNIT_EXPECT_NULL(test, memchr_inv(folio_address(folio), contents,
					   PAGE_SIZE));
}

/* A folio that still holds what its last owner left. */
static struct folio *dirty_folio(struct kunit *test)
{
	struct folio *folio = folio_alloc(GFP_USER, 0);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	memset(folio_address(folio), PATTERN, PAGE_SIZE);
	return folio;
}

/*
 * Each folio keeps the reference of the test, so that it can be looked at
 * after it has left the mapping.
 */
static void fill(struct kunit *test)
{
	struct test_state *state = test->priv;
	int i;

	for (i = 0; i < NR_FOLIOS; i++) {
		struct folio *folio = dirty_folio(test);

		state->folios[i] = folio;
		KUNIT_ASSERT_EQ(test, 0, filemap_add_folio(state->mapping, folio,
							   i, GFP_KERNEL));
		KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
		expect_absent(test, folio);
		folio_unlock(folio);
	}
	/* No folio may sit in the batches of the LRU with a reference. */
	lru_add_drain_all();
}

static void expect_all_back(struct kunit *test)
{
	struct test_state *state = test->priv;
	int i;

	KUNIT_EXPECT_EQ(test, 0, state->mapping->nrpages);
	for (i = 0; i < NR_FOLIOS; i++) {
		expect_back(test, state->folios[i], 0);
		folio_put(state->folios[i]);
		state->folios[i] = NULL;
	}
}

static void one_by_one(struct kunit *test)
{
	struct test_state *state = test->priv;
	int i;

	fill(test);
	for (i = 0; i < NR_FOLIOS; i++) {
		folio_lock(state->folios[i]);
		filemap_remove_folio(state->folios[i]);
		folio_unlock(state->folios[i]);
	}
	expect_all_back(test);
}

static void truncated_in_batches(struct kunit *test)
{
	struct test_state *state = test->priv;

	fill(test);
	truncate_inode_pages(state->mapping, 0);
	expect_all_back(test);
}

static void invalidated(struct kunit *test)
{
	struct test_state *state = test->priv;

	fill(test);
	KUNIT_EXPECT_EQ(test, 0, invalidate_inode_pages2(state->mapping));
	expect_all_back(test);
}

/* The way of reclaim, through remove_mapping(): the folio has no other user. */
static void evicted(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = dirty_folio(test);
	int err;

	err = filemap_add_folio(state->mapping, folio, 0, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, err);
	expect_absent(test, folio);
	folio_unlock(folio);
	lru_add_drain_all();

	folio_lock(folio);
	KUNIT_EXPECT_EQ(test, 1, remove_mapping(state->mapping, folio));
	expect_back(test, folio, 0);
	folio_unlock(folio);
	folio_put(folio);
}

/* Clean and without users as it looks, it may still be mapped into a guest. */
static void inaccessible_is_not_evicted(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = dirty_folio(test);
	int err;

	mapping_set_inaccessible(state->mapping);
	err = filemap_add_folio(state->mapping, folio, 0, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, err);
	folio_unlock(folio);
	lru_add_drain_all();
	/* Only the page cache has a reference now. */
	folio_put(folio);

	KUNIT_EXPECT_EQ(test, 0, invalidate_mapping_pages(state->mapping, 0, -1));
	KUNIT_EXPECT_EQ(test, 1, state->mapping->nrpages);
	truncate_inode_pages(state->mapping, 0);
}

static void index_taken(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *late = dirty_folio(test);
	struct folio *filled = dirty_folio(test);

	fill(test);

	/* It was to be cleared, and then did not get in. */
	KUNIT_EXPECT_EQ(test, -EEXIST, filemap_add_folio(state->mapping, late,
							 3, GFP_KERNEL));
	expect_back(test, late, 0);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(late));

	/* It came with contents, which are not to be lost. */
	__folio_mark_uptodate(filled);
	KUNIT_EXPECT_EQ(test, -EEXIST, filemap_add_folio(state->mapping, filled,
							 3, GFP_KERNEL));
	expect_back(test, filled, PATTERN);

	folio_put(filled);
	folio_put(late);
	truncate_inode_pages(state->mapping, 0);
	expect_all_back(test);
}

/* Machines without a mermap clear a folio while the direct map has it. */
static bool no_mermap(void)
{
	return false;
}

static void added_folio_is_clear(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = dirty_folio(test);

	kunit_activate_static_stub(test, nodirmap_has_mermap, no_mermap);
	folio_lock(folio);
	KUNIT_ASSERT_EQ(test, 0, nodirmap_add_folio(state->mapping, folio, GFP_KERNEL));
	expect_absent(test, folio);
	nodirmap_undo_add(folio);
	expect_back(test, folio, 0);
	folio_unlock(folio);
	folio_put(folio);
}

static void removed_folio_is_clear(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = dirty_folio(test);

	kunit_activate_static_stub(test, nodirmap_has_mermap, no_mermap);
	folio_lock(folio);
	/* It comes with contents. */
	__folio_mark_uptodate(folio);
	KUNIT_ASSERT_EQ(test, 0, nodirmap_add_folio(state->mapping, folio, GFP_KERNEL));
	expect_absent(test, folio);
	KUNIT_EXPECT_TRUE(test, nodirmap_remove_folio(NULL, folio));
	expect_back(test, folio, 0);
	folio_unlock(folio);
	folio_put(folio);
}

static void large_folio_is_refused(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = folio_alloc(GFP_USER | __GFP_ZERO, 1);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_EXPECT_EQ(test, -EINVAL, filemap_add_folio(state->mapping, folio,
							 0, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, state->mapping->nrpages);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_TRUE(test, readable(folio));
	folio_put(folio);
}

static void no_blocking_no_folio(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = dirty_folio(test);

	KUNIT_EXPECT_EQ(test, -ENOMEM, filemap_add_folio(state->mapping, folio,
							 0, GFP_NOWAIT));
	expect_back(test, folio, PATTERN);
	folio_put(folio);
}

static void poisoned_folio_stays_out(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");

	folio = dirty_folio(test);
	KUNIT_ASSERT_EQ(test, 0, filemap_add_folio(state->mapping, folio,
						   0, GFP_KERNEL));
	folio_unlock(folio);

	SetPageHWPoison(folio_page(folio, 0));
	truncate_inode_pages(state->mapping, 0);
	KUNIT_EXPECT_EQ(test, 0, state->mapping->nrpages);
	expect_absent(test, folio);
	/* Given up for good, as every page with a memory error. */
	folio_put(folio);
}

/* A task that wants its range of memory gets an error, and does not try for ever. */
static void cannot_be_moved_away(struct kunit *test)
{
#ifdef CONFIG_MEMORY_ISOLATION
	struct test_state *state = test->priv;
	unsigned long step = 1;
	struct page *page;

	fill(test);
	page = folio_page(state->folios[0], 0);
	KUNIT_EXPECT_TRUE(test, PageLRU(page));
	KUNIT_EXPECT_TRUE(test, page_is_unmovable(page_zone(page), page,
						  PB_ISOLATE_MODE_MEM_OFFLINE,
						  &step));
	truncate_inode_pages(state->mapping, 0);
	expect_all_back(test);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_ISOLATION");
#endif
}

static void hibernation_is_refused(struct kunit *test)
{
	struct test_state *state = test->priv;

	KUNIT_EXPECT_TRUE(test, mapping_no_direct_map(state->mapping));
	KUNIT_EXPECT_TRUE(test, nodirmap_active());
}

/* GUP-fast may find a mapping by a folio, and look at its flags when both are gone. */
static void flag_outlives_folios(struct kunit *test)
{
	struct address_space mapping = { };

	mapping_set_no_direct_map(&mapping);
	nodirmap_exit_mapping(&mapping);
	KUNIT_EXPECT_TRUE(test, mapping_no_direct_map(&mapping));
}

static int nodirmap_test_init(struct kunit *test)
{
	struct test_state *state;

	if (!can_set_direct_map())
		kunit_skip(test, "the direct map cannot be changed here");

	state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state);
	state->file = anon_inode_create_getfile("[nodirmap_test]", &test_fops,
						NULL, O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(state->file));
	state->mapping = state->file->f_mapping;
	state->mapping->a_ops = &test_aops;
	mapping_set_gfp_mask(state->mapping, GFP_USER);
	mapping_set_no_direct_map(state->mapping);
	test->priv = state;
	return 0;
}

static void nodirmap_test_exit(struct kunit *test)
{
	struct test_state *state = test->priv;

	if (state && !IS_ERR_OR_NULL(state->file))
		fput(state->file);
}

static struct kunit_case nodirmap_test_cases[] = {
	KUNIT_CASE(one_by_one),
	KUNIT_CASE(truncated_in_batches),
	KUNIT_CASE(invalidated),
	KUNIT_CASE(evicted),
	KUNIT_CASE(inaccessible_is_not_evicted),
	KUNIT_CASE(index_taken),
	KUNIT_CASE(added_folio_is_clear),
	KUNIT_CASE(removed_folio_is_clear),
	KUNIT_CASE(large_folio_is_refused),
	KUNIT_CASE(no_blocking_no_folio),
	KUNIT_CASE(poisoned_folio_stays_out),
	KUNIT_CASE(cannot_be_moved_away),
	KUNIT_CASE(hibernation_is_refused),
	KUNIT_CASE(flag_outlives_folios),
	{}
};

static struct kunit_suite nodirmap_test_suite = {
	.name = "nodirmap",
	.init = nodirmap_test_init,
	.exit = nodirmap_test_exit,
	.test_cases = nodirmap_test_cases,
};

kunit_test_suite(nodirmap_test_suite);
