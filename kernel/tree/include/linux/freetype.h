/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tells the free lists of the page allocator apart.
 *
 * The migratetype of a page block says how mobile its pages are.  A freetype
 * is a migratetype together with flags for other properties that the pages of a
 * free list have in common.  It names a free list, a list of free pages of a CPU
 * and the page blocks that the pages of those lists come from.
 *
 * Use the migratetype alone where only mobility matters.
 */
#ifndef _LINUX_FREETYPE_H
#define _LINUX_FREETYPE_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/types.h>

enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_MOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_PCPTYPES,	/* the number of types on the pcp lists */
	MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
#ifdef CONFIG_CMA
	/*
	 * MIGRATE_CMA migration type is designed to mimic the way
	 * ZONE_MOVABLE works.  Only movable pages can be allocated
	 * from MIGRATE_CMA pageblocks and page allocator never
	 * implicitly change migration type of MIGRATE_CMA pageblock.
	 *
	 * The way to use it is to change migratetype of a range of
	 * pageblocks to MIGRATE_CMA which can be done by
	 * __free_pageblock_cma() function.
	 */
	MIGRATE_CMA,
	__MIGRATE_TYPE_END = MIGRATE_CMA,
#else
	__MIGRATE_TYPE_END = MIGRATE_HIGHATOMIC,
#endif
#ifdef CONFIG_MEMORY_ISOLATION
	MIGRATE_ISOLATE,	/* can't allocate from here */
#endif
	MIGRATE_TYPES
};

/*
 * The pages are not in the direct map.  Nothing of what the kernel might do to
 * them on its own is possible: they cannot be read, cleared, poisoned, or
 * copied, and there is no list of such pages but for MIGRATE_UNMOVABLE.
 */
#define FREETYPE_NODIRMAP	8u

/* Larger than any migratetype, and none of their bits */
static_assert((int)FREETYPE_NODIRMAP >= (int)MIGRATE_TYPES);

/*
 * The flags that a freetype can have, the number of freetypes that have a free
 * list, and the number of places for such lists.  Places without a freetype cost
 * some bytes, and save instructions: the value of a freetype is that of its place.
 */
#ifdef CONFIG_NODIRMAP_BLOCKS
#define FREETYPE_FLAGS		FREETYPE_NODIRMAP
#define NR_FREETYPES		(MIGRATE_TYPES + 1)
#define NR_FREE_LISTS		(FREETYPE_NODIRMAP + 1)
#else
#define FREETYPE_FLAGS		0u
#define NR_FREETYPES		MIGRATE_TYPES
#define NR_FREE_LISTS		MIGRATE_TYPES
#endif

/**
 * typedef freetype_t - the identity of a free list
 * @v: Private, the migratetype with the flags or'ed in.
 *
 * A struct, so that the compiler refuses to take a migratetype for it.
 */
typedef struct {
	unsigned int v;
} freetype_t;

/**
 * make_freetype - combine a migratetype and flags
 * @migratetype: The migratetype.
 * @flags: Flags, of those in FREETYPE_FLAGS.
 *
 * Return: The freetype.  There need not be a list for it, see
 * freetype_index().
 */
static __always_inline freetype_t make_freetype(int migratetype,
						unsigned int flags)
{
	return (freetype_t){ migratetype | (flags & FREETYPE_FLAGS) };
}

/**
 * freetype_migratetype - the migratetype of a freetype
 * @freetype: The freetype.
 *
 * Return: The migratetype.
 */
static __always_inline int freetype_migratetype(freetype_t freetype)
{
	return freetype.v & ~FREETYPE_FLAGS;
}

/**
 * freetype_flags - the flags of a freetype
 * @freetype: The freetype.
 *
 * Return: The flags, the constant 0 if this kernel knows none.
 */
static __always_inline unsigned int freetype_flags(freetype_t freetype)
{
	return freetype.v & FREETYPE_FLAGS;
}

/**
 * freetype_with_migratetype - change the migratetype, keep the flags
 * @freetype: The freetype.
 * @migratetype: The migratetype of the result.
 *
 * Return: A freetype with the flags of @freetype and with @migratetype.
 */
static __always_inline freetype_t
freetype_with_migratetype(freetype_t freetype, int migratetype)
{
	return make_freetype(migratetype, freetype_flags(freetype));
}

/**
 * freetype_equal - compare freetypes
 * @a: A freetype.
 * @b: Another.
 *
 * Return: Whether they name the same free list.
 */
static __always_inline bool freetype_equal(freetype_t a, freetype_t b)
{
	return a.v == b.v;
}

/**
 * freetype_same_flags - compare the flags of freetypes
 * @a: A freetype.
 * @b: Another.
 *
 * Memory never moves between lists whose flags differ without further ado: to
 * change the type of a page block does not change what the flags tell of it.
 *
 * Return: Whether they differ by no more than the migratetype.
 */
static __always_inline bool freetype_same_flags(freetype_t a, freetype_t b)
{
	return freetype_flags(a) == freetype_flags(b);
}

/**
 * freetype_is_pcptype - is it one of the types that most pages have?
 * @freetype: The freetype.
 *
 * One comparison for two questions that fast paths ask of each page.
 *
 * Return: Whether it has no flags and a migratetype below MIGRATE_PCPTYPES.
 */
static __always_inline bool freetype_is_pcptype(freetype_t freetype)
{
	return freetype.v < MIGRATE_PCPTYPES;
}

/**
 * freetype_list - the place of a free list
 * @freetype: The freetype, which must have a list.
 *
 * Return: Index in the array of an order's free lists, below NR_FREE_LISTS.
 */
static __always_inline unsigned int freetype_list(freetype_t freetype)
{
	return freetype.v;
}

/**
 * freetype_index - the index of a freetype
 * @freetype: The freetype.
 *
 * The indexes are dense, to go through all freetypes.  A freetype without flags has
 * its migratetype for an index, and MIGRATE_TYPES is that of MIGRATE_UNMOVABLE with
 * FREETYPE_NODIRMAP.
 *
 * Return: Index below NR_FREETYPES, or -1 if @freetype has no list.
 */
static __always_inline int freetype_index(freetype_t freetype)
{
	if (!freetype_flags(freetype))
		return freetype_migratetype(freetype);

	return freetype_migratetype(freetype) == MIGRATE_UNMOVABLE ?
	       MIGRATE_TYPES : -1;
}

/**
 * freetype_from_index - the freetype of an index
 * @index: The index, below NR_FREETYPES.
 *
 * Return: The freetype of which @index is the index.
 */
static __always_inline freetype_t freetype_from_index(int index)
{
	if (index == MIGRATE_TYPES)
		return make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);

	return make_freetype(index, 0);
}

#endif /* _LINUX_FREETYPE_H */
