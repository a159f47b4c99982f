// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for ephemeral mappings.
 *
 * Most tests run twice: as a thread of a process whose mm is prepared, and as a
 * kernel thread, which has no mm and works with preemption disabled meanwhile.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/timex.h>
#include <linux/uaccess.h>

#include "../nodirmap/nodirmap.h"

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
	struct mermap map[MERMAP_SLOTS], one_more;
	struct page *page[MERMAP_SLOTS];
	int i, outer;

	for (i = 0; i < MERMAP_SLOTS; i++)
		page[i] = new_page(test, i);

	kunit_warning_suppress(test) {
		for (i = 0; i < MERMAP_SLOTS; i++)
			KUNIT_EXPECT_NOT_NULL(test, mermap_get(&map[i], page[i]));

		KUNIT_EXPECT_NULL(test, mermap_get(&one_more, page[0]));

		/* From the innermost: what is outside of it is still there. */
		while (i--) {
			for (outer = 0; outer <= i; outer++)
				KUNIT_EXPECT_EQ(test, outer, *(char *)mermap_addr(&map[outer]));

			mermap_put(&map[i]);
			KUNIT_EXPECT_FALSE(test, readable(mermap_addr(&map[i])));
		}

		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	for (i = 0; i < MERMAP_SLOTS; i++)
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

/* The address comes back at once, what this CPU has cached for it must not. */
static void check_reuse(struct kunit *test)
{
	struct page *first = new_page(test, 1), *second = new_page(test, 2);
	struct mermap map;
	char *addr, *again;

	preempt_disable();
	addr = mermap_get(&map, first);
	KUNIT_EXPECT_EQ(test, 1, *addr);
	mermap_put(&map);

	again = mermap_get(&map, second);
	KUNIT_EXPECT_PTR_EQ(test, addr, again);
	KUNIT_EXPECT_EQ(test, 2, *again);
	mermap_put(&map);
	preempt_enable();

	put_page(first);
	put_page(second);
}

static void reuse(struct kunit *test)
{
	in_new_mm(test, check_reuse);
}

/*
 * Let others run.  Who uses a mapping must not sleep, as the mm may be borrowed,
 * but with an mm of its own that is a preemption that happens for sure.
 */
static void switch_away(void)
{
	schedule_timeout_uninterruptible(1);
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

/* Hold two mappings while others do so in the same slots. */
static int hold_while_others_run(void *data)
{
	struct thread *t = data;
	struct mermap outer, inner;
	int *a, *b, i;

	kthread_use_mm(t->mm);
	mermap_prepare();

	a = mermap_get(&outer, t->page);
	b = mermap_get(&inner, t->page) + sizeof(int);
	t->addr = a;
	for (i = 0; i < 50; i++) {
		*a = t->id;
		*b = i;
		switch_away();
		if (*a != t->id || *b != i || raw_smp_processor_id() != t->cpu)
			t->errors++;
	}
	mermap_put(&inner);
	mermap_put(&outer);

	kthread_unuse_mm(t->mm);
	complete(&t->done);
	return 0;
}

#define NR_THREADS 16

/* More threads than slots, and each of them gets the first two. */
static void slots_are_the_tasks_own(struct kunit *test)
{
	struct mm_struct *mm = enter_new_mm(test);
	struct thread *t = kunit_kcalloc(test, NR_THREADS, sizeof(*t), GFP_KERNEL);
	int i, cpu = cpumask_last(cpu_online_mask);

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < NR_THREADS; i++) {
		t[i].mm = mm;
		t[i].page = new_page(test, 0);
		t[i].cpu = cpu;
		t[i].id = i + 1;
	}
	for (i = 0; i < NR_THREADS; i++)
		start(test, &t[i], hold_while_others_run);
	for (i = 0; i < NR_THREADS; i++) {
		wait_for_completion(&t[i].done);
		KUNIT_EXPECT_EQ(test, 0, t[i].errors);
		KUNIT_EXPECT_PTR_EQ(test, t[0].addr, t[i].addr);
		KUNIT_EXPECT_EQ(test, i + 1, *(int *)page_address(t[i].page));
		put_page(t[i].page);
	}
	exit_mm_of_test(mm);
}

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
		/* A borrowed mm, for lack of memory, does not allow this. */
		if (i % 16 == t->id % 16 && !map.prev_mm)
			switch_away();
		*addr = i + 1;
		mermap_put(&map);
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

/* Does not schedule, as that would clear the slots. */
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

	for (i = 0; i < MERMAP_SLOTS; i++) {
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
	struct mermap map[MERMAP_SLOTS];
	int live, after_put, after_flush, i;

	KUNIT_ASSERT_NOT_NULL(test, o);
	o->lazy = lazy;
	o->thread.mm = mm;

	migrate_disable();
	o->thread.cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	start(test, &o->thread, look_on);

	preempt_disable();
	for (i = 0; i < MERMAP_SLOTS; i++)
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
		KUNIT_EXPECT_EQ(test, MERMAP_SLOTS, live);
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

/* The threads of flush_waits_for_others(), each on a CPU of its own. */
struct flush_race {
	struct thread deaf, first, second;
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
	unsigned int ms = 200;

	kthread_use_mm(t->mm);
	local_irq_disable();
	WRITE_ONCE(race->is_deaf, true);
	while (!READ_ONCE(race->first_flushes))
		cpu_relax();
	/* Time for both; if they are slow, the test proves less. */
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
	mermap_flush();
	complete(&t->done);
	return 0;
}

static int flush_second(void *data)
{
	struct thread *t = data;
	struct flush_race *race = container_of(t, struct flush_race, second);

	while (!READ_ONCE(race->first_flushes))
		cond_resched();
	/* Until the first has taken the mm off the list. */
	mdelay(20);
	mermap_flush();
	race->second_was_early = !READ_ONCE(race->hears);
	WRITE_ONCE(race->second_done, true);
	complete(&t->done);
	return 0;
}

/* Who finds nothing to flush may do so only when the flush of others is over. */
static void flush_waits_for_others(struct kunit *test)
{
	struct flush_race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct mm_struct *mm;
	struct mermap map;
	struct page *page;
	int cpu;

	if (!IS_ENABLED(CONFIG_MM_LOCAL_REGION))
		kunit_skip(test, "mermap_put() flushes, on all CPUs");
	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");

	KUNIT_ASSERT_NOT_NULL(test, race);
	mm = enter_new_mm(test);
	page = new_page(test, 1);
	mermap_get(&map, page);
	mermap_put(&map);

	/* Nobody whom another one waits for may be on the deaf CPU. */
	migrate_disable();
	cpu = cpumask_next_wrap(smp_processor_id(), cpu_online_mask);
	race->first.cpu = cpu;
	cpu = cpumask_next_wrap(cpu, cpu_online_mask);
	race->second.cpu = cpu;
	race->deaf.cpu = cpumask_next_wrap(cpu, cpu_online_mask);
	race->deaf.mm = mm;
	start(test, &race->first, flush_first);
	start(test, &race->second, flush_second);
	start(test, &race->deaf, be_deaf);

	wait_for_completion(&race->first.done);
	wait_for_completion(&race->second.done);
	wait_for_completion(&race->deaf.done);
	migrate_enable();
	KUNIT_EXPECT_FALSE(test, race->second_was_early);

	put_page(page);
	exit_mm_of_test(mm);
}

static void memory_is_the_mms(struct kunit *test)
{
	struct mm_struct *mm;
	struct mermap map;
	struct page *page;
	unsigned long bytes;

	if (!IS_ENABLED(CONFIG_MM_LOCAL_REGION))
		kunit_skip(test, "all mms share the mermap");

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

	if (!IS_ENABLED(CONFIG_MM_LOCAL_REGION))
		kunit_skip(test, "all mms share the mermap");

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
	KUNIT_CASE(slots_are_the_tasks_own),
	KUNIT_CASE(threads_do_not_meet),
	KUNIT_CASE(flush_reaches_other_cpu),
	KUNIT_CASE(flush_reaches_lazy_cpu),
	KUNIT_CASE(flush_waits_for_others),
	KUNIT_CASE(memory_is_the_mms),
	KUNIT_CASE(live_slot_at_exit),
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
	KUNIT_CASE(check_cost),
	{}
};

static struct kunit_suite mermap_no_mm_test_suite = {
	.name = "mermap_no_mm",
	.init = mermap_test_init,
	.test_cases = mermap_no_mm_test_cases,
};

kunit_test_suites(&mermap_test_suite, &mermap_no_mm_test_suite);
