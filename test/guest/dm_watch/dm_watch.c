// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watches whether page cache folios are reachable through the direct map.
 *
 * When the watched process allocates a page, every CPU reads it through the direct map,
 * so that every TLB holds the translation.  When the page has entered a mapping marked
 * AS_NO_DIRECT_MAP, every CPU reads again.  If a read succeeds, the page is still in the
 * page tables, or in a TLB that was not flushed.  When the page is freed, it has to be
 * readable again, and zero.
 *
 * debugfs dm_watch/: tgid    write a tgid to start from zero, 0 to stop
 *                    all     1: watch mappings without the mark too
 *                    recheck write to read all pages inside once more
 *                    stats   "key: value" lines
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <trace/events/filemap.h>
#include <trace/events/kmem.h>

/* Counters: name, and the events that it counts. */
#define COUNTERS(C)							\
	C(primed)		/* pages read on every CPU at allocation */ \
	C(primed_cpu_reads)	/* of those reads, the successful ones */ \
	C(checked)		/* pages read on every CPU once inside */ \
	C(checked_primed)	/* those of them that were primed */	\
	C(rechecked)		/* pages read again by recheck */	\
	C(reachable)		/* reads that succeeded: violations */	\
	C(restored)		/* pages freed readable and zero */	\
	C(not_restored)		/* pages freed unreadable: violations */ \
	C(not_scrubbed)		/* pages freed with content: violations */ \
	C(poisoned_absent)	/* poisoned pages freed unreadable */	\
	C(poisoned_reachable)	/* poisoned pages freed readable */	\
	C(irqs_off)		/* pages not primed or checked: IRQs off */ \
	C(out_of_range)		/* pages beyond the bitmaps */

enum counter {
#define C(name) name,
	COUNTERS(C)
#undef C
	NR_COUNTERS
};

static const char * const counter_names[NR_COUNTERS] = {
#define C(name) [name] = #name,
	COUNTERS(C)
#undef C
};

static atomic_long_t counters[NR_COUNTERS];
/* First violation of each kind: frame number, and CPU. */
static atomic_long_t first_pfn[NR_COUNTERS];
static int first_cpu[NR_COUNTERS];

static DEFINE_MUTEX(control_lock);
static struct dentry *debugfs_dir;
static pid_t watched_tgid;
static bool watch_all;

/* By frame number: primed and not inside yet; inside a watched mapping. */
static unsigned long nr_pfns;
static unsigned long *primed_pfns;
static unsigned long *inside_pfns;

static void count(enum counter what)
{
	atomic_long_inc(&counters[what]);
}

static void violation(enum counter what, unsigned long pfn)
{
	count(what);
	/* Frame 0 is never allocated, so 0 stands for none. */
	if (!atomic_long_cmpxchg(&first_pfn[what], 0, pfn))
		first_cpu[what] = raw_smp_processor_id();
}

static bool readable(unsigned long pfn)
{
	unsigned long word;

	return !copy_from_kernel_nofault(&word, pfn_to_kaddr(pfn),
					 sizeof(word));
}

static void prime_on_cpu(void *pfn)
{
	if (readable((unsigned long)pfn))
		count(primed_cpu_reads);
}

static void check_on_cpu(void *pfn)
{
	if (readable((unsigned long)pfn))
		violation(reachable, (unsigned long)pfn);
}

/* Waiting for other CPUs needs IRQs on.  If they are off, counts the page as skipped. */
static bool may_wait_for_cpus(void)
{
	if (!irqs_disabled() && in_task())
		return true;
	count(irqs_off);
	return false;
}

static bool has_bits(unsigned long pfn)
{
	if (pfn < nr_pfns)
		return true;
	count(out_of_range);
	return false;
}

static bool is_watched_task(void)
{
	pid_t tgid = READ_ONCE(watched_tgid);

	return tgid && in_task() && current->tgid == tgid;
}

static bool is_watched_mapping(struct address_space *mapping)
{
	if (READ_ONCE(watch_all))
		return true;
#ifdef HAVE_AS_NO_DIRECT_MAP
	return mapping_no_direct_map(mapping);
#else
	return false;
#endif
}

static void probe_page_alloc(void *data, struct page *page, unsigned int order,
			     gfp_t gfp, int migratetype)
{
	unsigned long pfn;

	if (!page || order || !is_watched_task())
		return;
	pfn = page_to_pfn(page);
	if (!has_bits(pfn) || !may_wait_for_cpus())
		return;
	on_each_cpu(prime_on_cpu, (void *)pfn, 1);
	set_bit(pfn, primed_pfns);
	count(primed);
}

static void probe_add_to_page_cache(void *data, struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);
	unsigned long end = pfn + folio_nr_pages(folio);

	if (!is_watched_task() || !is_watched_mapping(folio->mapping))
		return;
	for (; pfn < end; pfn++) {
		if (!has_bits(pfn))
			continue;
		set_bit(pfn, inside_pfns);
		if (!may_wait_for_cpus())
			continue;
		on_each_cpu(check_on_cpu, (void *)pfn, 1);
		count(checked);
		if (test_and_clear_bit(pfn, primed_pfns))
			count(checked_primed);
	}
}

static void check_freed(unsigned long pfn)
{
	bool poisoned = PageHWPoison(pfn_to_page(pfn));

	if (!readable(pfn)) {
		if (poisoned)
			count(poisoned_absent);
		else
			violation(not_restored, pfn);
	} else if (poisoned) {
		violation(poisoned_reachable, pfn);
	} else if (memchr_inv(pfn_to_kaddr(pfn), 0, PAGE_SIZE)) {
		violation(not_scrubbed, pfn);
	} else {
		count(restored);
	}
}

