// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "page.h"
#include "say.h"
#include "serve.h"

/* Field of /proc/PID/stat, counted from the one after the name: ticks of guest time. */
#define STAT_GUEST_TIME 41

/*
 * Asked only when a call is refused: a VMM whose guest runs gets an error, and a VMM that
 * is being set up is stopped.  A guest that has just started can be missed; the call is
 * refused either way.
 */
static bool guest_runs(struct host *host)
{
	const struct memory *memory =
		(struct memory *)((char *)host - offsetof(struct memory, host));
	char path[64], text[1024], *at;
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", memory->vmm);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (length <= 0)
		return false;
	text[length] = 0;
	at = strrchr(text, ')');
	for (int field = 0; at && field < STAT_GUEST_TIME; field++)
		at = strchr(at + 1, ' ');
	return at && strtoull(at, NULL, 10) > 0;
}

void serve_start(struct memory *memory, const struct run_options *options)
{
	memory->host.guest_runs = guest_runs;
	memory->host.huge = options->huge;
	if (options->share)
		remote_share(memory);
	memory->model = (struct model){
		.host = &memory->host, .permissive = options->permissive };
}

static void forget_vm(struct memory *memory, struct vm *vm)
{
	int fd = vm->fd;

	model_forget_vm(&memory->model, vm);
	close(fd);
}

void serve_end(struct memory *memory)
{
	while (memory->model.vms)
		forget_vm(memory, memory->model.vms);
	model_forget_all(&memory->model);
}

bool serve_is_create_vm(const struct seccomp_notif *call)
{
	return call->data.nr == SYS_ioctl && (uint32_t)call->data.args[1] == (uint32_t)KVM_CREATE_VM;
}

bool serve_is_check_extension(const struct seccomp_notif *call)
{
	return call->data.nr == SYS_ioctl &&
	       (uint32_t)call->data.args[1] == (uint32_t)KVM_CHECK_EXTENSION;
}

static bool same_file(pid_t pid, int fd, int ours)
{
	return !syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, ours, fd);
}

/*
 * Has the process a descriptor of this VM, or of any if that is NULL?  If that is unknown,
 * yes: as when its first thread has ended, and no descriptors are shown.
 */
static bool has_open(pid_t process, const struct vm *vm)
{
	bool found = false, shown = false;
	char path[64], link[32];
	struct dirent *entry;
	ssize_t length;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", process);
	dir = opendir(path);
	if (!dir)
		return true;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		shown = true;
		length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
		found = length == 17 && !memcmp(link, "anon_inode:kvm-vm", 17) &&
			(!vm || same_file(process, atoi(entry->d_name), vm->fd));
	}
	closedir(dir);
	return found || !shown;
}

bool serve_has_open_vm(pid_t process)
{
	return has_open(process, NULL);
}

bool serve_has_anything(const struct memory *memory)
{
	return memory->model.vms || memory->model.blocks.nr;
}

void serve_look(struct memory *memory)
{
	struct vm *next;

	for (struct vm *vm = memory->model.vms; vm; vm = next) {
		next = vm->next;
		if (!has_open(memory->vmm, vm))
			forget_vm(memory, vm);
	}
	if (memory->model.blocks.nr)
		model_reconcile(&memory->model, NULL, NULL);
}

static bool is_vm(int fd)
{
	char path[64], link[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	return length == 17 && !memcmp(link, "anon_inode:kvm-vm", 17);
}

/* Our descriptor of this VM, whatever descriptor the VMM uses.  Takes fd over. */
static int known_vm(struct memory *memory, int fd)
{
	struct vm *new;
	int err;

	for (struct vm *vm = memory->model.vms; vm; vm = vm->next) {
		if (same_file(getpid(), fd, vm->fd)) {
			close(fd);
			return vm->fd;
		}
	}
	err = model_add_vm(&memory->model, fd, &new);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Passes the VMM's own pointer to KVM: only for calls that change no memslot. */
static int64_t by_task(struct memory *memory, int fd, const struct seccomp_notif *call)
{
	return remote_call(memory, fd, SYS_ioctl, (const uint64_t[6]){
		0, (uint32_t)call->data.args[1], call->data.args[2] });
}

static int64_t check_extension(struct memory *memory, int fd, const struct seccomp_notif *call)
{
	return model_capability(call->data.args[2], by_task(memory, fd, call));
}

static int64_t set_region(struct memory *memory, int vm, const struct seccomp_notif *call,
			  const struct kvm_userspace_memory_region2 *region)
{
	int64_t ret = 0;

	if (region->memory_size)
		ret = model_reconcile(&memory->model, model_vm(&memory->model, vm), region);
	/* permissive goes on where memory is not protected: Linux before 6.11 */
	if (ret && !memory->model.permissive)
		return model_refuse_region(&memory->model, region, "the VMM's mappings cannot be read");
	ret = model_set_region(&memory->model, vm, region);
	if (ret != MODEL_NOT_OURS)
		return ret;
	/* KVM refuses the region; pass our copy, which was checked */
	return host_ioctl(&memory->host, vm, (uint32_t)call->data.args[1], region, sizeof(*region));
}

static int64_t vm_ioctl(struct memory *memory, int listener, int vm,
			const struct seccomp_notif *call)
{
	union {
		struct kvm_userspace_memory_region2 region;
		struct kvm_dirty_log log;
		struct kvm_clear_dirty_log clear;
	} arg = { 0 };
	uint32_t request = call->data.args[1];
	size_t size = request == (uint32_t)KVM_SET_USER_MEMORY_REGION ?
		      sizeof(struct kvm_userspace_memory_region) :
		      request == (uint32_t)KVM_SET_USER_MEMORY_REGION2 ? sizeof(arg.region) :
		      request == (uint32_t)KVM_GET_DIRTY_LOG ? sizeof(arg.log) : sizeof(arg.clear);
	int64_t ret = process_read(call->pid, call->data.args[2], &arg, size);

	if (ret)
		return ret;
	/* another process may have taken the thread's number since */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id))
		return -ESRCH;
	if (request == (uint32_t)KVM_GET_DIRTY_LOG)
		ret = model_dirty_log(&memory->model, vm, &arg.log);
	else if (request == (uint32_t)KVM_CLEAR_DIRTY_LOG)
		ret = model_clear_dirty_log(&memory->model, vm, arg.clear.slot);
	else
		return set_region(memory, vm, call, &arg.region);
	return ret == MODEL_NOT_OURS ? by_task(memory, vm, call) : ret;
}

