// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "pagemap.h"
#include "ptdump.h"

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

#define PAGE FUZZ_PAGE
#define NO_DIRECT_MAP GUEST_MEMFD_FLAG_NO_DIRECT_MAP
#define HUGE GUEST_MEMFD_FLAG_ALLOW_HUGE
#define HUGE_BYTES (2UL << 20)
/* The first two belong to tiny_vm. */
#define FIRST_SLOT 2
#define GPA_PAGES 256
/* Where large entries are possible: that many huge pages follow GPA_PAGES. */
#define HUGE_PAGES (HUGE_BYTES / PAGE)
#define HUGE_SLOTS 4

static __thread sigjmp_buf on_fault;
static __thread volatile sig_atomic_t may_fault;

static void faulted(int signal)
{
	if (!may_fault)
		_exit(128 + signal);
	siglongjmp(on_fault, signal);
}

uint64_t fuzz_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static size_t below(struct fuzz *f, size_t limit)
{
	return fuzz_random(&f->random) % limit;
}

static bool one_in(struct fuzz *f, unsigned int n)
{
	return !below(f, n);
}

static void __attribute__((format(printf, 2, 3)))
found(struct fuzz *f, const char *format, ...)
{
	va_list args;

	if (f->found[0])
		return;
	va_start(args, format);
	vsnprintf(f->found, sizeof(f->found), format, args);
	va_end(args);
}

static void expect(struct fuzz *f, const char *call, int got, int wanted)
{
	if (got != wanted)
		found(f, "%s: errno %d, wanted %d", call, got, wanted);
}

static bool is_mapped(const struct fuzz_file *file)
{
	for (int i = 0; i < FUZZ_MAPS; i++)
		if (file->map[i].at)
			return true;
	return false;
}

static bool lives(const struct fuzz_file *file)
{
	return file->fd >= 0 || is_mapped(file);
}

/* A random file that has a descriptor. */
static struct fuzz_file *some_file(struct fuzz *f)
{
	size_t first = below(f, FUZZ_FILES);

	for (size_t i = 0; i < FUZZ_FILES; i++)
		if (f->file[(first + i) % FUZZ_FILES].fd >= 0)
			return &f->file[(first + i) % FUZZ_FILES];
	return NULL;
}

static struct fuzz_map *some_map(struct fuzz *f, struct fuzz_file **ret_file)
{
	size_t first = below(f, FUZZ_FILES * FUZZ_MAPS);

	for (size_t i = 0; i < FUZZ_FILES * FUZZ_MAPS; i++) {
		size_t at = (first + i) % (FUZZ_FILES * FUZZ_MAPS);

		*ret_file = &f->file[at / FUZZ_MAPS];
		if ((*ret_file)->map[at % FUZZ_MAPS].at)
			return &(*ret_file)->map[at % FUZZ_MAPS];
	}
	return NULL;
}

/* A random page of the map; most have memory behind them. */
static size_t some_page(struct fuzz *f, const struct fuzz_file *file,
			const struct fuzz_map *map)
{
	size_t page = fuzz_random(&f->random);

	if (map->first < file->pages && !one_in(f, 16)) {
		size_t pages = file->pages - map->first;

		return page % (pages < map->pages ? pages : map->pages);
	}
	return page % map->pages;
}

static void unmap(struct fuzz *f, struct fuzz_map *map)
{
	pthread_mutex_lock(&f->lock);
	if (map->at)
		munmap(map->at, map->pages * PAGE);
	map->at = NULL;
	pthread_mutex_unlock(&f->lock);
}

static void close_fd(struct fuzz *f, struct fuzz_file *file)
{
	pthread_mutex_lock(&f->lock);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	pthread_mutex_unlock(&f->lock);
}

static void forget_file(struct fuzz *f, struct fuzz_file *file)
{
	close_fd(f, file);
	for (int i = 0; i < FUZZ_MAPS; i++)
		unmap(f, &file->map[i]);
	for (int v = 0; v < FUZZ_VMS; v++)
		for (int s = 0; s < FUZZ_SLOTS; s++)
			if (&f->file[f->vm[v].slot[s].file] == file)
				f->vm[v].slot[s].used = false;
	free(file->model);
	file->model = NULL;
}

