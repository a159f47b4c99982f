// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for ephemeral mappings.
 *
 * Most tests run twice: as a thread of a process whose mm is prepared, and as a
 * kernel thread, which has no mm and borrows one.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/kthread.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/panic.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/uaccess.h>

#include "../../nodirmap/nodirmap.h"
#include "../mermap.h"

/* How often a slot is used again, at the latest. */
#ifdef CONFIG_MM_LOCAL_REGION
#define TURN MERMAP_RING
#else
#define TURN 1
#endif

/* Let a kernel thread die with a mapping. */
static bool oops;

static int __init oops_param(char *arg)
{
	return kstrtobool(arg, &oops);
}
early_param("mermap_kunit.oops", oops_param);

static bool readable(const void *addr)
{
	unsigned char byte;

	return !copy_from_kernel_nofault(&byte, addr, 1);
}

static struct page *new_page(struct kunit *test, unsigned char fill)
{
	struct page *page = alloc_page(GFP_USER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), fill, PAGE_SIZE);
	return page;
}

static struct mm_struct *enter_new_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	kthread_use_mm(mm);
	mermap_prepare();
	return mm;
}

static void exit_mm_of_test(struct mm_struct *mm)
{
	kthread_unuse_mm(mm);
	mmput(mm);
}

static void in_new_mm(struct kunit *test, void (*check)(struct kunit *test))
{
	struct mm_struct *mm = enter_new_mm(test);

	check(test);
	exit_mm_of_test(mm);
}

static void check_zero_and_copy(struct kunit *test)
{
	struct page *page = new_page(test, 0x5a);
	char text[] = "a page that the direct map lacks", copy[sizeof(text)] = { };
	size_t offset = PAGE_SIZE - sizeof(text);

	KUNIT_ASSERT_EQ(test, 0, folio_zap_direct_map(page_folio(page)));

	KUNIT_EXPECT_EQ(test, 0, mermap_zero_page(page));
	KUNIT_EXPECT_EQ(test, 0, mermap_copy_to_page(page, offset, text, sizeof(text)));
	KUNIT_EXPECT_EQ(test, 0, mermap_copy_from_page(copy, page, offset, sizeof(copy)));
	KUNIT_EXPECT_STREQ(test, text, copy);

	KUNIT_ASSERT_EQ(test, 0, folio_restore_direct_map(page_folio(page)));
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, offset));
	KUNIT_EXPECT_STREQ(test, text, page_address(page) + offset);
	put_page(page);
}

static void zero_and_copy(struct kunit *test)
{
	in_new_mm(test, check_zero_and_copy);
}

