// SPDX-License-Identifier: MIT
/*
 * kcore_scan A B           Finds the secret A xor B, each 64 hex digits.
 * kcore_scan --self-check  Plants secrets, and finds them in their places.  Finds none
 *                          where none was planted.
 *
 * Exit: 0 found (self-check passed), 1 not found (failed), 2 no scan.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kcore_scan.h"
#include "page.h"
#include "pagemap.h"

#define PAGE page_bytes()

static void print_result(const struct kcore_result *result)
{
	for (size_t i = 0; i < result->nr_finds; i++)
		printf("secret %zu found at 0x%012" PRIx64 "\n",
		       result->find[i].secret, result->find[i].phys);
	printf("scanned %" PRIu64 " MiB, %" PRIu64
	       " KiB unreadable, %zu own copies dropped\n",
	       result->scanned_bytes >> 20, result->unreadable_bytes >> 10,
	       result->nr_own_copies);
}

static int scan(const struct secret *secrets, size_t nr,
		struct kcore_result *ret)
{
	int err = kcore_scan(secrets, nr, ret);

	if (err) {
		fprintf(stderr, "kcore_scan: cannot scan /proc/kcore: %s\n",
			strerror(-err));
		return 2;
	}
	print_result(ret);
	return 0;
}

/* Secrets 0 and 1 are planted at both ends of a page, 2 is not. */
static int self_check(void)
{
	struct kcore_result result;
	struct secret secret[3];
	uint64_t *page, pfn;
	int failed = 0, err;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED || pagemap_pfn(page, &pfn) ||
	    secret_new(&secret[0]) || secret_new(&secret[1]) ||
	    secret_new(&secret[2])) {
		perror("kcore_scan: cannot plant a secret");
		return 2;
	}
	secret_store(page, &secret[0]);
	secret_store(page + PAGE / 8 - SECRET_WORDS, &secret[1]);
	err = scan(secret, 3, &result);
	if (err)
		return err;
	for (size_t i = 0; i < 3; i++) {
		const struct kcore_find *find = kcore_first_find(&result, i);
		uint64_t phys = pfn * PAGE + i * (PAGE - SECRET_BYTES);

		if (i < 2 ? !find || find->phys != phys : find != NULL) {
			printf("secret %zu: %s\n", i, i < 2 ?
			       "not found where it is" : "found, not planted");
			failed = 1;
		}
	}
	if (result.nr_finds != 2) {
		printf("%zu finds instead of 2\n", result.nr_finds);
		failed = 1;
	}
	return failed;
}

int main(int argc, char **argv)
{
	struct kcore_result result;
	struct secret secret;
	int err;

	if (argc == 2 && !strcmp(argv[1], "--self-check"))
		return self_check();
	if (argc != 3 || secret_parse_half(argv[1], secret.a) ||
	    secret_parse_half(argv[2], secret.b)) {
		fprintf(stderr, "usage: kcore_scan A B | --self-check\n");
		return 2;
	}
	err = scan(&secret, 1, &result);
	return err ? err : result.nr_finds == 0;
}