static bool take_file(struct fuzz *f, struct fuzz_file *file, int vm, int fd,
		      uint64_t flags, size_t pages)
{
	file->model = calloc(pages, PAGE);
	if (!file->model) {
		close(fd);
		return false;
	}
	file->vm = vm;
	file->flags = flags;
	file->pages = pages;
	pthread_mutex_lock(&f->lock);
	file->fd = fd;
	pthread_mutex_unlock(&f->lock);
	f->count.files++;
	return true;
}

static int create(int vm_fd, uint64_t flags, uint64_t size)
{
	struct kvm_create_guest_memfd args = { .size = size, .flags = flags };

	return ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &args);
}

static uint64_t some_flags(struct fuzz *f)
{
	static const uint64_t useful[] = {
		TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE,
		TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE | NO_DIRECT_MAP,
		TINY_VM_SHARED | NO_DIRECT_MAP,
		GUEST_MEMFD_FLAG_MMAP | NO_DIRECT_MAP,
		HUGE | TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE,
		HUGE | TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE | NO_DIRECT_MAP,
	};

	/* arm64 has none. */
	if (one_in(f, 5))
		return below(f, 64);
	return useful[below(f, f->vm[0].known_flags & HUGE ? 6 : 4)];
}

static void op_create(struct fuzz *f)
{
	int at = below(f, FUZZ_VMS), fd, got;
	struct fuzz_file *file = &f->file[below(f, FUZZ_FILES)];
	uint64_t flags = some_flags(f), known, size;
	struct fuzz_vm *vm = &f->vm[at];
	bool valid;

	size = (1 + below(f, FUZZ_MAX_PAGES)) * PAGE;
	/* An operation on the file's beginning is then one on a part of a large folio. */
	if (flags & HUGE && !one_in(f, 4))
		size += HUGE_BYTES;
	if (one_in(f, 16))
		size = one_in(f, 2) ? 0 : size + 1 + below(f, PAGE - 1);
	if (!vm->open || (lives(file) && !one_in(f, 4)))
		return;
	known = vm->known_flags;
	valid = size && size % PAGE == 0 && !(flags & ~known) &&
		(!(flags & GUEST_MEMFD_FLAG_WRITE) ||
		 flags & GUEST_MEMFD_FLAG_INIT_SHARED);
	forget_file(f, file);
	fd = create(vm->tiny.vm,
		    f->lie == LIE_FLAG ? flags & ~NO_DIRECT_MAP : flags, size);
	got = fd < 0 ? errno : 0;
	expect(f, "KVM_CREATE_GUEST_MEMFD", got, valid ? 0 : EINVAL);
	if (fd >= 0)
		take_file(f, file, at, fd, flags, size / PAGE);
}

static void op_close(struct fuzz *f)
{
	struct fuzz_file *file = some_file(f);

	if (!file)
		return;
	close_fd(f, file);
	if (!is_mapped(file))
		forget_file(f, file);
}

static bool has_huge_page(const struct fuzz_file *file)
{
	return file->flags & HUGE && file->pages >= HUGE_PAGES;
}

/* An address that large entries are possible at; 0 lets the kernel choose another. */
static void *huge_hint(struct fuzz *f)
{
	return (void *)((1UL << 45) + below(f, 1 << 20) * 2 * HUGE_BYTES);
}

static void op_mmap(struct fuzz *f)
{
	struct fuzz_file *file = some_file(f);
	void *hint = NULL;
	int share = one_in(f, 12) ? MAP_PRIVATE : MAP_SHARED;
	struct fuzz_map new = {
		.pages = 1 + below(f, FUZZ_MAX_PAGES),
		.first = below(f, FUZZ_MAX_PAGES + 2),
		.writable = !one_in(f, 4),
	};
	struct fuzz_map *map;
	int wanted = 0;

	if (!file)
		return;
	map = &file->map[below(f, FUZZ_MAPS)];
	if (!one_in(f, 8))
		new.first %= file->pages;
	if (has_huge_page(file) && one_in(f, 2)) {
		new.first = 0;
		new.pages = file->pages;
		hint = huge_hint(f);
	}
	unmap(f, map);
	if (!(file->flags & GUEST_MEMFD_FLAG_MMAP))
		wanted = ENODEV;
	else if (share == MAP_PRIVATE)
		wanted = EINVAL;
	new.at = mmap(hint, new.pages * PAGE,
		      PROT_READ | (new.writable ? PROT_WRITE : 0), share,
		      file->fd, new.first * PAGE);
	expect(f, "mmap", new.at == MAP_FAILED ? errno : 0, wanted);
	if (new.at == MAP_FAILED)
		return;
	pthread_mutex_lock(&f->lock);
	*map = new;
	pthread_mutex_unlock(&f->lock);
}

