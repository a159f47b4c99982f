// SPDX-License-Identifier: GPL-2.0-only
/*
 * write() to guest_memfd while vCPUs, page faults of the host, other writers and
 * punched holes are at the same file.
 *
 * Each worker has a part of the file for itself, a vCPU, and a model of what
 * has to be there: writes anywhere, holes, changes by the vCPU and through the
 * mapping, and now and then sums by the vCPU and by the host.  The parts are
 * next to each other, and no page of one may ever change with another.
 *
 * All workers do the same, but without a model, to one more part.  There each
 * word says where it belongs.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/sizes.h>

#include "kvm_syscalls.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define NR_WORKERS	4
#define PART_PAGES	24
#define DATA_SLOT	1
#define DATA_GPA	((gpa_t)SZ_4G)

#define WORD_MAGIC	0x5afe000000000000ull

static size_t page_size;
static size_t part_size;
static u8 *shared_mem;
static u64 *shared_source;
static time_t deadline;
static int fd;

struct worker {
	struct kvm_vcpu *vcpu;
	unsigned int seed;
	off_t offset;
	u8 *model;
	u8 *mem;
	u8 *buf;
	u64 writes, holes, sums;
};

enum guest_op {
	GUEST_SUM,
	GUEST_INVERT,
	GUEST_CHECK_SHARED,
};

struct guest_request {
	u64 op;
	u64 offset;
	u64 size;
};

static struct guest_request requests[NR_WORKERS];
static u64 guest_shared_gpa;
static u64 guest_shared_words;

static u64 sum_of(const u8 *mem, size_t size)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum = sum * 31 + READ_ONCE(mem[i]);
	return sum;
}

/* Who looks while it is written may see any part of it. */
static bool word_is_valid(u64 word, u64 index)
{
	u64 mask;

	for (mask = 0xff; mask; mask <<= 8) {
		if ((word & mask) && (word & mask) != ((WORD_MAGIC | index) & mask))
			return false;
	}
	return true;
}

static void guest_code(struct guest_request *req, u8 *mem)
{
	u64 i, ret;

	for (;;) {
		struct guest_request r = *req;

		ret = 0;
		switch (r.op) {
		case GUEST_SUM:
			ret = sum_of(mem + r.offset, r.size);
			break;
		case GUEST_INVERT:
			for (i = 0; i < r.size; i++)
				mem[r.offset + i] = ~mem[r.offset + i];
			break;
		case GUEST_CHECK_SHARED: {
			u64 *words = (u64 *)guest_shared_gpa;

			for (i = 0; i < guest_shared_words; i++) {
				u64 word = READ_ONCE(words[i]);

				__GUEST_ASSERT(word_is_valid(word, i),
					       "word %lu of the shared part is %lx",
					       i, word);
			}
			break;
		}
		}
		GUEST_SYNC(ret);
	}
}

static u64 ask_guest(struct worker *w, enum guest_op op, u64 offset, u64 size)
{
	struct guest_request *req = addr_gva2hva(w->vcpu->vm,
						 (gva_t)&requests[w->vcpu->id]);
	struct ucall uc;

	*req = (struct guest_request) { op, offset, size };
	vcpu_run(w->vcpu);
	switch (get_ucall(w->vcpu, &uc)) {
	case UCALL_SYNC:
		return uc.args[1];
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(w->vcpu->run->exit_reason));
	}
}

static size_t pick(struct worker *w, size_t limit)
{
	return rand_r(&w->seed) % limit;
}

static void check_part(struct worker *w)
{
	u64 sum = sum_of(w->model, part_size);

	TEST_ASSERT_EQ(ask_guest(w, GUEST_SUM, w->offset, part_size), sum);
	TEST_ASSERT_EQ(sum_of(w->mem, part_size), sum);
	w->sums++;
}

static void write_part(struct worker *w)
{
	size_t offset = pick(w, part_size);
	size_t len = 1 + pick(w, part_size - offset), done, i;

	if (pick(w, 2)) {
		offset &= ~(page_size - 1);
		len = page_size;
	}

	for (i = 0; i < len; i++)
		w->buf[i] = w->seed + i * 7;
	for (done = 0; done < len; ) {
		ssize_t n = pwrite(fd, w->buf + done, len - done,
				   w->offset + offset + done);

		TEST_ASSERT(n > 0, "pwrite() failed, errno: %d", errno);
		done += n;
	}
	memcpy(w->model + offset, w->buf, len);
	w->writes++;
}

static void punch_part(struct worker *w)
{
	size_t first = pick(w, PART_PAGES);
	size_t nr = 1 + pick(w, PART_PAGES - first);

	if (pick(w, 4))
		nr = 1;
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      w->offset + first * page_size, nr * page_size);
	memset(w->model + first * page_size, 0, nr * page_size);
	w->holes++;
}

static void invert_part(struct worker *w)
{
	size_t offset = pick(w, part_size);
	size_t len = 1 + pick(w, part_size - offset), i;

	if (pick(w, 2)) {
		ask_guest(w, GUEST_INVERT, w->offset + offset, len);
	} else {
		for (i = 0; i < len; i++)
			w->mem[offset + i] = ~w->mem[offset + i];
	}
	for (i = 0; i < len; i++)
		w->model[offset + i] = ~w->model[offset + i];
}

