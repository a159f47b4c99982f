// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of ordinary memory from the page allocator.  Each time
 * /sys/kernel/debug/bench_pages is read, it measures, and prints lines as
 * test/guest/bench.c does:
 *
 *   alloc, free   many pages of an order, one after the other
 *   pingpong      a page at a time, allocated and freed by turns
 *
 * for the kinds order0 to order9.
 */
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#define ORDERS		10
#define BULK_PAGES	16384
#define PINGPONGS	4096

static struct dentry *file;
static unsigned int round;
static struct page *pages[BULK_PAGES];

static void line(struct seq_file *m, const char *work, unsigned int order,
		 unsigned int count, u64 ns)
{
	seq_printf(m, "{\"work\":\"%s\",\"kind\":\"order%u\",\"round\":%u,\"pages\":%u,\"ns\":%llu}\n",
		   work, order, round, count, ns);
}

static void put_all(unsigned int order, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		__free_pages(pages[i], order);
}

static int bulk(struct seq_file *m, unsigned int order)
{
	unsigned int i, count = BULK_PAGES >> order;
	u64 from = ktime_get_ns(), between;

	for (i = 0; i < count; i++) {
		pages[i] = alloc_pages(GFP_KERNEL, order);
		if (!pages[i]) {
			put_all(order, i);
			return -ENOMEM;
		}
	}
	between = ktime_get_ns();
	put_all(order, count);
	line(m, "free", order, count, ktime_get_ns() - between);
	line(m, "alloc", order, count, between - from);
	return 0;
}

static int pingpong(struct seq_file *m, unsigned int order)
{
	u64 from = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < PINGPONGS; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page)
			return -ENOMEM;
		__free_pages(page, order);
	}
	line(m, "pingpong", order, PINGPONGS, ktime_get_ns() - from);
	return 0;
}

static int bench_pages_show(struct seq_file *m, void *unused)
{
	unsigned int order;
	int err = 0;

	/* The lists of one CPU; no page of the file itself is allocated in between. */
	migrate_disable();
	for (order = 0; order < ORDERS && !err; order++) {
		err = bulk(m, order);
		if (!err)
			err = pingpong(m, order);
	}
	migrate_enable();
	if (!seq_has_overflowed(m))
		round++;
	return err;
}
DEFINE_SHOW_ATTRIBUTE(bench_pages);

static int __init bench_pages_init(void)
{
	file = debugfs_create_file("bench_pages", 0400, NULL, NULL,
				   &bench_pages_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit bench_pages_exit(void)
{
	debugfs_remove(file);
}

module_init(bench_pages_init);
module_exit(bench_pages_exit);
MODULE_DESCRIPTION("What the page allocator costs");
MODULE_LICENSE("GPL");