static void op_munmap(struct fuzz *f)
{
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);

	if (!map)
		return;
	unmap(f, map);
	if (!lives(file))
		forget_file(f, file);
}

/* Is there memory that user space may touch? */
static bool is_there(const struct fuzz_file *file, size_t page)
{
	return page < file->pages &&
	       file->flags & GUEST_MEMFD_FLAG_INIT_SHARED;
}

/* 0, or the signal that the access raised.  Copies the data to or from @with. */
static int touch(uint8_t *at, uint8_t *with, size_t length, bool write)
{
	uint8_t *volatile to = write ? at : with;
	uint8_t *volatile from = write ? with : at;
	volatile size_t left = length;
	int signal = sigsetjmp(on_fault, 1);

	if (!signal) {
		may_fault = 1;
		memcpy(to, from, left);
	}
	may_fault = 0;
	return signal;
}

static void fill(struct fuzz *f, uint8_t *data, size_t length)
{
	uint64_t word = fuzz_random(&f->random) | 0x0101010101010101ULL;

	for (size_t i = 0; i < length; i++)
		data[i] = word >> (i % 8 * 8) ^ i;
}

static void compare(struct fuzz *f, const struct fuzz_file *file, size_t at,
		    const uint8_t *data, size_t length)
{
	f->count.bytes_compared += length;
	if (!memcmp(data, file->model + at, length))
		return;
	for (size_t i = 0; i < length; i++)
		if (data[i] != file->model[at + i]) {
			found(f, "file of %zu pages, flags %#" PRIx64
			      ": byte %#zx is %#x, wanted %#x", file->pages,
			      file->flags, at + i, data[i],
			      file->model[at + i]);
			return;
		}
}

static void op_touch(struct fuzz *f)
{
	size_t page, offset, length, at;
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);
	uint8_t data[PAGE];
	bool write = one_in(f, 2);
	int signal;

	offset = below(f, PAGE);
	length = 1 + below(f, PAGE - offset);
	if (!map)
		return;
	page = some_page(f, file, map);
	at = (map->first + page) * PAGE + offset;
	write = write && map->writable;
	if (write)
		fill(f, data, length);
	signal = touch(map->at + page * PAGE + offset, data, length, write);
	if (signal != (is_there(file, map->first + page) ? 0 : SIGBUS)) {
		found(f, "touch of page %zu of %zu: signal %d",
		      map->first + page, file->pages, signal);
		return;
	}
	if (signal)
		return;
	if (write)
		memcpy(file->model + at, data, length);
	else
		compare(f, file, at, data, length);
}

static void model_write(struct fuzz *f, struct fuzz_file *file, size_t at,
			const uint8_t *from, size_t length)
{
	f->count.bytes_written += length;
	if (f->lie != LIE_WRITE)
		memcpy(file->model + at, from, length);
}

/* A random source: our own memory, or that of a file.  *ret_model has the same data. */
static size_t source(struct fuzz *f, uint8_t *own, size_t length,
		     uint8_t **ret_from, const uint8_t **ret_model)
{
	struct fuzz_file *file;
	struct fuzz_map *map = one_in(f, 3) ? some_map(f, &file) : NULL;
	size_t page = map ? some_page(f, file, map) : 0;

	if (map && is_there(file, map->first + page)) {
		size_t pages = map->pages - page;

		if (pages > file->pages - map->first - page)
			pages = file->pages - map->first - page;
		*ret_from = map->at + page * PAGE;
		*ret_model = file->model + (map->first + page) * PAGE;
		return length < pages * PAGE ? length : pages * PAGE;
	}
	fill(f, own, length);
	*ret_from = own;
	*ret_model = own;
	return length;
}

