/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ephemeral mappings: short-lived addresses for pages that have no other.
 * See Documentation/mm/mermap.rst.
 */
#ifndef _LINUX_MERMAP_H
#define _LINUX_MERMAP_H

#include <linux/mm_types.h>
#include <linux/sched.h>

/* How deep the mappings of a task may nest. */
#define MERMAP_SLOTS 8

/**
 * struct mermap - an ephemeral mapping, on the stack of the task that holds it
 *
 * All members are private to mm/mermap.c.
 */
struct mermap {
	/* private: */
	struct mermap *outer;
	struct mermap_mm *owner;
	struct mm_struct *prev_mm;
	void *addr;
	pte_t *ptep;
	pte_t pte;
	unsigned int depth;
};

#ifdef CONFIG_MERMAP
bool mermap_supported(void);
void mermap_prepare(void);
void *mermap_get(struct mermap *map, struct page *page);
void mermap_put(struct mermap *map);
void mermap_flush(void);

int mermap_zero_page(struct page *page);
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

void __mermap_sched_out(void);
void __mermap_sched_in(void);
void __mermap_exit_mmap(struct mm_struct *mm);

static inline void mermap_sched_out(void)
{
	if (unlikely(current->mermap))
		__mermap_sched_out();
}

static inline void mermap_sched_in(void)
{
	if (unlikely(current->mermap))
		__mermap_sched_in();
}

static inline void mermap_fork(struct task_struct *task)
{
	task->mermap = NULL;
}

static inline void mermap_mm_init(struct mm_struct *mm)
{
	mm->mermap = NULL;
}

static inline void mermap_exit_mmap(struct mm_struct *mm)
{
	if (unlikely(mm->mermap))
		__mermap_exit_mmap(mm);
}
#else /* !CONFIG_MERMAP */
static inline bool mermap_supported(void)
{
	return false;
}

static inline void mermap_prepare(void) { }
static inline void mermap_flush(void) { }

static inline void *mermap_get(struct mermap *map, struct page *page)
{
	return NULL;
}

static inline void mermap_put(struct mermap *map) { }

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

static inline void mermap_sched_out(void) { }
static inline void mermap_sched_in(void) { }
static inline void mermap_fork(struct task_struct *task) { }
static inline void mermap_mm_init(struct mm_struct *mm) { }
static inline void mermap_exit_mmap(struct mm_struct *mm) { }
#endif /* CONFIG_MERMAP */

#endif /* _LINUX_MERMAP_H */
