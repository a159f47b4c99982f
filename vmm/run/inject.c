// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "memory.h"
#include "page.h"
#include "say.h"
#include "task_abi.h"

/* Limit for the vDSO, which is small. */
#define MOST_CODE (64 << 10)
/* How long the task may take to start, in steps of 0.1 ms. */
#define PATIENCE 20000

int process_read(pid_t pid, uint64_t addr, void *ret, size_t size)
{
	struct iovec to = { ret, size }, from = { (void *)(uintptr_t)addr, size };
	ssize_t done = process_vm_readv(pid, &to, 1, &from, 1, 0);

	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EFAULT;
}

int process_write(pid_t pid, uint64_t addr, const void *data, size_t size)
{
	struct iovec from = { (void *)(uintptr_t)data, size }, to = { (void *)(uintptr_t)addr, size };
	ssize_t done = process_vm_writev(pid, &from, 1, &to, 1, 0);

	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EFAULT;
}

pid_t process_of(pid_t thread)
{
	char path[64], line[256];
	pid_t ret = thread;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &ret) == 1)
			break;
	if (file)
		fclose(file);
	return ret;
}

/* A first thread that has ended is listed as long as there are others. */
static bool thread_runs(pid_t thread)
{
	char path[64], line[512], *at = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", thread);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		at = strrchr(line, ')');
	if (file)
		fclose(file);
	return at && at[1] && at[2] != 'Z' && at[2] != 'X';
}

bool process_has_others(pid_t pid, pid_t thread)
{
	struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return true;
	while (!found && (entry = readdir(dir))) {
		pid_t other = atoi(entry->d_name);

		found = other > 0 && other != thread && thread_runs(other);
	}
	closedir(dir);
	return found;
}

bool process_shares(pid_t a, pid_t b)
{
	return !syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
}

static int get_regs(pid_t thread, arch_regs *ret)
{
	struct iovec part = { ret, sizeof(*ret) };

	if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part))
		return -errno;
	/* a 32-bit program has fewer */
	return part.iov_len == sizeof(*ret) ? 0 : -ENOEXEC;
}

static int set_regs(pid_t thread, const arch_regs *regs)
{
	struct iovec part = { (void *)regs, sizeof(*regs) };

	return ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part) ? -errno : 0;
}

/* The address of a system call instruction in the vDSO; 0: none. */
static uint64_t find_syscall(pid_t thread)
{
	uint64_t aux[128] = { 0 }, vdso = 0, found = 0;
	static uint8_t code[MOST_CODE];
	char path[64];
	size_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, aux, sizeof(aux) - 16) < 16)
		aux[0] = AT_NULL;
	if (fd >= 0)
		close(fd);
	for (int i = 0; aux[i] != AT_NULL; i += 2)
		if (aux[i] == AT_SYSINFO_EHDR)
			vdso = aux[i + 1];
	while (vdso && size < sizeof(code) &&
	       !process_read(thread, vdso + size, code + size, page_bytes()))
		size += page_bytes();
	for (size_t i = 0; !found && i + 4 <= size; i += SYSCALL_STEP)
		if (arch_is_syscall(code + i))
			found = vdso + i;
	return found;
}

/* Waits for the next stop, which must be for this signal. */
static int resume(pid_t thread, int how, int signal)
{
	int status;

	if (ptrace(how, thread, NULL, NULL))
		return -errno;
	if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
		return -ESRCH;
	return WSTOPSIG(status) == signal ? 0 : -EPROTO;
}

/* Has the thread itself make one system call. */
static long thread_call(pid_t thread, const arch_regs *before, uint64_t insn, long nr,
			const uint64_t arg[6])
{
	arch_regs regs = *before;
	int err;

	arch_set_call(&regs, insn, nr, arg);
	err = set_regs(thread, &regs);
	for (int i = 0; !err && i < 2; i++)
		err = resume(thread, PTRACE_SYSCALL, SIGTRAP | 0x80);
	if (!err)
		err = get_regs(thread, &regs);
	return err ? err : arch_result(&regs);
}

static long thread_map(pid_t thread, const arch_regs *regs, uint64_t insn, uint64_t size, int prot)
{
	return thread_call(thread, regs, insn, SYS_mmap, (const uint64_t[6]){
		0, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 });
}

/* Writes as a debugger does, as the mapping itself is not writable. */
static int write_code(pid_t thread, uint64_t at)
{
	size_t size = __stop_task_code - __start_task_code;
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", thread);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = pwrite(fd, __start_task_code, size, at) == (ssize_t)size ? 0 : -EIO;
	close(fd);
	return err;
}

