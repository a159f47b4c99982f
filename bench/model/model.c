// SPDX-License-Identifier: MIT
/*
 * A model of a host: VMs start, punch and populate pages at random, give way to others,
 * and most of them die.  Prints the costs of that under each policy.
 *
 * Exit: 0, 1 memory of the modelled host is full, 2 wrong options.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
/* Pages that a VM populates before the next one does. */
#define TURN 64
#define DAY 86400

static const char *const policies[NR_POLICIES] = { "owned", "shared", "pages" };

struct result {
	double most, singles, start, churn, replace, second, interrupts, ipi, invlpgb, freed,
		stuck, backlog, backlog_10, back, ordinary, ordinary_time;
};

static const struct row {
	const char *key, *text, *unit;
	size_t offset;
	int places;
} rows[] = {
#define ROW(key, places, unit, text) { #key, text, unit, offsetof(struct result, key), places }
	ROW(most, 0, "MiB", "most memory in blocks out of the map"),
	ROW(singles, 0, "pages", "pages that left the map one by one"),
	ROW(start, 2, "a GiB populated", "broadcasts: all VMs start"),
	ROW(churn, 2, "a GiB populated", "broadcasts: VMs punch and populate at random"),
	ROW(replace, 2, "a GiB populated", "broadcasts: VMs start in place of others"),
	ROW(second, 0, "a second", "broadcasts: all VMs start"),
	ROW(interrupts, 0, "a second", "interrupts: all VMs start, IPI"),
	ROW(ipi, 3, "CPUs", "CPUs that wait for a broadcast: all VMs start, IPI"),
	ROW(invlpgb, 3, "CPUs", "CPUs that wait for a broadcast: all VMs start, INVLPGB"),
	ROW(freed, 0, "MiB", "mass exit: memory that the dead VMs used"),
	ROW(stuck, 2, "% of that memory", "mass exit: free pages in blocks of survivors"),
	ROW(backlog, 0, "MiB", "back-log of the workers: at the exit"),
	ROW(backlog_10, 0, "MiB", "back-log of the workers: 10 s later"),
	ROW(back, 1, "s", "back-log of the workers: time until none is left"),
	ROW(ordinary, 0, "blocks", "blocks put back when ordinary requests take all memory"),
	ROW(ordinary_time, 1, "s", "CPU time to clear these blocks, of kswapd or the requests"),
};
#define NR_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