static void check_nesting(struct kunit *test)
{
	struct mermap map[MERMAP_NESTING], one_more;
	struct page *page[MERMAP_NESTING];
	int i, outer;

	for (i = 0; i < MERMAP_NESTING; i++)
		page[i] = new_page(test, i);

	kunit_warning_suppress(test) {
		for (i = 0; i < MERMAP_NESTING; i++)
			KUNIT_EXPECT_NOT_NULL(test, mermap_get(&map[i], page[i]));

		KUNIT_EXPECT_NULL(test, mermap_get(&one_more, page[0]));

		/* From the innermost: what is outside of it is still there. */
		while (i--) {
			for (outer = 0; outer <= i; outer++)
				KUNIT_EXPECT_EQ(test, outer, *(char *)mermap_addr(&map[outer]));

			mermap_put(&map[i]);
			if (!map[i].in_ring)
				KUNIT_EXPECT_FALSE(test, readable(mermap_addr(&map[i])));
		}

		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	for (i = 0; i < MERMAP_NESTING; i++)
		put_page(page[i]);
}

static void nesting(struct kunit *test)
{
	in_new_mm(test, check_nesting);
}

static void check_neighbours_fault(struct kunit *test)
{
	struct page *page = new_page(test, 1);
	struct mermap outer, inner;
	char *addr;

	mermap_get(&outer, page);
	addr = mermap_get(&inner, page);
	KUNIT_EXPECT_TRUE(test, readable(addr));
	KUNIT_EXPECT_TRUE(test, readable(addr + PAGE_SIZE - 1));
	KUNIT_EXPECT_FALSE(test, readable(addr - 1));
	KUNIT_EXPECT_FALSE(test, readable(addr + PAGE_SIZE));
	mermap_put(&inner);
	mermap_put(&outer);

	put_page(page);
}

static void neighbours_fault(struct kunit *test)
{
	in_new_mm(test, check_neighbours_fault);
}

/*
 * Slots come back, each time for the other page.  What this CPU has cached for
 * them must not.
 */
static void check_reuse(struct kunit *test)
{
	struct page *page[] = { new_page(test, 0), new_page(test, 1) };
	unsigned int i, wrong = 0;
	struct mermap map;
	char *addr;

	preempt_disable();
	for (i = 0; i < 6 * TURN + 10; i++) {
		unsigned int which = (i + i / TURN) % 2;

		addr = mermap_get(&map, page[which]);
		wrong += *addr != which;
		mermap_put(&map);
	}
	preempt_enable();
	KUNIT_EXPECT_EQ(test, 0, wrong);

	put_page(page[0]);
	put_page(page[1]);
}

static void reuse(struct kunit *test)
{
	in_new_mm(test, check_reuse);
}

/* Threads of one process. */
struct thread {
	struct mm_struct *mm;
	struct page *page;
	struct completion done;
	void *addr;
	int cpu;
	int id;
	int errors;
};

static void start(struct kunit *test, struct thread *t, int (*fn)(void *))
{
	struct task_struct *task;

	init_completion(&t->done);
	task = kthread_create(fn, t, "mermap/%d", t->id);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	if (t->cpu >= 0)
		kthread_bind(task, t->cpu);
	wake_up_process(task);
}

#define NR_THREADS 16

/* Wherever the scheduler takes the thread, count in a page of its own. */
static int count_in_page(void *data)
{
	struct thread *t = data;
	struct mermap map;
	int i, *addr;

	kthread_use_mm(t->mm);
	for (i = 0; i < 2000; i++) {
		mermap_prepare();
		addr = mermap_get(&map, t->page);
		if (*addr != i)
			t->errors++;
		*addr = i + 1;
		mermap_put(&map);
		if (i % 16 == t->id % 16)
			schedule_timeout_uninterruptible(1);
		if (i % 64 == 0)
			mermap_flush();
	}
	kthread_unuse_mm(t->mm);
	complete(&t->done);
	return 0;
}

static void threads_do_not_meet(struct kunit *test)
{
	struct mm_struct *mm = enter_new_mm(test);
	struct thread *t = kunit_kcalloc(test, NR_THREADS, sizeof(*t), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < NR_THREADS; i++) {
		t[i].mm = mm;
		t[i].page = new_page(test, 0);
		t[i].cpu = -1;
		t[i].id = i + 1;
	}
	for (i = 0; i < NR_THREADS; i++)
		start(test, &t[i], count_in_page);
	for (i = 0; i < NR_THREADS; i++) {
		wait_for_completion(&t[i].done);
		KUNIT_EXPECT_EQ(test, 0, t[i].errors);
		KUNIT_EXPECT_EQ(test, 2000, *(int *)page_address(t[i].page));
		put_page(t[i].page);
	}
	exit_mm_of_test(mm);
}

/* A thread on another CPU that looks at an address when it is told to. */
struct onlooker {
	struct thread thread;
	bool lazy;
	bool lost;
	bool stop;
	bool sees;
	unsigned int asked;
	unsigned int answered;
};

static void wait_for_question(struct onlooker *o)
{
	/* Pairs with question(). */
	while (smp_load_acquire(&o->asked) == o->answered)
		cpu_relax();
}

static int look_on(void *data)
{
	struct onlooker *o = container_of(data, struct onlooker, thread);
	struct mm_struct *mm = o->thread.mm;

	kthread_use_mm(mm);
	/* Nobody else has use for the CPU, so it keeps the page tables. */
	if (o->lazy)
		kthread_unuse_mm(mm);
	for (;;) {
		wait_for_question(o);
		if (o->stop)
			break;
		o->sees = readable(o->thread.addr);
		o->lost |= current->active_mm != mm;
		/* Pairs with ask(). */
		smp_store_release(&o->answered, o->asked);
	}
	if (!o->lazy)
		kthread_unuse_mm(mm);
	complete(&o->thread.done);
	return 0;
}

static void question(struct onlooker *o)
{
	/* Pairs with wait_for_question(). */
	smp_store_release(&o->asked, o->asked + 1);
}

static bool ask(struct onlooker *o)
{
	question(o);
	/* Pairs with look_on(). */
	while (smp_load_acquire(&o->answered) != o->asked)
		cpu_relax();
	return o->sees;
}

/* In how many of the slots the onlooker can read. */
static int slots_seen(struct onlooker *o, struct mermap *map)
{
	int i, seen = 0;

	for (i = 0; i < MERMAP_NESTING; i++) {
		o->thread.addr = mermap_addr(&map[i]);
		seen += ask(o);
	}
	return seen;
}

/*
 * The onlooker has the translations in its TLB, as a CPU that speculates might.
 * After the flush they must be gone.
 */
static void check_other_cpu(struct kunit *test, bool lazy)
{
	struct mm_struct *mm = enter_new_mm(test);
	struct page *page = new_page(test, 1);
	struct onlooker *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);
	struct mermap map[MERMAP_NESTING];
	int live, after_put, after_flush, i;

	KUNIT_ASSERT_NOT_NULL(test, o);
	o->lazy = lazy;
	o->thread.mm = mm;

	migrate_disable();
	o->thread.cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	start(test, &o->thread, look_on);

	preempt_disable();
	for (i = 0; i < MERMAP_NESTING; i++)
		mermap_get(&map[i], page);
	live = slots_seen(o, map);
	while (i--)
		mermap_put(&map[i]);
	after_put = slots_seen(o, map);
	preempt_enable();

	mermap_flush();
	after_flush = slots_seen(o, map);
	migrate_enable();

	/* active_mm does not tell of a temporary mm in between */
	if (lazy && !live)
		o->lost = true;
	if (!o->lost)
		KUNIT_EXPECT_EQ(test, MERMAP_NESTING, live);
	KUNIT_EXPECT_EQ(test, 0, after_flush);
	kunit_info(test, "between put and flush another CPU still sees %d slots\n",
		   after_put);

	o->stop = true;
	question(o);
	wait_for_completion(&o->thread.done);
	put_page(page);
	exit_mm_of_test(mm);
	/* a skip would hide a failure */
	if (o->lost && !after_flush)
		kunit_skip(test, "the other CPU went on to another process");
}

