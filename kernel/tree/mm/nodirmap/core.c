// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP: mappings whose folios are outside the kernel's direct map.
 *
 * The rule: from before a folio enters such a mapping until after it has left,
 * no page table and no TLB translates its direct-map address.  The page cache
 * keeps the rule, so that membership in the mapping is all the state there is:
 * owners of mappings hold no direct-map code, and code that meets a folio only
 * has to look at folio->mapping.
 *
 * When a folio leaves the direct map, it is private to the caller of
 * filemap_add_folio().  When it comes back, it is private to the task that has
 * removed it from the mapping.  No spinlock can be held at either point, as page
 * tables may have to be split and every CPU has to be flushed.
 *
 * Folios of page blocks outside the direct map, see blocks.c, are clear before a
 * mapping lets others reach them, and are freed as they are: their next owner clears
 * them before it can read them.  All others leave the direct map one by one, and are
 * clear when they come back.  With a mermap both are cleared outside the direct
 * map, so that data of an owner is never readable through it.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/vmstat.h>
#include <trace/events/nodirmap.h>

#include "../page_alloc.h"
#include "nodirmap.h"

/* Live mappings with the flag; read by hibernation_available(). */
static atomic_long_t nr_mappings;

/**
 * mapping_set_no_direct_map - keep the folios of a mapping out of the direct map
 * @mapping: The mapping of a new inode, still without folios.
 *
 * The flag stays for the life of the inode.  Its folios cannot be pinned or
 * migrated; read or write them through user mappings only.  The owner has
 * checked can_set_direct_map().
 *
 * When a folio of one page is added and is not up to date, the page cache clears it
 * and marks it up to date.  Only the owner of the mapping adds a
 * large folio, and clears it.
 *
 * Context: Process context, may sleep, before the inode is visible to others.
 */
void mapping_set_no_direct_map(struct address_space *mapping)
{
	if (WARN_ON_ONCE(mapping_no_direct_map(mapping)))
		return;

	WARN_ON_ONCE(!can_set_direct_map());
	WARN_ON_ONCE(mapping->nrpages);

	/* As for AS_INACCESSIBLE: folios that cannot migrate stay off the LRU. */
	mapping_set_unevictable(mapping);
	set_bit(AS_NO_DIRECT_MAP, &mapping->flags);
	atomic_long_inc(&nr_mappings);
	nodirmap_use_blocks();
}
EXPORT_SYMBOL_FOR_MODULES(mapping_set_no_direct_map, "kvm");

/* Of mappings for which there was no memory; owns no blocks. */
static struct nodirmap_owner nobody = { .refs = REFCOUNT_INIT(1) };

static struct nodirmap_owner *alloc_owner(struct address_space *mapping)
{
	struct nodirmap_owner *new, *old;

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!new)
		return &nobody;

	refcount_set(&new->refs, 1);
	new->blocks = nodirmap_alloc_blocks();

	old = cmpxchg(&mapping->nodirmap_owner, NULL, new);
	if (!old)
		return new;

	/* Another task was faster. */
	nodirmap_put_owner(new);
	return old;
}

static struct nodirmap_owner *owner_of(struct address_space *mapping)
{
	return READ_ONCE(mapping->nodirmap_owner) ?: alloc_owner(mapping);
}

void nodirmap_get_owner(struct nodirmap_owner *owner)
{
	refcount_inc(&owner->refs);
}

/* Context: Any. */
void nodirmap_put_owner(struct nodirmap_owner *owner)
{
	if (!refcount_dec_and_test(&owner->refs))
		return;

	nodirmap_free_blocks(owner->blocks);
	kfree_rcu(owner, rcu);
}

/**
 * nodirmap_marks - where a mapping keeps which mms have mapped its pages
 * @mapping: A mapping with AS_NO_DIRECT_MAP.
 *
 * Context: Process context, may sleep.
 * Return: For mermap_mark(); NULL if there is no memory for it.
 */
struct mermap_marks **nodirmap_marks(struct address_space *mapping)
{
	struct nodirmap_owner *owner = owner_of(mapping);

	return owner == &nobody ? NULL : &owner->marks;
}
EXPORT_SYMBOL_FOR_MODULES(nodirmap_marks, "kvm");

/* The flag stays: GUP-fast may have found the mapping while it had folios. */
void __nodirmap_exit_mapping(struct address_space *mapping)
{
	struct nodirmap_owner *owner = mapping->nodirmap_owner;

	if (owner) {
		mapping->nodirmap_owner = NULL;
		nodirmap_close_blocks(owner->blocks);
		mermap_put_marks(owner->marks);
		owner->marks = NULL;
		nodirmap_put_owner(owner);
	}
	WARN_ON_ONCE(atomic_long_dec_return(&nr_mappings) < 0);
}