static void write_shared(struct worker *w)
{
	size_t words = part_size / sizeof(u64);
	size_t first = pick(w, words), nr = 1 + pick(w, words - first);
	ssize_t n;

	n = pwrite(fd, shared_source + first, nr * sizeof(u64),
		   NR_WORKERS * part_size + first * sizeof(u64));
	TEST_ASSERT(n == nr * sizeof(u64), "pwrite() returned %ld, errno: %d", n, errno);
}

static void punch_shared(struct worker *w)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      NR_WORKERS * part_size + pick(w, PART_PAGES) * page_size, page_size);
}

static void check_shared(struct worker *w)
{
	const u64 *words = (u64 *)shared_mem;
	size_t i;

	for (i = 0; i < part_size / sizeof(u64); i++) {
		u64 word = READ_ONCE(words[i]);

		TEST_ASSERT(word_is_valid(word, i), "word %lu of the shared part is %lx",
			    i, word);
	}
	ask_guest(w, GUEST_CHECK_SHARED, 0, 0);
}

static void *work(void *data)
{
	struct worker *w = data;

	while (time(NULL) < deadline) {
		switch (pick(w, 12)) {
		case 0 ... 3:
			write_part(w);
			break;
		case 4:
			punch_part(w);
			break;
		case 5:
			invert_part(w);
			break;
		case 6:
		case 7:
			check_part(w);
			break;
		case 8:
		case 9:
			write_shared(w);
			break;
		case 10:
			punch_shared(w);
			break;
		case 11:
			check_shared(w);
			break;
		}
	}
	check_part(w);
	return NULL;
}

static void run_test(u64 flags, int seconds)
{
	size_t size = (NR_WORKERS + 1) * part_size;
	struct worker workers[NR_WORKERS] = { };
	struct kvm_vcpu *vcpus[NR_WORKERS];
	u64 writes = 0, holes = 0, sums = 0;
	pthread_t threads[NR_WORKERS];
	struct kvm_vm *vm;
	u8 *mem;
	int i;

	vm = vm_create_with_vcpus(NR_WORKERS, guest_code, vcpus);
	if (flags & ~vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS)) {
		print_skip("guest_memfd flags 0x%lx are not available", flags);
		kvm_vm_free(vm);
		return;
	}

	fd = vm_create_guest_memfd(vm, size, flags);
	mem = kvm_mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	vm_set_user_memory_region2(vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD, DATA_GPA, size,
				   mem, fd, 0);
	virt_map(vm, DATA_GPA, DATA_GPA, size / vm->page_size);

	shared_mem = mem + NR_WORKERS * part_size;
	guest_shared_gpa = DATA_GPA + NR_WORKERS * part_size;
	guest_shared_words = part_size / sizeof(u64);
	sync_global_to_guest(vm, guest_shared_gpa);
	sync_global_to_guest(vm, guest_shared_words);

	deadline = time(NULL) + seconds;
	for (i = 0; i < NR_WORKERS; i++) {
		workers[i] = (struct worker) {
			.vcpu = vcpus[i],
			.seed = kvm_random_seed + i,
			.offset = i * part_size,
			.model = calloc(1, part_size),
			.buf = malloc(part_size),
			.mem = mem + i * part_size,
		};
		vcpu_args_set(vcpus[i], 2, &requests[i], DATA_GPA);
		kvm_pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (i = 0; i < NR_WORKERS; i++) {
		kvm_pthread_join(threads[i], NULL);
		writes += workers[i].writes;
		holes += workers[i].holes;
		sums += workers[i].sums;
		free(workers[i].model);
		free(workers[i].buf);
	}
	pr_info("flags 0x%lx: %lu writes, %lu holes, %lu sums\n", flags, writes, holes, sums);

	kvm_munmap(mem, size);
	kvm_close(fd);
	kvm_vm_free(vm);
}

static void help(const char *name)
{
	printf("usage: %s [-h] [-d SECONDS]\n", name);
	exit(KSFT_SKIP);
}

int main(int argc, char **argv)
{
	u64 flags = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED |
		    GUEST_MEMFD_FLAG_WRITE;
	int opt, seconds = 5;
	size_t i;

	while ((opt = getopt(argc, argv, "hd:")) != -1) {
		switch (opt) {
		case 'd':
			seconds = atoi_positive("seconds", optarg);
			break;
		default:
			help(argv[0]);
		}
	}

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	TEST_REQUIRE(kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & GUEST_MEMFD_FLAG_WRITE);

	page_size = getpagesize();
	part_size = PART_PAGES * page_size;
	shared_source = malloc(part_size);
	for (i = 0; i < part_size / sizeof(u64); i++)
		shared_source[i] = WORD_MAGIC | i;

	run_test(flags, seconds);
	run_test(flags | GUEST_MEMFD_FLAG_NO_DIRECT_MAP, seconds);

	free(shared_source);
	return 0;
}