static void flush_reaches_other_cpu(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs a second CPU");
	check_other_cpu(test, false);
}

static void flush_reaches_lazy_cpu(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs a second CPU");
	check_other_cpu(test, true);
}

#ifdef CONFIG_MM_LOCAL_REGION
/* Threads on CPUs of their own, one of which puts off the flush of another. */
struct flush_race {
	struct thread deaf, first, second;
	struct mermap_marks *marks;
	/* How long the first flush is put off, in ms, unless the second is done. */
	unsigned int patience;
	bool is_deaf;
	bool hears;
	bool first_flushes;
	bool second_done;
	bool second_was_early;
};

/* With interrupts disabled the flush of another CPU cannot complete. */
static int be_deaf(void *data)
{
	struct thread *t = data;
	struct flush_race *race = container_of(t, struct flush_race, deaf);
	unsigned int ms = race->patience;

	kthread_use_mm(t->mm);
	local_irq_disable();
	WRITE_ONCE(race->is_deaf, true);
	while (!READ_ONCE(race->first_flushes))
		cpu_relax();
	while (--ms && !READ_ONCE(race->second_done))
		mdelay(1);
	WRITE_ONCE(race->hears, true);
	local_irq_enable();
	kthread_unuse_mm(t->mm);
	complete(&t->done);
	return 0;
}

static int flush_first(void *data)
{
	struct thread *t = data;
	struct flush_race *race = container_of(t, struct flush_race, first);

	while (!READ_ONCE(race->is_deaf))
		cond_resched();
	WRITE_ONCE(race->first_flushes, true);
	mermap_flush_marks(race->marks);
	complete(&t->done);
	return 0;
}