static int64_t serve_ioctl(struct memory *memory, int listener, const struct seccomp_notif *call)
{
	int fd = remote_take(call->pid, call->data.args[0]), vm;
	int64_t ret;

	if (fd < 0)
		return fd;
	if (serve_is_check_extension(call)) {
		ret = check_extension(memory, fd, call);
		close(fd);
		return ret;
	}
	if (!is_vm(fd)) {
		close(fd);
		return -ENOTTY;
	}
	vm = known_vm(memory, fd);
	return vm < 0 ? vm : vm_ioctl(memory, listener, vm, call);
}

/*
 * Maps the file elsewhere, then moves the mapping: the filter stops the task, too, from
 * mapping at a fixed address.
 */
static int64_t map_fixed(struct memory *memory, const struct seccomp_notif *call)
{
	const __u64 *arg = call->data.args;
	uint64_t size = page_round(arg[1]);
	bool anonymous = arg[3] & MAP_ANONYMOUS;
	int fd = anonymous ? -1 : remote_take(call->pid, arg[4]);
	long at, ret;

	if (!anonymous && fd < 0)
		return fd;
	at = remote_map(memory, fd, size, arg[2], arg[3] & ~(uint64_t)MAP_FIXED, arg[5]);
	if (fd >= 0)
		close(fd);
	if (host_failed(at))
		return at;
	ret = host_call(&memory->host, -1, SYS_mremap, at, size, size,
			MREMAP_MAYMOVE | MREMAP_FIXED, arg[0]);
	if (host_failed(ret)) {
		host_call(&memory->host, -1, SYS_munmap, at, size);
		return ret;
	}
	/* memory that may not be accessed counts as unmapped */
	if (arg[2] == PROT_NONE)
		model_reconcile(&memory->model, NULL, NULL);
	else
		model_range_gone(&memory->model, arg[0], size, true);
	return ret;
}

static int64_t move_fixed(struct memory *memory, const struct seccomp_notif *call)
{
	const __u64 *arg = call->data.args;
	long ret = host_call(&memory->host, -1, SYS_mremap, arg[0], arg[1], arg[2], arg[3], arg[4]);

	if (!host_failed(ret)) {
		model_range_gone(&memory->model, arg[4], arg[2], true);
		/* what was there is unmapped */
		model_reconcile(&memory->model, NULL, NULL);
	}
	return ret;
}

static enum served serve_mapping(struct memory *memory, const struct seccomp_notif *call,
				 int64_t *ret_result)
{
	const __u64 *arg = call->data.args;
	struct model *model = &memory->model;

	switch (call->data.nr) {
	case SYS_mmap:
		if (!model_knows(model, arg[0], arg[1]))
			return SERVE_PASS;
		*ret_result = map_fixed(memory, call);
		return SERVE_DONE;
	case SYS_mremap:
		if (!model_knows(model, arg[0], arg[1]) && !model_knows(model, arg[4], arg[2]))
			return SERVE_PASS;
		*ret_result = move_fixed(memory, call);
		return SERVE_DONE;
	case SYS_madvise:
		/* forget memory that was unmapped since */
		if (model_knows(model, arg[0], arg[1]))
			model_reconcile(model, NULL, NULL);
		*ret_result = model_advise(model, arg[0], arg[1], arg[2]);
		return *ret_result == MODEL_NOT_OURS ? SERVE_PASS : SERVE_DONE;
	}
	return SERVE_PASS;
}

enum served serve_call(struct memory *memory, int listener, const struct seccomp_notif *call,
		       int64_t *ret_result)
{
	enum served served = SERVE_DONE;

	memory->listener = listener;
	memory->call = call->id;
	memory->host.vmm = call->pid;
	if (call->data.nr == SYS_ioctl)
		*ret_result = serve_ioctl(memory, listener, call);
	else
		served = serve_mapping(memory, call, ret_result);
	return memory->model.stopped ? SERVE_STOP : served;
}
