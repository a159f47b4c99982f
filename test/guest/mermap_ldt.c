// SPDX-License-Identifier: MIT
/*
 * Upstream's selftest of the LDT in a process that uses the mermap.  Both are in the same
 * region of addresses.
 *
 * mermap_ldt before    The process uses the mermap before the test.
 * mermap_ldt between   It uses the mermap after the test, and runs the test again.
 * mermap_ldt during    Another thread uses the mermap meanwhile.
 * mermap_ldt tables    With page table isolation the user's page tables have, of this
 *                      region, the LDT and no other table.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
/* The test is a program of Linux; its state between two runs is static. */
#define main ldt_gdt_main
#include <ldt_gdt.c>
#undef main

#include <inttypes.h>
#include <stdatomic.h>

#include "mermap_use.h"

#define DUMPS "/sys/kernel/debug/page_tables/"

static void clear_entry(unsigned int number)
{
	struct user_desc desc = {
		.entry_number = number,
		.read_exec_only = 1,
		.seg_not_present = 1,
	};

	if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)))
		err(2, "clearing entry %u of the LDT", number);
}

static int run(void)
{
	static char *name[] = { "ldt_gdt", NULL };

	/* As it was when the process began. */
	ftx = 0;
	nerrs = 0;
	clear_entry(0);
	clear_entry(1);
	return ldt_gdt_main(1, name);
}

static int before(void)
{
	return secret_use(4) || run() || secret_use(4);
}

static int between(void)
{
	return run() || secret_use(4) || run() || secret_use(4);
}

static atomic_bool stop;

static void *use_until_stopped(void *wrong)
{
	while (!stop) {
		if (secret_use(1))
			return wrong;
		/* Each use interrupts the other CPU: leave it some time. */
		usleep(5000);
	}
	return NULL;
}

static int during(void)
{
	pthread_t thread;
	void *wrong;
	int ret;

	if (pthread_create(&thread, NULL, use_until_stopped, &stop))
		err(2, "pthread_create");
	ret = run();
	stop = true;
	pthread_join(thread, &wrong);
	return ret || wrong;
}

/* The contents of a dump between two addresses. */
struct part {
	uint64_t start;
	uint64_t end;
	bool mapped;
	bool has_pte_table;
	/* Any entry that is not a hole in the table below the PGD. */
	bool has_table;
};

static bool is_5_level(void)
{
	char word[64];
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;

	if (!file)
		err(2, "/proc/cpuinfo");
	while (!found && fscanf(file, "%63s", word) == 1)
		found = !strcmp(word, "la57");
	fclose(file);
	return found;
}

/* A line of a dump: 0xSTART-0xEND SIZE [attributes] LEVEL */
static void add_line(struct part *part, char *line)
{
	char *level = NULL, *word, *save = NULL;
	uint64_t start, end;

	if (sscanf(line, "0x%" SCNx64 "-0x%" SCNx64, &start, &end) != 2 ||
	    start >= part->end || end <= part->start)
		return;
	for (word = strtok_r(line, " \t\n", &save); word;
	     word = strtok_r(NULL, " \t\n", &save)) {
		part->mapped |= !strcmp(word, "RW") || !strcmp(word, "ro");
		level = word;
	}
	part->has_pte_table |= !strcmp(level, "pte");
	part->has_table |= !strcmp(level, "pte") || !strcmp(level, "pmd") ||
			   (is_5_level() && !strcmp(level, "pud"));
}

static void read_dump(const char *name, struct part *part, int nr)
{
	FILE *file = fopen(name, "re");
	char line[256], copy[256];

	if (!file)
		err(2, "%s", name);
	while (fgets(line, sizeof(line), file))
		for (int i = 0; i < nr; i++) {
			strcpy(copy, line);
			add_line(&part[i], copy);
		}
	fclose(file);
}

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

/*
 * The mermap's tables stay for as long as the process lives.  So nothing has to be mapped
 * at that time: a dump that shows the tables would show mappings.
 */
static int look(const char *when, bool ldt)
{
	uint64_t base = is_5_level() ? 0xff10000000000000 : 0xffff880000000000;
	uint64_t size = is_5_level() ? 1ULL << 48 : 1ULL << 39;
	struct part kernel[] = {
		{ .start = base, .end = base + size / 512 },
		{ .start = base + size / 512, .end = base + size },
	}, user[] = { kernel[0], kernel[1] };
	int wrong = 0;

	printf("%d levels, %s\n", is_5_level() ? 5 : 4, when);
	read_dump(DUMPS "current_kernel", kernel, 2);
	read_dump(DUMPS "current_user", user, 2);
	wrong |= claim(kernel[1].has_pte_table, "the kernel has tables for the mermap");
	wrong |= claim(kernel[0].mapped == ldt, "the kernel maps the LDT if there is one");
	wrong |= claim(user[0].mapped == ldt, "the user's tables show it");
	wrong |= claim(!user[1].mapped && !user[1].has_table,
		       "they have nothing for the rest of the region");
	return wrong;
}

static int set_ldt(void)
{
	struct user_desc desc = { .limit = 10, .seg_32bit = 1, .contents = 2 };

	return syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)) != 0;
}

static int tables(void)
{
	int wrong, status;
	pid_t child;

	if (access(DUMPS "current_user", R_OK))
		err(2, "no page tables for user mode");
	if (secret_use(1))
		return 2;
	wrong = look("mermap only", false);
	if (set_ldt())
		return 2;
	wrong |= look("mermap, then LDT", true);
	child = fork();
	if (!child) {
		if (secret_use(1))
			_exit(2);
		_exit(look("LDT inherited, then mermap", true));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 2;
	return wrong || status;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*check)(void);
	} modes[] = {
		{ "before", before }, { "between", between },
		{ "during", during }, { "tables", tables },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* The test executes itself. */
	if (argc == 1 && !strcmp(argv[0], "ldt_gdt_test_exec"))
		return ldt_gdt_main(argc, argv);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (argc == 2 && !strcmp(argv[1], modes[i].name))
			return modes[i].check();
	fprintf(stderr, "usage: mermap_ldt before|between|during|tables\n");
	return 2;
}