static void wait_for_first(struct flush_race *race)
{
	while (!READ_ONCE(race->first_flushes))
		cond_resched();
	/* Until the first has begun to flush. */
	mdelay(100);
}

static int flush_second(void *data)
{
	struct thread *t = data;
	struct flush_race *race = container_of(t, struct flush_race, second);

	wait_for_first(race);
	mermap_flush_marks(race->marks);
	race->second_was_early = !READ_ONCE(race->hears);
	WRITE_ONCE(race->second_done, true);
	complete(&t->done);
	return 0;
}

static int map_second(void *data)
{
	struct thread *t = data;
	struct flush_race *race = container_of(t, struct flush_race, second);

	wait_for_first(race);
	kthread_use_mm(t->mm);
	mermap_zero_page(t->page);
	mermap_mark(&race->marks);
	race->second_was_early = !READ_ONCE(race->hears);
	kthread_unuse_mm(t->mm);
	WRITE_ONCE(race->second_done, true);
	complete(&t->done);
	return 0;
}

static s64 flushes_of(struct mm_struct *mm)
{
	return atomic64_read(&mm->context.tlb_gen);
}

/* While one CPU does not answer the flush of the first thread, run the second. */
static void flush_meets(struct kunit *test, int (*second)(void *data),
			unsigned int patience,
			void (*check)(struct kunit *test, struct flush_race *race))
{
	struct flush_race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct mm_struct *mm;
	struct page *page;
	int cpu;

	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->patience = patience;
	mm = enter_new_mm(test);
	page = new_page(test, 1);
	mermap_zero_page(page);
	mermap_mark(&race->marks);
	KUNIT_ASSERT_NOT_NULL(test, race->marks);

	/* Nobody whom another one waits for may be on the deaf CPU. */
	migrate_disable();
	cpu = cpumask_next_wrap(smp_processor_id(), cpu_online_mask);
	race->first.cpu = cpu;
	cpu = cpumask_next_wrap(cpu, cpu_online_mask);
	race->second.cpu = cpu;
	race->deaf.cpu = cpumask_next_wrap(cpu, cpu_online_mask);
	race->deaf.mm = mm;
	race->second.mm = mm;
	race->second.page = page;
	start(test, &race->first, flush_first);
	start(test, &race->second, second);
	start(test, &race->deaf, be_deaf);

	wait_for_completion(&race->first.done);
	wait_for_completion(&race->second.done);
	wait_for_completion(&race->deaf.done);
	migrate_enable();
	check(test, race);

	put_page(page);
	exit_mm_of_test(mm);
	mermap_put_marks(race->marks);
}

static void check_not_early(struct kunit *test, struct flush_race *race)
{
	KUNIT_EXPECT_FALSE(test, race->second_was_early);
}

/* Who finds that a flush has started goes on only when it is complete. */
static void flush_waits_for_others(struct kunit *test)
{
	/* The second waits for the first; if both are slow, this proves less. */
	flush_meets(test, flush_second, 400, check_not_early);
}

static void check_another_flush(struct kunit *test, struct flush_race *race)
{
	s64 before = flushes_of(race->deaf.mm);

	/* Whether the second was early or not, it began after the first flush. */
	mermap_flush_marks(race->marks);
	KUNIT_EXPECT_LT(test, before, flushes_of(race->deaf.mm));
}

/* A flush that had started may have missed what was mapped meanwhile. */
static void flush_that_has_started_is_not_enough(struct kunit *test)
{
	flush_meets(test, map_second, 10 * MSEC_PER_SEC, check_another_flush);
}

static void map_and_mark(struct page *page, struct mermap_marks **marks)
{
	mermap_zero_page(page);
	mermap_mark(marks);
}