/**
 * nodirmap_active - can there be folios outside the direct map?
 *
 * Return: true while an inode with AS_NO_DIRECT_MAP lives.
 */
bool nodirmap_active(void)
{
	return atomic_long_read(&nr_mappings) > 0;
}

static bool folio_is_nodirmap(struct folio *folio)
{
	return page_is_nodirmap(folio_page(folio, 0));
}

/* Without a mermap a folio can be cleared only while the direct map has it. */
VISIBLE_IF_KUNIT noinline bool nodirmap_has_mermap(void)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_has_mermap);

	return mermap_supported();
}

/**
 * nodirmap_alloc_folio - allocate a folio for a mapping with AS_NO_DIRECT_MAP
 * @mapping: The mapping, or NULL for a folio of a block that mappings share.
 * @gfp: What the caller may do to get memory; with __GFP_ZERO, a folio that is
 *	clear is preferred.
 * @order: 0 for one page, PMD_ORDER for a whole page block of the mapping.
 * @policy: NUMA memory policy to follow, or NULL.
 *
 * The folio may have no address, and has none if it is large.  If it is up to
 * date, it is clear; otherwise the contents are undefined.
 *
 * Return: The folio, or NULL.
 */
struct folio *nodirmap_alloc_folio_noprof(struct address_space *mapping, gfp_t gfp,
					  unsigned int order,
					  struct mempolicy *policy)
{
	struct nodirmap_owner *owner = &nobody;

	if (mapping && gfpflags_allow_blocking(gfp)) {
		owner = owner_of(mapping);
		nodirmap_set_wanted(owner, mapping);
	}
	return __filemap_alloc_folio_noprof(gfp, order, policy, owner);
}
EXPORT_SYMBOL_FOR_MODULES(nodirmap_alloc_folio_noprof, "kvm");

/**
 * nodirmap_clear_folio - clear a folio of a mapping with AS_NO_DIRECT_MAP
 * @folio: The locked folio, in the mapping, not up to date.
 *
 * Marks it up to date.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL if there is no mermap.
 */
int nodirmap_clear_folio(struct folio *folio)
{
	unsigned long i;
	int err = 0;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_test_uptodate(folio), folio);

	if (folio_order(folio) == pageblock_order) {
		err = mermap_zero_block(folio_page(folio, 0), pageblock_nr_pages);
	} else {
		/* Or what is left of such a folio. */
		for (i = 0; i < folio_nr_pages(folio) && !err; i++) {
			mermap_prepare();
			err = mermap_zero_page(folio_page(folio, i));
		}
		mermap_mark(nodirmap_marks(folio->mapping));
	}
	if (!err)
		folio_mark_uptodate(folio);
	return err;
}
EXPORT_SYMBOL_FOR_MODULES(nodirmap_clear_folio, "kvm");

static int zap_folio(struct folio *folio)
{
	int err = folio_zap_direct_map(folio);

#ifdef CONFIG_NODIRMAP_BLOCKS
	if (!err) {
		count_vm_event(NODIRMAP_SLOW_PAGE);
		trace_mm_nodirmap_slow_page(folio_pfn(folio));
	}
#endif
	return err;
}

/* The allocator must give nobody a page that is outside the direct map. */
static bool restore_folio(struct folio *folio)
{
	int err = folio_restore_direct_map(folio);

	/* The page allocator keeps pages with a memory error for itself. */
	if (folio_test_hwpoison(folio))
		return true;
	return !WARN_ONCE(err, "cannot restore pfn %#lx in the direct map: %d\n",
			  folio_pfn(folio), err);
}

/**
 * nodirmap_add_folio - prepare a folio for a mapping with AS_NO_DIRECT_MAP
 * @mapping: The mapping.
 * @folio: The locked folio, which nobody else may use yet.
 * @gfp: What the caller may do to get memory.
 *
 * Takes the folio out of the direct map.  Clears it and marks it up to date,
 * unless it is up to date already, which means that it comes with contents.
 *
 * A large folio has to be outside already, and is not cleared.  Of many tasks that
 * add one to the same place, one succeeds; the others must not clear in vain.
 *
 * Context: Process context, may sleep.
 * Return:
 * * 0 - No page table and no TLB translates the folio's direct-map address.
 * * -ENOMEM - @gfp does not allow to block, or there is no memory for page
 *   tables.  After this and all other errors the folio is where it was.
 * * -EINVAL - The folio is large, and in the direct map.
 * * Otherwise as folio_zap_direct_map().
 */
