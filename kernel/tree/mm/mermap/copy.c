// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the mermap is mostly used for: to clear and to copy pages.
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/kmsan-checks.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "mermap.h"

/* Pages that are cleared before a look at need_resched(): some microseconds. */
#define CHUNK_PAGES	max(SZ_64K / PAGE_SIZE, 1)

/**
 * mermap_zero_page - clear a page, wherever it is
 * @page: The page, as for mermap_get().
 *
 * Context: That of mermap_get().
 * Return: 0, or -EINVAL if mermap_get() refused.
 */
int mermap_zero_page(struct page *page)
{
	struct mermap map;
	void *addr = mermap_get(&map, page);

	if (!addr)
		return -EINVAL;

	clear_page(addr);
	/* KMSAN knows pages by their address in the direct map only */
	kmsan_unpoison_memory(page_address(page), PAGE_SIZE);
	mermap_put(&map);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_zero_page, "kvm,kvm-amd");

#ifdef CONFIG_MM_LOCAL_REGION
/*
 * Each mapping costs a load of the private mm, and flushes.  So it stays until
 * another task wants the CPU.
 *
 * Return: How many pages are clear now; 0 if mermap_get_window() refused.
 */
static unsigned int zero_chunks(struct page *page, unsigned int nr)
{
	unsigned int done = 0;
	struct mermap map;
	void *addr = mermap_get_window(&map, page);

	if (!addr)
		return 0;

	nr = min_t(unsigned long, nr,
		   (PMD_SIZE - (page_to_phys(page) & ~PMD_MASK)) >> PAGE_SHIFT);
	do {
		clear_pages(addr + done * PAGE_SIZE, CHUNK_PAGES);
		done += CHUNK_PAGES;
	} while (done < nr && !need_resched());
	kmsan_unpoison_memory(page_address(page), done * PAGE_SIZE);
	mermap_put_window(&map);
	return done;
}
#else
static unsigned int zero_chunks(struct page *page, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < CHUNK_PAGES; i++)
		if (mermap_zero_page(page + i))
			return 0;
	return CHUNK_PAGES;
}
#endif

/**
 * mermap_zero_block - clear a range of pages, wherever they are
 * @page: The first, as for mermap_get(), aligned to 64 KiB.
 * @nr: How many; a multiple of 64 KiB.
 *
 * Always works in a private mm where there are any, so that no other CPU can
 * cache the mappings: there is nothing to flush or to mark after this.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL if the range is not aligned or mermap_get() refused.
 */
int mermap_zero_block(struct page *page, unsigned int nr)
{
	might_sleep();

	if (WARN_ON_ONCE((page_to_pfn(page) | nr) % CHUNK_PAGES))
		return -EINVAL;

	while (nr) {
		unsigned int done = zero_chunks(page, nr);

		if (!done)
			return -EINVAL;
		page += done;
		nr -= done;
		cond_resched();
	}
	return 0;
}

/**
 * mermap_copy_to_page - write to a page, wherever it is
 * @page: The page, as for mermap_get().
 * @offset: Where in the page.
 * @from: What to write, in the kernel's memory.
 * @len: How much; does not go beyond the page.
 *
 * Context: That of mermap_get().
 * Return: 0, or -EINVAL if the range is not in the page or mermap_get() refused.
 */
int mermap_copy_to_page(struct page *page, size_t offset, const void *from,
			size_t len)
{
	struct mermap map;
	void *addr;

	if (WARN_ON_ONCE(offset > PAGE_SIZE || len > PAGE_SIZE - offset))
		return -EINVAL;

	addr = mermap_get(&map, page);
	if (!addr)
		return -EINVAL;

	memcpy(addr + offset, from, len);
	kmsan_unpoison_memory(page_address(page) + offset, len);
	mermap_put(&map);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_copy_to_page, "kvm,kvm-amd");

/**
 * mermap_copy_from_page - read from a page, wherever it is
 * @to: Where to put it, in the kernel's memory.
 * @page: The page, as for mermap_get().
 * @offset: Where in the page.
 * @len: How much; does not go beyond the page.
 *
 * Context: That of mermap_get().
 * Return: 0, or -EINVAL if the range is not in the page or mermap_get() refused.
 */
int mermap_copy_from_page(void *to, struct page *page, size_t offset,
			  size_t len)
{
	struct mermap map;
	void *addr;

	if (WARN_ON_ONCE(offset > PAGE_SIZE || len > PAGE_SIZE - offset))
		return -EINVAL;

	addr = mermap_get(&map, page);
	if (!addr)
		return -EINVAL;

	memcpy(to, addr + offset, len);
	mermap_put(&map);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(mermap_copy_from_page, "kvm,kvm-amd");