/* *ret_call: the call that failed, which a filter of the VMM's own may refuse; or NULL */
static int start_task(pid_t thread, const arch_regs *before, uint64_t insn, uint64_t *ret_box,
		      const char **ret_call)
{
	uint64_t size = page_round(TASK_CODE_SIZE);
	arch_regs regs = *before;
	long box, code;
	int err;

	*ret_call = "mmap";
	box = thread_map(thread, before, insn, TASK_DATA_SIZE, PROT_READ | PROT_WRITE);
	if (host_failed(box))
		return box;
	code = thread_map(thread, before, insn, size, PROT_READ | PROT_EXEC);
	if (host_failed(code))
		return code;
	*ret_call = NULL;
	err = write_code(thread, code);
	if (err)
		return err;
	arch_set_entry(&regs, code + (task_entry - __start_task_code), box);
	err = set_regs(thread, &regs);
	if (!err)
		err = resume(thread, PTRACE_CONT, SIGTRAP);
	if (!err)
		err = get_regs(thread, &regs);
	if (err)
		return err;
	*ret_box = box;
	if (arch_result(&regs) >= 0)
		return 0;
	*ret_call = "clone";
	return arch_result(&regs);
}

static int wait_for_task(pid_t thread, uint64_t at, struct task_box *ret_box)
{
	int err = 0;

	for (int i = 0; !err && i < PATIENCE; i++) {
		err = process_read(thread, at, ret_box, sizeof(*ret_box));
		if (err || ret_box->pid)
			return err;
		usleep(100);
	}
	return -ETIMEDOUT;
}

/*
 * Finds the task's process.  In a pid namespace the number that the task knows is
 * another. Then the task is the other process that shares this memory.
 */
static pid_t find_task(pid_t vmm, pid_t says)
{
	struct dirent *entry;
	pid_t found = -1;
	DIR *dir;

	if (says != vmm && process_of(says) == says && process_shares(vmm, says))
		return says;
	dir = opendir("/proc");
	while (dir && found < 0 && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != vmm && process_shares(vmm, pid))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

static struct memory *adopt(pid_t thread, pid_t vmm, uint64_t at, uint32_t magic, int *ret_err)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	struct task_box box;

	*ret_err = memory ? wait_for_task(thread, at, &box) : -ENOMEM;
	if (*ret_err)
		goto free_memory;
	*memory = (struct memory){
		.vmm = vmm, .task = find_task(vmm, box.pid), .box = at, .magic = magic,
		.socket = box.socket[1],
	};
	*ret_err = memory->task > 0 ? remote_adopt(memory) : -ESRCH;
	if (!*ret_err)
		return memory;

free_memory:
	free(memory);
	return NULL;
}

struct memory *inject_task(pid_t thread, pid_t vmm, uint32_t magic)
{
	/*
	 * The task inherits the mask, so that no signal to all processes of a service ends
	 * it.  int3 and brk raise SIGTRAP; if it were masked, the kernel would remove its
	 * handler.
	 */
	uint64_t old_mask, mask = ~(1ULL << (SIGTRAP - 1));
	struct memory *memory = NULL;
	const char *call = NULL;
	uint64_t insn = 0, box;
	arch_regs before;
	int err = get_regs(thread, &before);

	/* KVM serves no 32-bit program either */
	if (err == -ENOEXEC)
		return NULL;
	if (!err)
		insn = find_syscall(thread);
	if (!err && !insn)
		err = -ENOTSUP;

	if (!err && (ptrace(PTRACE_GETSIGMASK, thread, sizeof(old_mask), &old_mask) ||
		     ptrace(PTRACE_SETSIGMASK, thread, sizeof(mask), &mask)))
		err = -errno;
	if (!err) {
		err = start_task(thread, &before, insn, &box, &call);
		if (!err)
			memory = adopt(thread, vmm, box, magic, &err);
		set_regs(thread, &before);
		ptrace(PTRACE_SETSIGMASK, thread, sizeof(old_mask), &old_mask);
	}
	if (err)
		say("process %d: cannot start a task in its memory: %s%s%s", vmm,
		    call ? call : "", call ? ": " : "", strerror(-err));
	return memory;
}

int inject_last_call(pid_t thread, long nr, uint64_t arg)
{
	uint64_t insn = find_syscall(thread);
	arch_regs regs;
	int err = insn ? get_regs(thread, &regs) : -ENOEXEC;

	if (err)
		return err;
	arch_set_call(&regs, insn, nr, (const uint64_t[6]){ arg });
	return set_regs(thread, &regs);
}
