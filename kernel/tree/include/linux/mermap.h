/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ephemeral mappings: short-lived addresses for pages that have no other.
 * See Documentation/mm/mermap.rst.
 */
#ifndef _LINUX_MERMAP_H
#define _LINUX_MERMAP_H

#include <linux/errno.h>
#include <linux/mm_types.h>

struct mermap_marks;

/* How deep mappings may nest. */
#define MERMAP_NESTING 8

/**
 * struct mermap - an ephemeral mapping, on the stack of the task that holds it
 *
 * All members are private to mm/mermap.
 */
struct mermap {
	/* private: */
	void *addr;
	union {
		pte_t *ptep;
		pmd_t *pmdp;
	};
	/* Loaded before the mapping, if it borrows a private mm; else NULL. */
	struct mm_struct *prev_mm;
	unsigned int depth;
	/* The address stays in the TLB until the ring turns. */
	bool in_ring;
};

#ifdef CONFIG_MERMAP
bool mermap_supported(void);
void *mermap_get(struct mermap *map, struct page *page);
void mermap_put(struct mermap *map);

int mermap_zero_page(struct page *page);
int mermap_zero_block(struct page *page, unsigned int nr);
int mermap_copy_to_page(struct page *page, size_t offset, const void *from,
			size_t len);
int mermap_copy_from_page(void *to, struct page *page, size_t offset,
			  size_t len);

/**
 * mermap_addr - the address of an ephemeral mapping
 * @map: A mapping, between mermap_get() and mermap_put().
 *
 * The address means the page to the task that holds @map only.
 *
 * Return: what mermap_get() returned.
 */
static inline void *mermap_addr(const struct mermap *map)
{
	return map->addr;
}
#else /* !CONFIG_MERMAP */
static inline bool mermap_supported(void)
{
	return false;
}

static inline void *mermap_get(struct mermap *map, struct page *page)
{
	return NULL;
}

static inline void mermap_put(struct mermap *map) { }

static inline int mermap_zero_block(struct page *page, unsigned int nr)
{
	return -EOPNOTSUPP;
}

static inline int mermap_zero_page(struct page *page)
{
	return -EOPNOTSUPP;
}

static inline int mermap_copy_to_page(struct page *page, size_t offset,
				      const void *from, size_t len)
{
	return -EOPNOTSUPP;
}

static inline int mermap_copy_from_page(void *to, struct page *page,
					size_t offset, size_t len)
{
	return -EOPNOTSUPP;
}
#endif /* CONFIG_MERMAP */

/* Where all mms share the mermap, mermap_put() leaves nothing to be done. */
#if defined(CONFIG_MERMAP) && defined(CONFIG_MM_LOCAL_REGION)
void mermap_prepare(void);
void mermap_flush(void);
void mermap_mark(struct mermap_marks **marks);
bool mermap_mark_lasting(struct mermap_marks **marks);
void mermap_flush_marks(struct mermap_marks *marks);
struct mermap_marks *mermap_get_marks(struct mermap_marks *marks);
void mermap_put_marks(struct mermap_marks *marks);
void __mermap_exit_mmap(struct mm_struct *mm);

static inline void mermap_mm_init(struct mm_struct *mm)
{
	mm->mermap = NULL;
}

static inline void mermap_exit_mmap(struct mm_struct *mm)
{
	if (unlikely(mm->mermap))
		__mermap_exit_mmap(mm);
}
#else
static inline void mermap_prepare(void) { }
static inline void mermap_flush(void) { }
static inline void mermap_mark(struct mermap_marks **marks) { }

static inline bool mermap_mark_lasting(struct mermap_marks **marks)
{
	return true;
}

static inline void mermap_flush_marks(struct mermap_marks *marks) { }

static inline struct mermap_marks *mermap_get_marks(struct mermap_marks *marks)
{
	return NULL;
}

static inline void mermap_put_marks(struct mermap_marks *marks) { }
static inline void mermap_mm_init(struct mm_struct *mm) { }
static inline void mermap_exit_mmap(struct mm_struct *mm) { }
#endif

#endif /* _LINUX_MERMAP_H */