/* Runs in any context and in any task, as any of them can drop the last reference. */
static void probe_page_free(void *data, struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned long end = pfn + (1UL << order);

	for (; pfn < end && pfn < nr_pfns; pfn++) {
		clear_bit(pfn, primed_pfns);
		if (test_and_clear_bit(pfn, inside_pfns))
			check_freed(pfn);
	}
}

static struct probe {
	const char *name;
	void *func;
	struct tracepoint *tp;
} probes[] = {
	{ "mm_page_alloc", probe_page_alloc },
	{ "mm_filemap_add_to_page_cache", probe_add_to_page_cache },
	{ "mm_page_free", probe_page_free },
};

/* Lets the compiler check the types of the probes against the tracepoints. */
static void __maybe_unused check_probe_types(void)
{
	check_trace_callback_type_mm_page_alloc(probe_page_alloc);
	check_trace_callback_type_mm_filemap_add_to_page_cache(probe_add_to_page_cache);
	check_trace_callback_type_mm_page_free(probe_page_free);
}

static void clear_all(void)
{
	for (int i = 0; i < NR_COUNTERS; i++) {
		atomic_long_set(&counters[i], 0);
		atomic_long_set(&first_pfn[i], 0);
	}
	bitmap_zero(primed_pfns, nr_pfns);
	bitmap_zero(inside_pfns, nr_pfns);
}

static int tgid_get(void *data, u64 *val)
{
	*val = READ_ONCE(watched_tgid);
	return 0;
}

static int tgid_set(void *data, u64 val)
{
	mutex_lock(&control_lock);
	WRITE_ONCE(watched_tgid, 0);
	/* Wait for the probes: none may still write to the counters that are cleared. */
	tracepoint_synchronize_unregister();
	clear_all();
	WRITE_ONCE(watched_tgid, val);
	mutex_unlock(&control_lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(tgid_fops, tgid_get, tgid_set, "%llu\n");

static int recheck_set(void *data, u64 val)
{
	unsigned long pfn;

	mutex_lock(&control_lock);
	for_each_set_bit(pfn, inside_pfns, nr_pfns) {
		on_each_cpu(check_on_cpu, (void *)pfn, 1);
		count(rechecked);
		cond_resched();
	}
	mutex_unlock(&control_lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(recheck_fops, NULL, recheck_set, "%llu\n");

static int stats_show(struct seq_file *m, void *v)
{
	for (int i = 0; i < NR_COUNTERS; i++) {
		unsigned long pfn = atomic_long_read(&first_pfn[i]);

		seq_printf(m, "%s: %lu\n", counter_names[i],
			   atomic_long_read(&counters[i]));
		if (pfn)
			seq_printf(m, "first_%s: pfn %#lx cpu %d\n",
				   counter_names[i], pfn, first_cpu[i]);
	}
	seq_printf(m, "inside: %u\n", bitmap_weight(inside_pfns, nr_pfns));
	seq_printf(m, "cpus: %u\n", num_online_cpus());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void find_tracepoint(struct tracepoint *tp, void *data)
{
	for (int i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

static void unregister_probes(int nr)
{
	while (nr--)
		tracepoint_probe_unregister(probes[nr].tp, probes[nr].func,
					    NULL);
	tracepoint_synchronize_unregister();
}

static int register_probes(void)
{
	int err;

	for_each_kernel_tracepoint(find_tracepoint, NULL);
	for (int i = 0; i < ARRAY_SIZE(probes); i++) {
		err = probes[i].tp ? tracepoint_probe_register(probes[i].tp,
							       probes[i].func,
							       NULL) : -ENOENT;
		if (err) {
			pr_err("dm_watch: tracepoint %s: error %d\n",
			       probes[i].name, err);
			unregister_probes(i);
			return err;
		}
	}
	return 0;
}

static int __init dm_watch_init(void)
{
	int err = -ENOMEM;

	nr_pfns = PHYS_PFN(__pa(high_memory - 1)) + 1;
	primed_pfns = vcalloc(BITS_TO_LONGS(nr_pfns), sizeof(long));
	inside_pfns = vcalloc(BITS_TO_LONGS(nr_pfns), sizeof(long));
	if (!primed_pfns || !inside_pfns)
		goto free_bitmaps;
	err = register_probes();
	if (err)
		goto free_bitmaps;
	debugfs_dir = debugfs_create_dir("dm_watch", NULL);
	debugfs_create_file_unsafe("tgid", 0600, debugfs_dir, NULL, &tgid_fops);
	debugfs_create_bool("all", 0600, debugfs_dir, &watch_all);
	debugfs_create_file_unsafe("recheck", 0200, debugfs_dir, NULL,
				   &recheck_fops);
	debugfs_create_file("stats", 0400, debugfs_dir, NULL, &stats_fops);
	return 0;

free_bitmaps:
	vfree(primed_pfns);
	vfree(inside_pfns);
	return err;
}

static void __exit dm_watch_exit(void)
{
	debugfs_remove(debugfs_dir);
	unregister_probes(ARRAY_SIZE(probes));
	vfree(primed_pfns);
	vfree(inside_pfns);
}

module_init(dm_watch_init);
module_exit(dm_watch_exit);
MODULE_DESCRIPTION("Watches whether page cache folios are reachable through the direct map");
MODULE_LICENSE("GPL");
