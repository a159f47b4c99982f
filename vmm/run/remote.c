// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arch.h"
#include "calls.h"
#include "memory.h"
#include "task_abi.h"

/* Linux 6.9 */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct memory *memory_of(struct host *host)
{
	return (struct memory *)((char *)host - offsetof(struct memory, host));
}

/* The filter passes these calls only with the magic as sixth argument, which they ignore. */
static bool needs_magic(long nr)
{
	return nr == SYS_ioctl || nr == SYS_mremap || nr == SYS_madvise;
}

static long request_call(struct memory *memory, int fd, int fd_arg, long nr,
			 const uint64_t arg[6])
{
	struct task_request request = { .nr = nr, .fd_arg = fd_arg };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec part = { &request, sizeof(request) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int64_t ret;

	memcpy(request.arg, arg, sizeof(request.arg));
	if (needs_magic(nr))
		request.arg[5] = memory->magic;
	if (fd >= 0) {
		struct cmsghdr *head = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	if (sendmsg(memory->socket, &message, MSG_NOSIGNAL) != sizeof(request) ||
	    read(memory->socket, &ret, sizeof(ret)) != sizeof(ret))
		return -ESRCH;
	return ret;
}

long remote_call(struct memory *memory, int fd, long nr, const uint64_t arg[6])
{
	return request_call(memory, fd, 0, nr, arg);
}

long remote_map(struct memory *memory, int fd, uint64_t size, int prot, int flags, uint64_t offset)
{
	return request_call(memory, fd, 4, SYS_mmap, (const uint64_t[6]){
		0, size, prot, flags, -1, offset });
}

static long host_calls(struct host *host, int vm, long nr, const uint64_t arg[6])
{
	return remote_call(memory_of(host), vm, nr, arg);
}

static uint64_t host_scratch(struct host *host, const void *data, size_t size)
{
	uint64_t at = memory_of(host)->box + offsetof(struct task_box, scratch);

	return size <= TASK_SCRATCH && !process_write(host->pid, at, data, size) ? at : 0;
}

static int host_read(struct host *host, uint64_t addr, void *ret, size_t size)
{
	return process_read(host->pid, addr, ret, size);
}

static int host_write(struct host *host, uint64_t addr, const void *data, size_t size)
{
	return process_write(host->pid, addr, data, size);
}

static int host_take(struct host *host, int fd)
{
	int taken = syscall(SYS_pidfd_getfd, memory_of(host)->task_pidfd, fd, 0);

	return taken < 0 ? -errno : taken;
}

int remote_take(pid_t thread, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, thread, PIDFD_THREAD), taken;

	if (pidfd < 0)
		return -errno;
	taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (taken < 0)
		taken = -errno;
	close(pidfd);
	return taken;
}

static int host_borrow(struct host *host, int number)
{
	return remote_take(host->vmm, number);
}

/* The kernel puts the descriptor into the table of the thread that waits. */
static int host_lend(struct host *host, int number, int fd, bool close_at_exec)
{
	const struct memory *memory = memory_of(host);
	struct seccomp_notif_addfd add = {
		.id = memory->call, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = fd,
		.newfd = number, .newfd_flags = close_at_exec ? O_CLOEXEC : 0,
	};

	return ioctl(memory->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

void remote_share(struct memory *memory)
{
	memory->host.borrow = host_borrow;
	memory->host.lend = host_lend;
}

/* Limits the task to these calls, even if another process writes to its memory. */
static int confine(struct memory *memory)
{
	static const uint32_t calls[] = { CALLS_OF_TASK };
	static const uint32_t ioctls[] = { IOCTLS_OF_TASK };
	struct {
		uint64_t length;
		uint64_t at;
		struct sock_filter code[LENGTH(calls) + LENGTH(ioctls) + 12];
	} program;
	struct sock_filter *code = program.code;
	size_t n = 0, kill, allow;
	uint64_t at = memory->box + offsetof(struct task_box, scratch);
	enum { ALLOW = 254, KILL = 255 };

#define LOAD(field) \
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
						 offsetof(struct seccomp_data, field))
#define EQUAL(value, yes, no) \
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
	LOAD(arch);
	EQUAL(AUDIT_ARCH_OURS, 0, KILL);
	LOAD(nr);
	for (size_t i = 0; i < LENGTH(calls); i++)
		EQUAL(calls[i], ALLOW, 0);
	EQUAL(SYS_pidfd_send_signal, 0, 4);
	LOAD(args[0]);
	EQUAL(TASK_VMM_PIDFD, 0, KILL);
	LOAD(args[1]);
	EQUAL(SIGKILL, ALLOW, KILL);
	EQUAL(SYS_ioctl, 0, KILL);
	LOAD(args[1]);
	for (size_t i = 0; i < LENGTH(ioctls); i++)
		EQUAL(ioctls[i], ALLOW, i + 1 < LENGTH(ioctls) ? 0 : KILL);
#undef LOAD
#undef EQUAL
	kill = n;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	allow = n;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < kill; i++) {
		uint8_t *jump[] = { &code[i].jt, &code[i].jf };

		for (int j = 0; BPF_CLASS(code[i].code) == BPF_JMP && j < 2; j++)
			if (*jump[j] >= ALLOW)
				*jump[j] = (*jump[j] == KILL ? kill : allow) - i - 1;
	}
	program.length = n;
	program.at = at + offsetof(__typeof__(program), code);
	if (!host_scratch(&memory->host, &program, sizeof(program)))
		return -EFAULT;
	return host_call(&memory->host, -1, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, at);
}

/*
 * Keeps CAP_KILL, to kill a VMM that has become another user by then, and CAP_IPC_LOCK: if
 * the VMM locks its memory, what the task maps is locked as well.  capset() gives no
 * capability that the VMM has not.
 */
static int drop_capabilities(struct memory *memory)
{
	static const uint32_t keep[] = {
		1U << CAP_KILL | 1U << CAP_IPC_LOCK, 1U << CAP_KILL, 1U << CAP_IPC_LOCK, 0,
	};
	struct {
		struct __user_cap_header_struct head;
		struct __user_cap_data_struct data[2];
	} caps = { .head.version = _LINUX_CAPABILITY_VERSION_3 };
	uint64_t at;
	long ret = -EPERM;

	for (size_t i = 0; ret && i < LENGTH(keep); i++) {
		caps.data[0].effective = caps.data[0].permitted = keep[i];
		at = host_scratch(&memory->host, &caps, sizeof(caps));
		ret = at ? host_call(&memory->host, -1, SYS_capset, at,
				     at + offsetof(__typeof__(caps), data)) : -EFAULT;
	}
	return ret;
}

/* The task has a supervisor now: removes its time limit. */
static long wait_for_ever(struct host *host)
{
	const struct timeval never = { 0 };
	uint64_t at = host_scratch(host, &never, sizeof(never));

	return at ? host_call(host, -1, SYS_setsockopt, TASK_SOCKET, SOL_SOCKET, SO_RCVTIMEO, at,
			      sizeof(never)) : -EFAULT;
}

/* Gives the task its name and a descriptor of the VMM to kill, and drops its rights. */
static int settle(struct memory *memory)
{
	struct host *host = &memory->host;
	uint64_t at = host_scratch(host, "offmap-task", 12);
	long ret;

	ret = at ? host_call(host, -1, SYS_prctl, PR_SET_NAME, at) : -EFAULT;
	if (ret >= 0)
		ret = host_call(host, memory->vmm_pidfd, SYS_fcntl, 0, F_DUPFD, TASK_VMM_PIDFD);
	if (ret >= 0 && ret != TASK_VMM_PIDFD)
		ret = -EMFILE;
	if (ret >= 0)
		ret = wait_for_ever(host);
	if (ret >= 0)
		ret = drop_capabilities(memory);
	if (ret >= 0)
		ret = host_call(host, -1, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	if (ret >= 0)
		ret = confine(memory);
	return ret < 0 ? ret : 0;
}

int remote_adopt(struct memory *memory)
{
	int theirs = memory->socket, err;

	memory->host = (struct host){
		.pid = memory->task, .vmm = memory->vmm, .call = host_calls, .scratch = host_scratch,
		.read = host_read, .write = host_write, .take = host_take,
	};
	memory->vmm_pidfd = syscall(SYS_pidfd_open, memory->vmm, 0);
	memory->task_pidfd = syscall(SYS_pidfd_open, memory->task, 0);
	memory->socket = host_take(&memory->host, theirs);
	err = memory->vmm_pidfd < 0 || memory->task_pidfd < 0 ? -ESRCH :
	      memory->socket < 0 ? memory->socket : 0;
	if (!err)
		err = host_call(&memory->host, -1, SYS_close, theirs);
	if (!err)
		err = settle(memory);
	if (err)
		remote_end(memory);
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void remote_end(struct memory *memory)
{
	if (memory->task_pidfd >= 0)
		syscall(SYS_pidfd_send_signal, memory->task_pidfd, SIGKILL, NULL, 0);
	close_one(memory->task_pidfd);
	close_one(memory->vmm_pidfd);
	close_one(memory->socket);
}
