// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sweep over all of RAM, on request: is each page where it has to be?
 *
 * Who believes that a page is outside the direct map relies upon a bit of its page
 * block, or a flag of its mapping.  The sweep compares these with the page tables.
 * A page that is free must be in the direct map unless its block is outside.
 *
 * The sweep takes no lock, and pages change sides meanwhile.  So it looks at a page
 * again before it says that the page is wrong.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmdebug.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/set_memory.h>
#include <linux/uaccess.h>

#include "../internal.h"
#include "nodirmap.h"

#define LOOKS		20
#define LOOK_INTERVAL	10	/* ms */

/* Pages that are looked at again; if there are more, it is no coincidence. */
#define MAX_WRONG	16

enum place {
	ANYWHERE,
	OUTSIDE,
	INSIDE,
};

/* The mapping may be gone, and the page be something else. */
static bool in_no_direct_map_mapping(struct page *page)
{
	struct address_space *mapping;
	struct page_snapshot snapshot;
	unsigned long flags;

	/* Most pages have none.  Only the first of a large folio has one. */
	if (!data_race(((struct folio *)page)->mapping))
		return false;

	guard(rcu)();

	snapshot_page(&snapshot, page);
	mapping = snapshot.folio_snapshot.mapping;
	if (!snapshot_page_is_faithful(&snapshot) ||
	    folio_test_large(&snapshot.folio_snapshot) ||
	    page_has_type(&snapshot.page_snapshot) || !mapping ||
	    (unsigned long)mapping & FOLIO_MAPPING_FLAGS)
		return false;

	return !copy_from_kernel_nofault(&flags, &mapping->flags, sizeof(flags)) &&
	       test_bit(AS_NO_DIRECT_MAP, &flags);
}

static enum place place_of(struct page *page)
{
	/* A page with a memory error stays where it was. */
	if (PageHWPoison(page))
		return ANYWHERE;
	if (page_is_nodirmap(page) || in_no_direct_map_mapping(page))
		return OUTSIDE;
	if (!page_count(page) && is_free_buddy_page(page) && !debug_pagealloc_enabled())
		return INSIDE;
	return ANYWHERE;
}

static bool looks_wrong(struct page *page, enum place place)
{
	return place != ANYWHERE && kernel_page_present(page) != (place == INSIDE);
}

static bool is_wrong(struct page *page, enum place *place)
{
	unsigned int i;

	for (i = 0; i < LOOKS; i++) {
		*place = place_of(page);
		if (!looks_wrong(page, *place))
			return false;
		msleep(LOOK_INTERVAL);
	}
	return true;
}

/**
 * nodirmap_sweep - compare all of RAM with the page tables of the direct map
 * @sweep: The result.
 *
 * Context: Process context, may sleep; takes a second for some GiB.
 */
void nodirmap_sweep(struct nodirmap_sweep *sweep)
{
	struct zone *zone;

	*sweep = (struct nodirmap_sweep){ };
	get_online_mems();
	for_each_populated_zone(zone) {
		unsigned long pfn;

		for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone); pfn++) {
			struct page *page = pfn_to_online_page(pfn);
			enum place place;

			if (!(pfn % 1024))
				cond_resched();
			if (!page || page_zone(page) != zone || PageHighMem(page))
				continue;

			place = place_of(page);
			if (page_is_nodirmap(page))
				sweep->in_blocks++;
			else if (place == OUTSIDE)
				sweep->single++;
			if (!looks_wrong(page, place))
				continue;
			if (sweep->wrong < MAX_WRONG && !is_wrong(page, &place))
				continue;

			/* The first one tells most. */
			if (!sweep->wrong++)
				dump_page(page, place == INSIDE ? "is not in the direct map" :
								  "is in the direct map");
		}
	}
	put_online_mems();
	sweep->holes = nodirmap_count_holes();
}

static int check_show(struct seq_file *m, void *unused)
{
	struct nodirmap_sweep sweep;

	nodirmap_sweep(&sweep);
	seq_printf(m, "in_blocks %lu\nsingle %lu\nholes %lu\nwrong %lu\n",
		   sweep.in_blocks, sweep.single, sweep.holes, sweep.wrong);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(check);

static int __init nodirmap_check_init(void)
{
	debugfs_create_file("nodirmap_check", 0400, NULL, NULL, &check_fops);
	return 0;
}
late_initcall(nodirmap_check_init);