static bool overlap(const struct fuzz_file *file, const uint8_t *from, size_t at,
		    size_t length)
{
	uintptr_t to = (uintptr_t)file->model + at;

	return (uintptr_t)from < to + length && to < (uintptr_t)from + length;
}

static void op_write(struct fuzz *f)
{
	static __thread uint8_t own[4 * PAGE];
	struct fuzz_file *file = some_file(f);
	size_t length = below(f, 4 * PAGE), at, size, wanted;
	const uint8_t *model;
	struct iovec iov[2] = { 0 };
	int wanted_errno = 0;
	ssize_t got;

	at = below(f, FUZZ_MAX_PAGES * PAGE);
	if (one_in(f, 3))
		at &= ~(PAGE - 1);
	if (one_in(f, 3))
		length &= ~(PAGE - 1);
	length = source(f, own, length, (uint8_t **)&iov[0].iov_base, &model);
	/* A write from its own destination may see what it has written. */
	if (file && overlap(file, model, at, length)) {
		fill(f, own, length);
		iov[0].iov_base = own;
		model = own;
	}
	iov[0].iov_len = length;
	/* Nothing is ever mapped there. */
	iov[1] = (struct iovec){ (void *)0x10000, one_in(f, 6) ? PAGE : 0 };
	if (!file)
		return;
	size = file->pages * PAGE;
	wanted = at >= size ? 0 : length < size - at ? length : size - at;
	if (!(length + iov[1].iov_len))
		wanted_errno = 0;
	else if (!(file->flags & GUEST_MEMFD_FLAG_WRITE))
		wanted_errno = ENODEV;
	else if (!wanted)
		wanted_errno = at >= size ? EFBIG : EFAULT;
	got = pwritev(file->fd, iov, 2, at);
	expect(f, "pwritev", got < 0 ? errno : 0, wanted_errno);
	if (got < 0 || f->found[0])
		return;
	if ((size_t)got != wanted)
		found(f, "pwritev of %zu at %#zx of %#zx gives %zd, wanted %zu",
		      length, at, size, got, wanted);
	else
		model_write(f, file, at, model, got);
}

static void op_fallocate(struct fuzz *f)
{
	static const int modes[] = {
		FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE,
	};
	struct fuzz_file *file = some_file(f);
	size_t at = below(f, FUZZ_MAX_PAGES) * PAGE, size;
	size_t length = below(f, FUZZ_MAX_PAGES / 2) * PAGE;
	int mode = modes[below(f, 6)], wanted = 0;
	bool punch = mode & FALLOC_FL_PUNCH_HOLE;

	if (one_in(f, 10))
		at += below(f, PAGE);
	if (!file)
		return;
	size = file->pages * PAGE;
	if (!length)
		wanted = EINVAL;
	else if (!(mode & FALLOC_FL_KEEP_SIZE) || mode & FALLOC_FL_ZERO_RANGE)
		wanted = EOPNOTSUPP;
	else if (at % PAGE || (!punch && at + length > size))
		wanted = EINVAL;
	expect(f, "fallocate",
	       fallocate(file->fd, mode, at, length) ? errno : 0, wanted);
	if (wanted || !punch || at >= size || f->lie == LIE_PUNCH)
		return;
	memset(file->model + at, 0, length < size - at ? length : size - at);
}

static void op_refused(struct fuzz *f)
{
	struct fuzz_file *file = some_file(f);
	char byte;

	if (!file)
		return;
	if (!ftruncate(file->fd, below(f, 8) * PAGE))
		found(f, "ftruncate succeeds");
	if (pread(file->fd, &byte, 1, 0) >= 0)
		found(f, "pread succeeds");
}