/* Pages that were mapped before a flush share it. */
static void one_flush_is_enough(struct kunit *test)
{
	struct mm_struct *mm = enter_new_mm(test);
	struct page *page = new_page(test, 1);
	struct mermap_marks *marks = NULL;
	s64 before = flushes_of(mm);
	unsigned int i;

	for (i = 0; i < 2 * TURN; i++)
		map_and_mark(page, &marks);
	KUNIT_EXPECT_EQ(test, before, flushes_of(mm));

	for (i = 0; i < 10; i++)
		mermap_flush_marks(marks);
	KUNIT_EXPECT_EQ(test, before + 1, flushes_of(mm));

	/* It may have been for another owner's pages. */
	map_and_mark(page, &marks);
	mermap_flush();
	KUNIT_EXPECT_EQ(test, before + 2, flushes_of(mm));
	mermap_flush_marks(marks);
	KUNIT_EXPECT_EQ(test, before + 2, flushes_of(mm));

	map_and_mark(page, &marks);
	mermap_flush_marks(marks);
	KUNIT_EXPECT_EQ(test, before + 3, flushes_of(mm));

	exit_mm_of_test(mm);
	mermap_put_marks(marks);
	put_page(page);
}

/* An owner's flush leaves those alone that have not mapped its pages. */
static void others_are_not_flushed(struct kunit *test)
{
	struct mermap_marks *marks = NULL, *others = NULL;
	struct page *page = new_page(test, 1);
	struct mm_struct *mm, *other;
	s64 before;

	other = enter_new_mm(test);
	map_and_mark(page, &others);
	kthread_unuse_mm(other);

	mm = enter_new_mm(test);
	map_and_mark(page, &marks);
	before = flushes_of(other);
	mermap_flush_marks(marks);
	mermap_flush();
	exit_mm_of_test(mm);
	KUNIT_EXPECT_EQ(test, before, flushes_of(other));

	mermap_flush_marks(others);
	KUNIT_EXPECT_EQ(test, before + 1, flushes_of(other));

	mmput(other);
	mermap_put_marks(marks);
	mermap_put_marks(others);
	put_page(page);
}

/* More processes than there are marks. */
static void every_mm_is_flushed(struct kunit *test)
{
	struct mm_struct *mm[10];
	struct page *page = new_page(test, 1);
	struct mermap_marks *marks = NULL;
	s64 before[ARRAY_SIZE(mm)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mm); i++) {
		mm[i] = enter_new_mm(test);
		before[i] = flushes_of(mm[i]);
		map_and_mark(page, &marks);
		kthread_unuse_mm(mm[i]);
	}
	/* One that is gone needs no flush. */
	mmput(mm[0]);
	mermap_flush_marks(marks);
	for (i = 1; i < ARRAY_SIZE(mm); i++) {
		KUNIT_EXPECT_EQ(test, before[i] + 1, flushes_of(mm[i]));
		mmput(mm[i]);
	}

	mermap_put_marks(marks);
	put_page(page);
}

/* Another mm has used the ring of this CPU meanwhile, but not this mm's. */
static void ring_is_the_mms(struct kunit *test)
{
	struct page *page = new_page(test, 1);
	struct mm_struct *mm, *other;
	struct mermap map;
	void *addr;
	int i;

	migrate_disable();
	mm = enter_new_mm(test);
	addr = mermap_get(&map, page);
	mermap_put(&map);
	if (!map.in_ring) {
		put_page(page);
		exit_mm_of_test(mm);
		migrate_enable();
		kunit_skip(test, "the mermap is strict");
	}
	kthread_unuse_mm(mm);

	other = enter_new_mm(test);
	for (i = 0; i < TURN / 2; i++)
		mermap_zero_page(page);
	exit_mm_of_test(other);

	kthread_use_mm(mm);
	KUNIT_EXPECT_PTR_EQ(test, addr - 2 * PAGE_SIZE, mermap_get(&map, page));
	mermap_put(&map);
	exit_mm_of_test(mm);
	migrate_enable();
	put_page(page);
}

#define BLOCK_PAGES (PMD_SIZE / PAGE_SIZE)

static struct page *new_block(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_USER, PMD_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), 0x5a, PMD_SIZE);
	return page;
}