static const struct setting {
	const char *name, *text;
	size_t offset;
	uint64_t initial, least, most;
} settings[] = {
#define SET(name, initial, least, most, text) \
	{ #name, text, offsetof(struct options, name), initial, least, most }
	SET(memory, GIB << 10, GIB >> 4, GIB << 10, "bytes of memory of the host"),
	SET(nodes, 2, 1, MAX_NODES, "NUMA nodes"),
	SET(cpus, 256, 1, 8192, "CPUs"),
	SET(vms, 64, 1, MAX_VMS, "VMs"),
	SET(file, GIB << 4, 8 << 20, GIB << 10, "bytes of the file of a VM"),
	SET(live, 75, 1, 100, "percent of the file that a VM populates when it starts"),
	SET(steps, 4000000, 0, 1000000000, "random steps, of all VMs"),
	SET(lives, 0, 0, 100, "times that each VM gives way to another"),
	SET(survivors, 8, 0, MAX_VMS, "VMs that do not die"),
	SET(seed, 1, 0, UINT32_MAX, "seed of the random numbers"),
	SET(rate, GIB, 1 << 20, GIB << 10, "bytes a second that a VM populates"),
	SET(clear, 11 * GIB, 1 << 20, GIB << 10, "bytes a second that a CPU clears"),
	SET(ipi, 27000, 0, 1000000000, "nanoseconds of a broadcast by IPIs"),
	SET(invlpgb, 2700, 0, 1000000000, "nanoseconds of a broadcast by INVLPGB"),
};
#define NR_SETTINGS (int)(sizeof(settings) / sizeof(settings[0]))

static uint64_t *option(struct options *o, int i)
{
	return (uint64_t *)((char *)o + settings[i].offset);
}

static void print_figure(const struct result *result, int i, const char *none)
{
	double figure = *(const double *)((const char *)result + rows[i].offset);

	if (isnan(figure))
		printf("%s", none);
	else
		printf("%.*f", rows[i].places, figure);
}

static double mib(uint64_t pages)
{
	return (double)pages * PAGE / MIB;
}

/* Broadcasts for each GiB populated since @from, which is now afterwards; or NaN. */
static double per_mib(const struct sim *sim, struct counts *from)
{
	double populated = mib(sim->counts.populated - from->populated) / 1024;
	uint64_t broadcasts = sim->counts.broadcasts - from->broadcasts;

	*from = sim->counts;
	return populated ? broadcasts / populated : NAN;
}

static uint64_t live_pages(const struct sim *sim)
{
	return sim->o.file / PAGE * sim->o.live / 100;
}

static bool start(struct sim *sim)
{
	uint64_t live = live_pages(sim), nr;

	sim->page_seconds = (double)PAGE / sim->o.rate / sim->o.vms;
	for (uint64_t done = 0; done < live; done += nr) {
		nr = live - done < TURN ? live - done : TURN;
		for (uint64_t i = 0; i < sim->o.vms; i++)
			if (!vm_populate(sim, &sim->vms[i], nr))
				return false;
	}
	return true;
}

/* As random_vm_churn() of test/guest, in turns. */
static bool churn(struct sim *sim)
{
	for (uint64_t i = 0; i < sim->o.steps; i++) {
		struct vm *vm = &sim->vms[i % sim->o.vms];

		if (sim_random(sim, sim->o.file / PAGE) >= vm->used) {
			if (!vm_populate(sim, vm, 1))
				return false;
		} else if (!sim_random(sim, 3)) {
			vm_punch(sim, vm);
		}
	}
	return true;
}

/* One dies, the next one populates alone. */
static bool replace(struct sim *sim)
{
	sim->page_seconds = (double)PAGE / sim->o.rate;
	for (uint64_t i = 0; i < sim->o.lives * sim->o.vms; i++) {
		struct vm *vm = &sim->vms[i % sim->o.vms];

		vm_die(sim, vm);
		if (!vm_populate(sim, vm, live_pages(sim)))
			return false;
	}
	return true;
}

/* All but some at random, at once. */
static void die(struct sim *sim, struct result *ret)
{
	uint64_t freed = 0, unused = 0, survivors = sim->o.survivors;

	for (uint64_t i = 0; i < sim->o.vms; i++) {
		if (sim_random(sim, sim->o.vms - i) < survivors) {
			survivors--;
			continue;
		}
		freed += sim->vms[i].used;
		vm_die(sim, &sim->vms[i]);
	}
	for (uint32_t i = 0; i < sim->nr_blocks; i++)
		unused += sim->blocks[i].owner ? sim->blocks[i].free : 0;
	ret->freed = mib(freed);
	ret->stuck = freed ? 100.0 * unused / freed : NAN;
}

static void come_back(struct sim *sim, struct result *ret)
{
	struct sim other = *sim;

	ret->ordinary = sim_ordinary(&other);
	ret->ordinary_time = ret->ordinary * sim->block_seconds;
	ret->backlog = mib(BLOCK * sim_backlog(sim));
	for (double end = sim->now; sim_backlog(sim) && ret->back < DAY;
	     ret->back = sim->now - end) {
		sim_wait(sim, 1.0 / 64);
		if (sim->now <= end + 10)
			ret->backlog_10 = mib(BLOCK * sim_backlog(sim));
	}
}

static bool play(const struct options *o, enum policy policy, struct result *ret)
{
	struct counts from = { 0 };
	struct sim sim;
	bool fits;

	sim_init(&sim, o, policy);
	fits = start(&sim);
	*ret = (struct result){ .start = per_mib(&sim, &from) };
	ret->second = ret->start * o->rate * o->vms / GIB;
	ret->interrupts = ret->second * (o->cpus - 1);
	ret->ipi = ret->second * o->ipi / 1e9;
	ret->invlpgb = ret->second * o->invlpgb / 1e9;
	fits = fits && churn(&sim);
	ret->churn = per_mib(&sim, &from);
	fits = fits && replace(&sim);
	ret->replace = per_mib(&sim, &from);
	ret->singles = sim.counts.singles;
	ret->most = mib(BLOCK * sim.most);
	die(&sim, ret);
	come_back(&sim, ret);
	free(sim.blocks);
	free(sim.shares);
	return fits;
}

static void print_json(struct options *o, const struct result *results)
{
	printf("{\n  \"model\": true,\n  \"options\": {");
	for (int i = 0; i < NR_SETTINGS; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : " ", settings[i].name, *option(o, i));
	printf(" },\n  \"policies\": {");
	for (int policy = 0; policy < NR_POLICIES; policy++) {
		printf("%s\n    \"%s\": {", policy ? "," : "", policies[policy]);
		for (int i = 0; i < NR_ROWS; i++) {
			printf("%s\"%s\": ", i ? ", " : " ", rows[i].key);
			print_figure(&results[policy], i, "null");
		}
		printf(" }");
	}
	printf("\n  }\n}\n");
}

static void print_table(const struct result *results)
{
	printf("| modelled, not measured | unit | `owned` | `shared` | `pages` |\n"
	       "|---|---|---|---|---|\n");
	for (int i = 0; i < NR_ROWS; i++) {
		printf("| %s | %s |", rows[i].text, rows[i].unit);
		for (int policy = 0; policy < NR_POLICIES; policy++) {
			printf(" ");
			print_figure(&results[policy], i, "-");
			printf(" |");
		}
		printf("\n");
	}
}

static int usage(FILE *to)
{
	fprintf(to, "usage: model [--json] [--OPTION=NUMBER]...\n"
		    "A model of a host of VMs: nothing of it is measured.  A NUMBER can end in\n"
		    "K, M, G or T, which are powers of 1024.\n\n");
	for (int i = 0; i < NR_SETTINGS; i++)
		fprintf(to, "  --%-10s %s (%" PRIu64 ")\n", settings[i].name, settings[i].text,
			settings[i].initial);
	return to == stderr ? 2 : 0;
}

static bool parse(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		int shift = 10 * (suffix - suffixes + 1);

		if (*ret > UINT64_MAX >> shift)
			return false;
		*ret <<= shift;
		end++;
	}
	return isdigit((unsigned char)*text) && !*end && !errno;
}