int nodirmap_add_folio(struct address_space *mapping, struct folio *folio, gfp_t gfp)
{
	bool clear = !folio_test_uptodate(folio);
	int err;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);

	if (!gfpflags_allow_blocking(gfp))
		return -ENOMEM;
	if (folio_test_large(folio))
		return folio_is_nodirmap(folio) ? 0 : -EINVAL;

	if (!folio_is_nodirmap(folio)) {
		if (clear && !nodirmap_has_mermap())
			folio_zero_range(folio, 0, folio_size(folio));
		err = zap_folio(folio);
		if (err)
			return err;
	}
	if (clear && nodirmap_has_mermap()) {
		mermap_prepare();
		err = mermap_zero_page(folio_page(folio, 0));
		if (err) {
			nodirmap_undo_add(folio);
			return err;
		}
	}

	if (clear) {
		mermap_mark(nodirmap_marks(mapping));
		__folio_mark_uptodate(folio);
	}
	return 0;
}

/**
 * nodirmap_undo_add - undo nodirmap_add_folio()
 * @folio: The locked folio, which did not get into the mapping after all.
 *
 * The contents stay as they are; nobody has seen the folio.
 *
 * Context: Process context, may sleep.
 */
void nodirmap_undo_add(struct folio *folio)
{
	/* No CPU may keep the translation through which the task cleared the folio. */
	mermap_flush();
	if (!folio_is_nodirmap(folio) && !restore_folio(folio))
		folio_get(folio);
}

/*
 * Clear the folios that come back to the direct map, while they are still outside.
 * Flush all translations through which the kernel has reached any of the folios.
 *
 * Return: false if a folio still has to be cleared.
 */
VISIBLE_IF_KUNIT bool nodirmap_scrub(struct mermap_marks *marks, struct folio **folios,
				     unsigned int nr)
{
	bool scrubbed = true, cleared = false;
	unsigned int i;

	if (!nodirmap_has_mermap())
		return false;

	for (i = 0; i < nr; i++) {
		if (folio_is_nodirmap(folios[i]) || folio_test_hwpoison(folios[i]))
			continue;
		mermap_prepare();
		if (mermap_zero_page(folio_page(folios[i], 0)))
			scrubbed = false;
		cleared = true;
	}
	/* The CPUs forget how the task has cleared folios, and how others have. */
	if (cleared)
		mermap_flush();
	mermap_flush_marks(marks);

	return scrubbed;
}

/*
 * A folio that was not scrubbed has no address until it is back.  As it is not
 * free yet, only a CPU that speculates can read it before it is clear.
 */
static bool bring_back(struct folio *folio, bool scrubbed)
{
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);
	VM_WARN_ON_ONCE_FOLIO(folio_mapped(folio), folio);

	if (folio_is_nodirmap(folio))
		return true;
	if (!restore_folio(folio))
		return false;
	if (!scrubbed && !folio_test_hwpoison(folio))
		folio_zero_range(folio, 0, folio_size(folio));
	return true;
}

/**
 * nodirmap_remove_folio - a folio has left a mapping with AS_NO_DIRECT_MAP
 * @marks: The mapping's marks: the mapping may be gone with its last folio.
 * @folio: The locked folio, no longer in the page cache nor in user page tables.
 *
 * Puts the folio back into the direct map, cleared, unless it belongs to a page
 * block that stays outside.  A folio with a memory error stays as it is.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: true if the folio may be freed.  If not, the caller keeps the
 * references of the page cache, so that nobody gets the folio.
 */
bool nodirmap_remove_folio(struct mermap_marks *marks, struct folio *folio)
{
	might_sleep();
	return bring_back(folio, nodirmap_scrub(marks, &folio, 1));
}

/**
 * nodirmap_remove_folios - folios have left a mapping with AS_NO_DIRECT_MAP
 * @marks: The mapping's marks.
 * @folios: The folios, as for nodirmap_remove_folio().
 * @nr: How many.  All of them share a flush of TLBs, if any is due.
 *
 * As nodirmap_remove_folio() for each of them.  Takes a reference of its own to
 * a folio that must not be freed.
 *
 * Context: Process context, may sleep, no spinlock held.
 */
void nodirmap_remove_folios(struct mermap_marks *marks, struct folio **folios,
			    unsigned int nr)
{
	bool scrubbed = nodirmap_scrub(marks, folios, nr);
	unsigned int i;

	might_sleep();

	for (i = 0; i < nr; i++)
		if (!bring_back(folios[i], scrubbed))
			folio_get(folios[i]);
}
