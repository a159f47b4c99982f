// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for pages that enter a mapping with AS_NO_DIRECT_MAP filled.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kmsan-checks.h>
#include <linux/kthread.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/set_memory.h>
#include <linux/uio.h>

#include "../nodirmap.h"

#define FIRST 0x5a
#define SECOND 0xc3

static const struct file_operations test_fops;

static const struct address_space_operations test_aops = {
	.dirty_folio = noop_dirty_folio,
};

struct test_state {
	struct file *file;
	struct address_space *mapping;
	u8 *buf;
	u8 *copy;
};

static int add_filled(struct test_state *state, pgoff_t index, u8 contents)
{
	struct kvec vec = { .iov_base = state->buf, .iov_len = PAGE_SIZE };
	struct iov_iter from;
	int err;

	memset(state->buf, contents, PAGE_SIZE);
	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, PAGE_SIZE);
	err = nodirmap_add_filled(state->mapping, index, &from, NULL);
	return iov_iter_count(&from) == (err ? PAGE_SIZE : 0) ? err : -EIO;
}

static int add_short(struct test_state *state, pgoff_t index)
{
	struct kvec vec = { .iov_base = state->buf, .iov_len = PAGE_SIZE - 1 };
	struct iov_iter from;
	int err;

	memset(state->buf, SECOND, PAGE_SIZE);
	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, PAGE_SIZE - 1);
	err = nodirmap_add_filled(state->mapping, index, &from, NULL);
	return iov_iter_count(&from) == PAGE_SIZE - 1 ? err : -EIO;
}

static void expect_contents(struct kunit *test, pgoff_t index, u8 contents)
{
	struct test_state *state = test->priv;
	struct folio *folio = filemap_get_folio(state->mapping, index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_FALSE(test, kernel_page_present(folio_page(folio, 0)));
	KUNIT_EXPECT_EQ(test, 0, mermap_copy_from_page(state->copy,
						       folio_page(folio, 0),
						       0, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(state->copy, contents, PAGE_SIZE));
	folio_put(folio);
}

/* Less than a page of contents is none. */
static void short_contents_add_nothing(struct kunit *test)
{
	struct test_state *state = test->priv;

	KUNIT_EXPECT_EQ(test, -EFAULT, add_short(state, 5));
	if (nodirmap_enabled())
		KUNIT_EXPECT_TRUE(test, IS_ERR(filemap_get_folio(state->mapping, 5)));
	else
		expect_contents(test, 5, 0);
}

static void comes_with_contents(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, add_filled(test->priv, 0, FIRST));
	KUNIT_EXPECT_EQ(test, 0, add_filled(test->priv, 7, SECOND));
	expect_contents(test, 0, FIRST);
	expect_contents(test, 7, SECOND);
}

static void what_is_there_stays(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, add_filled(test->priv, 3, FIRST));
	KUNIT_EXPECT_EQ(test, -EEXIST, add_filled(test->priv, 3, SECOND));
	expect_contents(test, 3, FIRST);
}

/*
 * What was not wanted is the first page that this CPU gives to somebody else, and
 * never had contents: the direct map has it.
 */
static void discarded_page_is_clear(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct page *page;

	if (nodirmap_enabled())
		kunit_skip(test, "what is discarded stays outside the direct map");

	KUNIT_EXPECT_EQ(test, 0, add_filled(state, 3, FIRST));
	migrate_disable();
	KUNIT_EXPECT_EQ(test, -EEXIST, add_filled(state, 3, SECOND));
	page = alloc_page(GFP_USER);
	migrate_enable();

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, kernel_page_present(page));
	kmsan_unpoison_memory(page_address(page), PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, memchr_inv(page_address(page), SECOND, PAGE_SIZE));
	__free_page(page);
}

#ifdef CONFIG_X86
static s64 flushes_of(struct mm_struct *mm)
{
	return atomic64_read(&mm->context.tlb_gen);
}
#endif

/* No other CPU may still find it in the window of this one. */
static void discarded_page_is_flushed(struct kunit *test)
{
#ifdef CONFIG_X86
	const int nr = 8;
	int i, added_quietly = 0, discarded_quietly = 0;
	struct mm_struct *mm;
	s64 before;

	if (!nodirmap_enabled())
		kunit_skip(test, "a page that is added first is not discarded");

	mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, mm);
	kthread_use_mm(mm);
	mermap_prepare();
	for (i = 0; i < nr; i++) {
		before = flushes_of(mm);
		KUNIT_EXPECT_EQ(test, 0, add_filled(test->priv, i, FIRST));
		added_quietly += flushes_of(mm) == before;

		/* An index that is taken would come with a flush in any case. */
		before = flushes_of(mm);
		KUNIT_EXPECT_EQ(test, -EFAULT, add_short(test->priv, nr));
		discarded_quietly += flushes_of(mm) == before;
	}
	kthread_unuse_mm(mm);
	mmput(mm);

	KUNIT_EXPECT_EQ(test, nr, added_quietly);
	KUNIT_EXPECT_EQ(test, 0, discarded_quietly);
#else
	kunit_skip(test, "needs to know how the architecture counts flushes");
#endif
}

static int nodirmap_fill_test_init(struct kunit *test)
{
	struct test_state *state;

	if (!can_set_direct_map() || !mermap_supported())
		kunit_skip(test, "there are no ephemeral mappings here");

	state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state);
	state->buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state->buf);
	state->copy = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state->copy);
	state->file = anon_inode_create_getfile("[nodirmap_fill_test]",
						&test_fops, NULL, O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(state->file));
	state->mapping = state->file->f_mapping;
	state->mapping->a_ops = &test_aops;
	mapping_set_gfp_mask(state->mapping, GFP_USER);
	mapping_set_no_direct_map(state->mapping);
	test->priv = state;
	return 0;
}

static void nodirmap_fill_test_exit(struct kunit *test)
{
	struct test_state *state = test->priv;

	if (state && !IS_ERR_OR_NULL(state->file))
		fput(state->file);
}

static struct kunit_case nodirmap_fill_test_cases[] = {
	KUNIT_CASE(comes_with_contents),
	KUNIT_CASE(what_is_there_stays),
	KUNIT_CASE(short_contents_add_nothing),
	KUNIT_CASE(discarded_page_is_clear),
	KUNIT_CASE(discarded_page_is_flushed),
	{}
};

static struct kunit_suite nodirmap_fill_test_suite = {
	.name = "nodirmap_fill",
	.init = nodirmap_fill_test_init,
	.exit = nodirmap_fill_test_exit,
	.test_cases = nodirmap_fill_test_cases,
};

kunit_test_suite(nodirmap_fill_test_suite);
