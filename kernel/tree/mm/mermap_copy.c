// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the mermap is mostly used for: to clear and to copy pages.
 */
#include <linux/export.h>
#include <linux/kmsan-checks.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/string.h>

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