static int set_option(struct options *o, int i, const char *text)
{
	uint64_t number;

	if (parse(text, &number) && number >= settings[i].least && number <= settings[i].most) {
		*option(o, i) = number;
		return 0;
	}
	fprintf(stderr, "model: --%s: '%s' is not a number from %" PRIu64 " to %" PRIu64 "\n",
		settings[i].name, text, settings[i].least, settings[i].most);
	return 2;
}

static int read_options(int argc, char **argv, struct options *o, bool *json)
{
	struct option names[NR_SETTINGS + 3] = { { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' } };
	int c;

	for (int i = 0; i < NR_SETTINGS; i++) {
		names[i + 2] = (struct option){ settings[i].name, required_argument, NULL,
						256 + i };
		*option(o, i) = settings[i].initial;
	}
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'h')
			exit(usage(stdout));
		if (c == '?')
			return usage(stderr);
		if (c == 'j')
			*json = true;
		else if (set_option(o, c - 256, optarg))
			return 2;
	}
	if (optind == argc && o->survivors <= o->vms)
		return 0;
	if (optind < argc)
		fprintf(stderr, "model: '%s' is not an option\n", argv[optind]);
	else
		fprintf(stderr, "model: --survivors: there are only %" PRIu64 " VMs\n", o->vms);
	return 2;
}

int main(int argc, char **argv)
{
	struct result results[NR_POLICIES];
	struct options o;
	bool json = false;
	int err = read_options(argc, argv, &o, &json);

	for (int i = 0; i < NR_POLICIES && !err; i++) {
		err = !play(&o, i, &results[i]);
		if (err)
			fprintf(stderr, "model: memory of the host is full, with '%s'\n",
				policies[i]);
	}
	if (err)
		return err;
	if (json)
		print_json(&o, results);
	else
		print_table(results);
	return 0;
}