static void op_slot(struct fuzz *f)
{
	int v = below(f, FUZZ_VMS), s = below(f, FUZZ_SLOTS);
	struct fuzz_file *file = some_file(f);
	size_t page = below(f, GPA_PAGES), pages = below(f, 16), first;
	struct kvm_userspace_memory_region2 region = {
		.slot = FIRST_SLOT + s,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = TINY_VM_GPA + page * PAGE,
		.memory_size = pages * PAGE,
	};
	struct fuzz_slot *slot = &f->vm[v].slot[s];

	if (!f->vm[v].open || !file)
		return;
	first = below(f, file->pages);
	if (has_huge_page(file) && one_in(f, 2)) {
		first = 0;
		pages = file->pages;
		page = HUGE_PAGES * (1 + below(f, HUGE_SLOTS));
		region.guest_phys_addr = TINY_VM_GPA + page * PAGE;
		region.memory_size = pages * PAGE;
	}
	region.guest_memfd = file->fd;
	region.guest_memfd_offset = first * PAGE;
	if (ioctl(f->vm[v].tiny.vm, KVM_SET_USER_MEMORY_REGION2, &region)) {
		if (errno != EINVAL && errno != EEXIST)
			found(f, "memslot: errno %d", errno);
		return;
	}
	if (pages && file->vm != v)
		found(f, "a slot of one VM takes the file of another");
	if (pages && first + pages > file->pages)
		found(f, "a slot goes beyond the end of its file");
	*slot = (struct fuzz_slot){ pages, file - f->file,
				    region.guest_phys_addr, first, pages };
}

static struct fuzz_slot *some_slot(struct fuzz *f, struct fuzz_vm **ret_vm)
{
	struct fuzz_vm *vm = &f->vm[below(f, FUZZ_VMS)];
	struct fuzz_slot *slot = &vm->slot[below(f, FUZZ_SLOTS)];

	*ret_vm = vm;
	return vm->open && slot->used && lives(&f->file[slot->file]) ? slot : NULL;
}

static void op_prefault(struct fuzz *f)
{
	struct fuzz_vm *vm;
	struct fuzz_slot *slot = some_slot(f, &vm);
	struct kvm_pre_fault_memory range = { 0 };

	if (!slot)
		return;
	range.gpa = slot->gpa;
	range.size = slot->pages * PAGE;
	while (range.size)
		if (ioctl(vm->tiny.vcpu, KVM_PRE_FAULT_MEMORY, &range) &&
		    errno != EINTR && errno != EAGAIN)
			break;
}

static void op_guest(struct fuzz *f)
{
	struct fuzz_vm *vm;
	struct fuzz_slot *slot = some_slot(f, &vm);
	size_t page, offset = below(f, PAGE / 8 - SECRET_WORDS) * 8;
	struct secret secret;
	uint64_t data[SECRET_WORDS];
	struct fuzz_file *file;
	int err;

	fill(f, (uint8_t *)&secret, sizeof(secret));
	if (!slot)
		return;
	file = &f->file[slot->file];
	page = below(f, slot->pages);
	err = tiny_vm_plant(&vm->tiny, &secret,
			    slot->gpa - TINY_VM_GPA + page * PAGE + offset);
	/*
	 * Private memory is out of reach, as it has no attribute.  A file that cannot be
	 * mapped is not the guest's shared memory.  Shared memory is at the slot's
	 * address in user space, where these slots have no mapping.
	 */
	if ((file->flags & TINY_VM_SHARED) != TINY_VM_SHARED)
		return;
	if (err) {
		found(f, "guest: %s: %d, exit reason %u", vm->tiny.step, err,
		      vm->tiny.run->exit_reason);
		return;
	}
	for (int i = 0; i < SECRET_WORDS; i++)
		data[i] = secret.a[i] ^ secret.b[i];
	memcpy(file->model + (slot->first + page) * PAGE + offset, data,
	       sizeof(data));
}

static void op_fork(struct fuzz *f)
{
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);
	size_t page = map ? some_page(f, file, map) : 0, at;
	int status = -1;
	pid_t pid;

	if (!map || !map->writable ||
	    !is_there(file, map->first + page))
		return;
	at = (map->first + page) * PAGE;
	pid = fork();
	if (!pid) {
		uint8_t seen[64];

		if (touch(map->at + page * PAGE, seen, sizeof(seen), false) ||
		    memcmp(seen, file->model + at, sizeof(seen)))
			_exit(1);
		memset(seen, 0xc7, sizeof(seen));
		_exit(touch(map->at + page * PAGE, seen, sizeof(seen), true));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		found(f, "a child finds other contents: status %#x", status);
		return;
	}
	memset(file->model + at, 0xc7, 64);
}