/* The private mm stays loaded, so that nothing else flushes the window. */
static void window_is_flushed(struct kunit *test)
{
	struct page *page = new_block(test);
	struct mermap outer, map;
	char *addr;

	mermap_get(&outer, page);
	addr = mermap_get_window(&map, page + 1);
	KUNIT_EXPECT_EQ(test, 0x5a, *addr);
	*addr = 1;
	KUNIT_EXPECT_EQ(test, 0x5a, addr[-1]);
	mermap_put_window(&map);
	KUNIT_EXPECT_FALSE(test, readable(addr));
	KUNIT_EXPECT_FALSE(test, readable(addr - 1));
	KUNIT_EXPECT_EQ(test, 0x5a, *(char *)mermap_addr(&outer));
	mermap_put(&outer);

	KUNIT_EXPECT_EQ(test, 1, *(char *)page_address(page + 1));
	__free_pages(page, PMD_ORDER);
}

/* In the mm of the task nothing was mapped, so that there is nothing to flush. */
static void block_is_not_in_the_mm(struct kunit *test)
{
	struct page *page = new_block(test), *other = new_page(test, 1);
	struct mm_struct *mm = enter_new_mm(test);
	struct mermap map;
	void *addr;

	migrate_disable();
	addr = mermap_get(&map, other);
	mermap_put(&map);
	KUNIT_EXPECT_EQ(test, 0, mermap_zero_block(page, BLOCK_PAGES));
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PMD_SIZE));

	mermap_get(&map, other);
	if (map.in_ring && addr < mermap_addr(&map))
		KUNIT_EXPECT_PTR_EQ(test, addr + 2 * PAGE_SIZE, mermap_addr(&map));
	mermap_put(&map);
	migrate_enable();

	exit_mm_of_test(mm);
	__free_pages(page, PMD_ORDER);
	put_page(other);
}

/* Asked for on the command line: no address outlives mermap_put() on its CPU. */
static void strict_leaves_no_address(struct kunit *test)
{
	struct page *page = new_page(test, 1);
	struct mm_struct *mm;
	struct mermap map;
	bool seen;
	char *addr;

	if (!strstr(saved_command_line, "mermap=strict"))
		kunit_skip(test, "needs mermap=strict");

	mm = enter_new_mm(test);
	preempt_disable();
	addr = mermap_get(&map, page);
	KUNIT_EXPECT_EQ(test, 1, *addr);
	mermap_put(&map);
	seen = readable(addr);
	preempt_enable();
	KUNIT_EXPECT_FALSE(test, seen);

	exit_mm_of_test(mm);
	put_page(page);
}

static void zero_part_of_block(struct kunit *test)
{
	struct page *page = new_block(test);
	unsigned int chunk = SZ_64K / PAGE_SIZE;
	char *addr = page_address(page);

	KUNIT_EXPECT_EQ(test, 0, mermap_zero_block(page + chunk, 2 * chunk));
	KUNIT_EXPECT_NULL(test, memchr_inv(addr, 0x5a, SZ_64K));
	KUNIT_EXPECT_NULL(test, memchr_inv(addr + SZ_64K, 0, 2 * SZ_64K));
	KUNIT_EXPECT_NULL(test, memchr_inv(addr + 3 * SZ_64K, 0x5a,
					   PMD_SIZE - 3 * SZ_64K));
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EINVAL, mermap_zero_block(page + 1, chunk));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	__free_pages(page, PMD_ORDER);
}

/* Another task wants the CPU after the first part. */
static void zero_block_with_a_break(struct kunit *test)
{
	struct page *page = new_block(test);

	set_tsk_need_resched(current);
	set_preempt_need_resched();
	KUNIT_EXPECT_EQ(test, 0, mermap_zero_block(page, BLOCK_PAGES));
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PMD_SIZE));
	__free_pages(page, PMD_ORDER);
}

/* A task has died with a mapping, and this CPU has the address in its TLB. */
static void slot_left_filled(struct kunit *test)
{
	struct page *page[] = { new_page(test, 0), new_page(test, 1) };
	struct mermap outer, map;
	char *addr;
	pte_t pte;

	mermap_get(&outer, page[0]);
	addr = mermap_get(&map, page[0]);
	pte = ptep_get(map.ptep);
	mermap_put(&map);
	set_pte(map.ptep, pte);
	KUNIT_EXPECT_EQ(test, 0, *addr);

	KUNIT_EXPECT_PTR_EQ(test, addr, mermap_get(&map, page[1]));
	KUNIT_EXPECT_EQ(test, 1, *addr);
	mermap_put(&map);
	mermap_put(&outer);

	put_page(page[0]);
	put_page(page[1]);
}

static void memory_is_the_mms(struct kunit *test)
{
	struct mm_struct *mm;
	struct mermap map;
	struct page *page;
	unsigned long bytes;

	mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, mm);
	page = new_page(test, 1);
	bytes = mm_pgtables_bytes(mm);

	/* Works, and costs the mm nothing, before it is prepared. */
	kthread_use_mm(mm);
	mermap_get(&map, page);
	mermap_put(&map);
	KUNIT_EXPECT_EQ(test, bytes, mm_pgtables_bytes(mm));

	mermap_prepare();
	KUNIT_EXPECT_GT(test, mm_pgtables_bytes(mm), bytes);

	/* When this exits, check_mm() complains about what is left. */
	exit_mm_of_test(mm);
	put_page(page);
}