static void op_madvise(struct fuzz *f)
{
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);

	size_t page, pages;

	if (!map)
		return;
	/* A part of a large entry splits it. */
	page = one_in(f, 2) ? 0 : below(f, map->pages);
	pages = one_in(f, 2) ? map->pages - page : 1;
	if (madvise(map->at + page * PAGE, pages * PAGE, MADV_DONTNEED))
		found(f, "MADV_DONTNEED: errno %d", errno);
}

/* A caller that pins pages must not get these pages. */
static void op_pin(struct fuzz *f)
{
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);
	size_t page = map ? some_page(f, file, map) : 0;
	uint8_t data[PAGE];
	struct iovec local = { data, PAGE }, remote = { NULL, PAGE };
	ssize_t got;

	if (!map || !is_there(file, map->first + page))
		return;
	remote.iov_base = map->at + page * PAGE;
	got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (file->flags & NO_DIRECT_MAP) {
		if (got >= 0 || errno != EFAULT)
			found(f, "process_vm_readv: %zd, errno %d", got, errno);
	} else if (got != (ssize_t)PAGE) {
		found(f, "process_vm_readv of a plain page: %zd", got);
	} else {
		compare(f, file, (map->first + page) * PAGE, data, PAGE);
	}
}

static bool all_zero(const uint8_t *data)
{
	for (size_t i = 0; i < PAGE; i++)
		if (data[i])
			return false;
	return true;
}

/* The direct map must show this page's data, or zeroes. */
static void op_kcore(struct fuzz *f)
{
	struct fuzz_file *file;
	struct fuzz_map *map = some_map(f, &file);
	size_t page = map ? some_page(f, file, map) : 0;
	uint8_t data[PAGE], byte;
	uint64_t pfn;

	if (!map || !is_there(file, map->first + page) ||
	    touch(map->at + page * PAGE, &byte, 1, false))
		return;
	/* Other threads unmap it at times. */
	if (pagemap_pfn(map->at + page * PAGE, &pfn))
		return;
	if (kcore_read_frames(f->kcore, pfn, 1, data)) {
		found(f, "/proc/kcore does not have pfn %#" PRIx64, pfn);
	} else if (!(file->flags & NO_DIRECT_MAP)) {
		compare(f, file, (map->first + page) * PAGE, data, PAGE);
		f->count.pages_present++;
	} else if (!all_zero(data)) {
		found(f, "the direct map shows pfn %#" PRIx64, pfn);
	} else {
		f->count.pages_absent++;
	}
}

static void (*const operations[])(struct fuzz *) = {
	op_create, op_create, op_close, op_mmap, op_mmap, op_munmap, op_touch,
	op_touch, op_touch, op_write, op_write, op_write, op_fallocate,
	op_fallocate, op_refused, op_slot, op_slot, op_prefault, op_guest,
	op_guest, op_fork, op_madvise, op_pin, op_kcore, op_kcore,
};
#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static const char *const names[NR_OPERATIONS] = {
	"create", "create", "close", "mmap", "mmap", "munmap", "touch",
	"touch", "touch", "write", "write", "write", "fallocate",
	"fallocate", "refused", "slot", "slot", "prefault", "guest",
	"guest", "fork", "madvise", "pin", "kcore", "kcore",
};

/* The file that comes with a VM is a file like others. */
static void open_vm(struct fuzz *f, int at)
{
	uint64_t flags = at ? TINY_VM_SHARED | NO_DIRECT_MAP : TINY_VM_SHARED;
	struct fuzz_vm *vm = &f->vm[at];
	int err;

	memset(vm->slot, 0, sizeof(vm->slot));
	err = tiny_vm_create(&vm->tiny, f->lie == LIE_FLAG ? TINY_VM_SHARED : flags,
			     PAGE);
	if (err) {
		found(f, "VM: %s: %d", vm->tiny.step, err);
		return;
	}
	vm->known_flags = ioctl(vm->tiny.vm, KVM_CHECK_EXTENSION,
				KVM_CAP_GUEST_MEMFD_FLAGS);
	vm->open = true;
}

static void check_file(struct fuzz *f, struct fuzz_file *file,
		       const struct ptdump *dump)
{
	uint8_t data[PAGE];

	for (int i = 0; i < FUZZ_MAPS; i++) {
		struct fuzz_map *map = &file->map[i];

		for (size_t at = 0; map->at && at < map->pages; at++) {
			uint64_t pfn;

			if (!is_there(file, map->first + at))
				continue;
			if (touch(map->at + at * PAGE, data, PAGE, false))
				found(f, "a page is gone");
			compare(f, file, (map->first + at) * PAGE, data, PAGE);
			if (pagemap_pfn(map->at + at * PAGE, &pfn))
				continue;
			if (ptdump_maps_pfn(dump, pfn) ==
			    !!(file->flags & NO_DIRECT_MAP))
				found(f, "flags %#" PRIx64 ": page tables %s pfn %#" PRIx64,
				      file->flags, file->flags & NO_DIRECT_MAP ?
				      "have" : "lack", pfn);
		}
		if (map->at)
			f->count.pages_huge += pagemap_count_huge(map->at, map->pages);
	}
}

/* Checks all contents, and the page tables for all pages. */
static void check_all(struct fuzz *f)
{
	struct ptdump *dump;

	f->operation = "check";
	/* Allocate all pages, so that the dump of the page tables tells about each. */
	for (int i = 0; i < FUZZ_FILES; i++)
		if (f->file[i].fd >= 0)
			fallocate(f->file[i].fd, FALLOC_FL_KEEP_SIZE, 0,
				  f->file[i].pages * PAGE);
	if (ptdump_read(&dump)) {
		found(f, "no dump of the page tables");
		return;
	}
	for (int i = 0; i < FUZZ_FILES && !f->found[0]; i++)
		if (f->file[i].fd >= 0)
			check_file(f, &f->file[i], dump);
	ptdump_free(dump);
}

static void close_all(struct fuzz *f)
{
	int first = below(f, FUZZ_VMS);

	for (int i = 0; i < FUZZ_FILES; i++)
		if (one_in(f, 2))
			forget_file(f, &f->file[i]);
	for (int i = 0; i < FUZZ_VMS; i++) {
		struct fuzz_vm *vm = &f->vm[(first + i) % FUZZ_VMS];

		if (vm->open)
			tiny_vm_destroy(&vm->tiny);
		vm->open = false;
	}
	for (int i = 0; i < FUZZ_FILES; i++)
		forget_file(f, &f->file[i]);
}

int fuzz_init(struct fuzz *f)
{
	struct sigaction action = { .sa_handler = faulted };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < FUZZ_FILES; i++)
		f->file[i].fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	return kcore_open(&f->kcore);
}

static bool is_late(const struct fuzz *f)
{
	return f->deadline && time(NULL) >= f->deadline;
}

void fuzz_case(struct fuzz *f, uint64_t seed)
{
	size_t nr;

	f->seed = seed;
	f->random = seed;
	nr = 50 + below(f, 250);
	f->operation = "open";
	for (int i = 0; i < FUZZ_VMS; i++)
		open_vm(f, i);
	for (size_t i = 0; i < nr && !f->found[0] && !is_late(f); i++) {
		size_t which = below(f, NR_OPERATIONS);

		f->operation = names[which];
		if (f->verbose)
			printf("%zu %s\n", i, names[which]);
		operations[which](f);
		f->count.operations++;
	}
	if (!f->found[0])
		check_all(f);
	close_all(f);
	f->count.cases++;
}

void fuzz_disturb(struct fuzz *f, uint64_t *random)
{
	uint64_t r = fuzz_random(random);
	struct fuzz_file *file = &f->file[r % FUZZ_FILES];
	struct fuzz_map *map = &file->map[(r >> 8) % FUZZ_MAPS];
	struct iovec iov = { NULL, 0 };
	uint8_t data[64];

	pthread_mutex_lock(&f->lock);
	switch ((r >> 16) % 4) {
	case 0:
		if (map->at)
			madvise(map->at, map->pages * PAGE, MADV_DONTNEED);
		break;
	case 1:
		if (file->fd >= 0)
			fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0,
				  file->pages * PAGE);
		break;
	case 2:
		if (file->fd >= 0 && pwritev(file->fd, &iov, 1, 0) > 0)
			abort();
		break;
	case 3:
		if (map->at)
			touch(map->at, data, sizeof(data), false);
		break;
	}
	pthread_mutex_unlock(&f->lock);
}