static void live_slot_at_exit(struct kunit *test)
{
	struct mm_struct *mm;
	struct mermap map;
	struct page *page;
	pte_t pte;

	mm = enter_new_mm(test);
	page = new_page(test, 1);
	mermap_get(&map, page);
	pte = ptep_get(map.ptep);
	mermap_put(&map);

	/* As if it had not been put. */
	set_pte(map.ptep, pte);
	kunit_warning_suppress(test) {
		exit_mm_of_test(mm);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	put_page(page);
}

#endif /* CONFIG_MM_LOCAL_REGION */

/* As a thread of a process, and with another mapping around it. */
static int die(void *data)
{
	struct thread *t = data;
	struct mermap outer, map;
	char *addr;

	if (t->mm) {
		/* Dropped when the task exits, as that of any task would be. */
		mmget(t->mm);
		kthread_use_mm(t->mm);
		mermap_prepare();
	}
	mermap_get(&outer, t->page);
	addr = mermap_get(&map, t->page);
	complete(&t->done);
	/* Behind the page there is nothing. */
	WRITE_ONCE(addr[PAGE_SIZE], 1);
	mermap_put(&map);
	mermap_put(&outer);
	return 0;
}

static void check_death(struct kunit *test, struct mm_struct *mm)
{
	struct page *page[] = { new_page(test, 0), new_page(test, 1) };
	struct thread t = { .mm = mm, .page = page[0], .cpu = smp_processor_id() };
	struct mermap map[MERMAP_NESTING];
	unsigned int i, round, wrong = 0;

	start(test, &t, die);
	wait_for_completion(&t.done);
	msleep(200);

	/* More than one turn, on the CPU of the dead task, as deep as ever. */
	for (round = 0; round < 2 * TURN; round++) {
		for (i = 0; i < MERMAP_NESTING; i++) {
			char *addr = mermap_get(&map[i], page[1]);

			KUNIT_ASSERT_NOT_NULL(test, addr);
			wrong += *addr != 1;
			*addr = 1;
		}
		while (i--)
			mermap_put(&map[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, 0, *(char *)page_address(page[0]));

	put_page(page[1]);
	/* The dead task's page is lost, as is its reference to the mm. */
}

/* Only where it is asked for, as the kernel reports an oops. */
static void task_dies_with_mapping(struct kunit *test)
{
	int panics = panic_on_oops;
	struct mm_struct *mm;

	if (!oops)
		kunit_skip(test, "mermap_kunit.oops is not set");

	panic_on_oops = 0;
	migrate_disable();
	check_death(test, NULL);
	mm = enter_new_mm(test);
	check_death(test, mm);
	exit_mm_of_test(mm);
	check_death(test, NULL);
	migrate_enable();
	panic_on_oops = panics;
}

static void not_in_user_page_tables(struct kunit *test)
{
#ifdef CONFIG_MITIGATION_PAGE_TABLE_ISOLATION
	struct mm_struct *mm;
	struct mermap map;
	struct page *page;
	unsigned int level;
	unsigned long addr;
	pgd_t *pgd;

	if (!cpu_feature_enabled(X86_FEATURE_PTI))
		kunit_skip(test, "page table isolation is off");

	mm = enter_new_mm(test);
	page = new_page(test, 1);
	addr = (unsigned long)mermap_get(&map, page);
	pgd = pgd_offset(mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, lookup_address_in_pgd(pgd, addr, &level));
	KUNIT_EXPECT_NULL(test, lookup_address_in_pgd(kernel_to_user_pgdp(pgd),
						      addr, &level));
	mermap_put(&map);
	put_page(page);
	exit_mm_of_test(mm);
#else
	kunit_skip(test, "no page table isolation in this kernel");
#endif
}

/*
 * The least of several rounds, as interrupts are not what is measured.  Under an
 * emulator that counts instructions, cycles are instructions.
 */
static void check_cost(struct kunit *test)
{
	struct page *page = new_page(test, 1);
	unsigned int i, round, per_round = 50;
	cycles_t start, cycles, least = -1;
	struct mermap map;

	for (round = 0; round < 20; round++) {
		start = get_cycles();
		for (i = 0; i < per_round; i++) {
			mermap_get(&map, page);
			mermap_put(&map);
		}
		cycles = get_cycles() - start;
		least = min(least, cycles);
	}

	kunit_info(test, "get and put %s an mm: %llu cycles\n",
		   current->mm ? "with" : "without", (u64)least / per_round);
	put_page(page);
}

static void cost(struct kunit *test)
{
	in_new_mm(test, check_cost);
}

static int mermap_test_init(struct kunit *test)
{
	if (!mermap_supported())
		kunit_skip(test, "not supported on this machine");
	return 0;
}

static struct kunit_case mermap_test_cases[] = {
	KUNIT_CASE(zero_and_copy),
	KUNIT_CASE(nesting),
	KUNIT_CASE(neighbours_fault),
	KUNIT_CASE(reuse),
	KUNIT_CASE(threads_do_not_meet),
	KUNIT_CASE(flush_reaches_other_cpu),
	KUNIT_CASE(flush_reaches_lazy_cpu),
#ifdef CONFIG_MM_LOCAL_REGION
	KUNIT_CASE(flush_waits_for_others),
	KUNIT_CASE(flush_that_has_started_is_not_enough),
	KUNIT_CASE(one_flush_is_enough),
	KUNIT_CASE(others_are_not_flushed),
	KUNIT_CASE(every_mm_is_flushed),
	KUNIT_CASE(ring_is_the_mms),
	KUNIT_CASE(block_is_not_in_the_mm),
	KUNIT_CASE(strict_leaves_no_address),
	KUNIT_CASE(memory_is_the_mms),
	KUNIT_CASE(live_slot_at_exit),
#endif
	KUNIT_CASE(task_dies_with_mapping),
	KUNIT_CASE(not_in_user_page_tables),
	KUNIT_CASE(cost),
	{}
};

static struct kunit_suite mermap_test_suite = {
	.name = "mermap",
	.init = mermap_test_init,
	.test_cases = mermap_test_cases,
};

static struct kunit_case mermap_no_mm_test_cases[] = {
	KUNIT_CASE(check_zero_and_copy),
	KUNIT_CASE(check_nesting),
	KUNIT_CASE(check_neighbours_fault),
	KUNIT_CASE(check_reuse),
#ifdef CONFIG_MM_LOCAL_REGION
	KUNIT_CASE(window_is_flushed),
	KUNIT_CASE(zero_part_of_block),
	KUNIT_CASE(zero_block_with_a_break),
	KUNIT_CASE(slot_left_filled),
#endif
	KUNIT_CASE(check_cost),
	{}
};

static struct kunit_suite mermap_no_mm_test_suite = {
	.name = "mermap_no_mm",
	.init = mermap_test_init,
	.test_cases = mermap_no_mm_test_cases,
};

kunit_test_suites(&mermap_test_suite, &mermap_no_mm_test_suite);
