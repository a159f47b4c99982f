// SPDX-License-Identifier: MIT
/*
 * One thread serves all calls that the filter asks for, in all processes of the VMM.  So
 * nothing here needs a lock.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "run.h"
#include "say.h"
#include "serve.h"

/* Kernel-internal error: the thread makes the call again when it goes on. */
#define ERESTARTSYS 512

/* Seconds without a VM after which a message says so. */
#define LONG_WITHOUT_VM 10
/* Milliseconds between looks for memory and VMs that are gone. */
#define LOOK_EVERY 2000

static struct supervisor run;
static struct memory *memories;
/* had_vm: as far as is known; KVM_CREATE_VM alone can fail */
static bool started, asked_for_vm, had_vm, said_no_vm, launched_ended;
/* The signals that are blocked, but for SIGCHLD. */
static sigset_t without_child;
static struct termios terminal_before;
static bool terminal_known;

static struct memory *memory_with(pid_t thread)
{
	struct memory *memory;

	for (memory = memories; memory && !process_shares(thread, memory->task);
	     memory = memory->next)
		;
	return memory;
}

static void end_memory(struct memory *memory)
{
	struct memory **link = &memories;

	while (*link != memory)
		link = &(*link)->next;
	*link = memory->next;
	serve_end(memory);
	remote_end(memory);
	free(memory);
}

static void end_memories_of(pid_t vmm)
{
	struct memory *next;

	for (struct memory *memory = memories; memory; memory = next) {
		next = memory->next;
		if (memory->vmm == vmm)
			end_memory(memory);
	}
}

static void answer(const struct seccomp_notif *call, int64_t result, uint32_t flags)
{
	struct seccomp_notif_resp response = { .id = call->id, .flags = flags };

	if (host_failed(result))
		response.error = result;
	else
		response.val = result;
	/* fails if the thread is gone, which does not matter */
	ioctl(run.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void let_through(const struct seccomp_notif *call)
{
	answer(call, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

static bool add_task(pid_t thread, pid_t vmm)
{
	struct memory *memory = inject_task(thread, vmm, run.magic);

	if (!memory)
		return false;
	serve_start(memory, &run.options);
	memory->next = memories;
	memories = memory;
	return true;
}

/*
 * Stops the thread before it makes the call, which it makes again when it goes on.  A
 * pending trap wakes the thread, which sleeps in the filter.
 */
static int stop_in_call(const struct seccomp_notif *call)
{
	pid_t thread = call->pid;
	int status;

	if (ptrace(PTRACE_SEIZE, thread, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		return -errno;
	ptrace(PTRACE_INTERRUPT, thread, NULL, NULL);
	answer(call, -ERESTARTSYS, 0);
	if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
		return -ESRCH;
	return 0;
}

/* A thread that was killed meanwhile is reaped: its parent waits for that. */
static void detach(pid_t thread)
{
	int status;

	while (ptrace(PTRACE_DETACH, thread, NULL, NULL) && errno == ESRCH)
		if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
			return;
}

static void say_no_ptrace(pid_t thread, int err)
{
	say("process %d: ptrace(2) is refused, as with YAMA or under a debugger: %s",
	    process_of(thread), strerror(-err));
}

/* Restores the terminal, as a stopped QEMU does not run its exit handlers. */
static void restore_terminal(void)
{
	if (terminal_known)
		tcsetattr(run.terminal, TCSANOW, &terminal_before);
}

/* Ends the process of this call with our status. */
static void stop_vmm(const struct seccomp_notif *call, int status)
{
	pid_t thread = call->pid, vmm = process_of(thread);
	int err = stop_in_call(call);

	restore_terminal();
	if (!err) {
		err = inject_last_call(thread, SYS_exit_group, status);
		detach(thread);
	}
	if (err)
		kill(vmm, SIGKILL);
}

/* The thread whose call failed for lack of a task: there is no second try. */
static pid_t gave_up;

static void refuse_vm(const struct seccomp_notif *call)
{
	if (run.options.permissive) {
		say("warning: process %d: its VM stays on ordinary memory", process_of(call->pid));
		let_through(call);
	} else {
		answer(call, -EPERM, 0);
	}
}

/* A process without a task: a child, or a program whose exec was not seen. */
static void create_vm_without_task(const struct seccomp_notif *call)
{
	pid_t thread = call->pid;
	int err;

	if (gave_up == thread) {
		gave_up = 0;
		refuse_vm(call);
		return;
	}
	err = stop_in_call(call);
	if (err) {
		say_no_ptrace(thread, err);
		refuse_vm(call);
		return;
	}
	end_memories_of(process_of(thread));
	if (!add_task(thread, process_of(thread)))
		gave_up = thread;
	detach(thread);
}

static void receive(void);

/*
 * Waits for a stop, or the end, of the thread.  After execve() it has the number of its
 * process.  Serves others meanwhile: the kernel may wait for them, if the file is in a file
 * system that they serve.
 *
 * Returns the number that it has now; -1 if it is gone.
 */
static pid_t wait_for_exec(pid_t thread, pid_t vmm, int *ret_status)
{
	for (;;) {
		static const struct timespec second = { .tv_sec = 1 };
		struct pollfd fd = { .fd = run.listener, .events = POLLIN };
		pid_t by_thread = waitpid(thread, ret_status, __WALL | WNOHANG), by_vmm = -1;

		if (by_thread > 0)
			return by_thread;
		if (vmm != thread)
			by_vmm = waitpid(vmm, ret_status, __WALL | WNOHANG);
		if (by_vmm > 0)
			return by_vmm;
		if (by_thread < 0 && by_vmm < 0)
			return -1;
		/* a stop of the thread ends it */
		if (ppoll(&fd, 1, &second, &without_child) > 0 && fd.revents & POLLIN)
			receive();
	}
}

/*
 * With a pending trap exactly one stop follows: that of the exec or, if exec fails, the
 * trap.
 */
static void serve_exec(const struct seccomp_notif *call)
{
	pid_t thread = call->pid, vmm = process_of(thread), stopped;
	int status, err = 0;

	if (ptrace(PTRACE_SEIZE, thread, NULL,
		   PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		err = -errno;
	if (!err)
		ptrace(PTRACE_INTERRUPT, thread, NULL, NULL);
	let_through(call);
	/* try again at the first KVM_CREATE_VM, which fails if there is no task */
	if (err) {
		started = true;
		return;
	}
	stopped = wait_for_exec(thread, vmm, &status);
	if (stopped < 0 || !WIFSTOPPED(status))
		return;
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		started = true;
		end_memories_of(vmm);
		/* go on to the end of execve(), which would overwrite a register */
		if (!ptrace(PTRACE_SYSCALL, stopped, NULL, NULL) &&
		    waitpid(stopped, &status, __WALL) == stopped && WIFSTOPPED(status))
			add_task(stopped, vmm);
	}
	detach(stopped);
}

static void say_no_vm(const char *when)
{
	say("%s%s: no VM was made, so nothing is protected (is KVM on, as by -accel kvm?)",
	    run.options.permissive ? "warning: " : "", when);
	said_no_vm = true;
}

/* Does the thread end alone, by exit(2)?  If that is unknown, yes. */
static bool leaves_others(const struct seccomp_notif *call, pid_t vmm)
{
	return call->data.nr == SYS_exit && process_has_others(vmm, call->pid);
}

/* A VMM ends with status 0: was there a guest? */
static void serve_exit(const struct seccomp_notif *call)
{
	pid_t vmm = process_of(call->pid);

	if (vmm != run.launched || had_vm || (asked_for_vm && serve_has_open_vm(vmm)) ||
	    leaves_others(call, vmm)) {
		let_through(call);
		return;
	}
	say_no_vm("the VMM has ended");
	if (run.options.permissive)
		let_through(call);
	else
		stop_vmm(call, EXIT_STOPPED);
}

/* Serves a process that shares no memory with a task, and so has made no VM. */
static void serve_stranger(const struct seccomp_notif *call)
{
	bool harmless = call->data.nr != SYS_ioctl || serve_is_check_extension(call);

	if (run.options.permissive || harmless)
		let_through(call);
	else
		/* as KVM does for a VM of another process */
		answer(call, -EIO, 0);
}

static void serve(const struct seccomp_notif *call)
{
	struct memory *memory;
	int64_t result = 0;

	if (call->data.nr == SYS_execve || call->data.nr == SYS_execveat) {
		serve_exec(call);
		return;
	}
	if (call->data.nr == SYS_exit || call->data.nr == SYS_exit_group) {
		serve_exit(call);
		return;
	}
	memory = memory_with(call->pid);
	if (serve_is_create_vm(call)) {
		if (!memory) {
			create_vm_without_task(call);
			return;
		}
		asked_for_vm = true;
		/* it may be gone when the launched process ends */
		had_vm = had_vm || process_of(call->pid) != run.launched;
		let_through(call);
		return;
	}
	if (!memory) {
		serve_stranger(call);
		return;
	}
	switch (serve_call(memory, run.listener, call, &result)) {
	case SERVE_PASS:
		let_through(call);
		break;
	case SERVE_DONE:
		answer(call, result, 0);
		break;
	case SERVE_STOP:
		stop_vmm(call, EXIT_STOPPED);
		break;
	}
	had_vm = had_vm || serve_has_anything(memory);
}

/* Counts the calls, and the time to serve them. */
static struct {
	long nr;
	const char *name;
	uint64_t times;
} asked[] = {
	{ SYS_execve, "execve", 0 }, { SYS_execveat, "execveat", 0 }, { SYS_ioctl, "ioctl", 0 },
	{ SYS_mmap, "mmap", 0 }, { SYS_mremap, "mremap", 0 }, { SYS_madvise, "madvise", 0 },
	{ SYS_exit, "exit", 0 }, { SYS_exit_group, "exit_group", 0 },
};
static uint64_t asked_ns;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void say_asked(void)
{
	char text[256] = "";
	uint64_t sum = 0;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		sum += asked[i].times;
		if (asked[i].times && length < sizeof(text))
			length += snprintf(text + length, sizeof(text) - length, "%s%s %" PRIu64,
					   length ? ", " : "", asked[i].name, asked[i].times);
	}
	say_verbose("the VMM has made %" PRIu64 " calls that were asked for (%s), served in %" PRIu64 ".%03u ms",
		    sum, text, asked_ns / 1000000, (unsigned int)(asked_ns / 1000 % 1000));
}

/* The kernel may know more of a call than this program. */
union notification {
	struct seccomp_notif call;
	char room[512];
};

static void receive(void)
{
	union notification n = { .room = { 0 } };
	uint64_t start = now();

	/* the call may be gone again */
	if (ioctl(run.listener, SECCOMP_IOCTL_NOTIF_RECV, &n.call))
		return;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		asked[i].times += asked[i].nr == n.call.data.nr;
	serve(&n.call);
	asked_ns += now() - start;
}

/* A task ends only if it is killed; without it the VMM is not protected. */
static void task_ended(struct memory *memory)
{
	say("process %d: its task has ended: the VMM is killed", memory->vmm);
	syscall(SYS_pidfd_send_signal, memory->vmm_pidfd, SIGKILL, NULL, 0);
	restore_terminal();
	end_memory(memory);
}

static void launched_has_ended(void)
{
	launched_ended = true;
	if (started && !asked_for_vm && !said_no_vm)
		say_no_vm("the VMM has ended");
	say_asked();
	say_to_log();
}

#define MOST_MEMORIES 256

struct waits {
	struct pollfd fd[2 + 2 * MOST_MEMORIES];
	struct memory *memory[MOST_MEMORIES];
	size_t nr;
};

static void collect(struct waits *waits, int launched)
{
	waits->fd[0] = (struct pollfd){ .fd = run.listener, .events = POLLIN };
	waits->fd[1] = (struct pollfd){ .fd = launched_ended ? -1 : launched, .events = POLLIN };
	waits->nr = 0;
	for (struct memory *m = memories; m && waits->nr < MOST_MEMORIES; m = m->next) {
		struct pollfd *fd = &waits->fd[2 + 2 * waits->nr];

		waits->memory[waits->nr++] = m;
		fd[0] = (struct pollfd){ .fd = m->vmm_pidfd, .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = m->task_pidfd, .events = POLLIN };
	}
}

static void look_for_ends(struct waits *waits)
{
	for (size_t i = 0; i < waits->nr; i++) {
		const struct pollfd *fd = &waits->fd[2 + 2 * i];

		if (fd[0].revents)
			end_memory(waits->memory[i]);
		else if (fd[1].revents)
			task_ended(waits->memory[i]);
	}
	if (waits->fd[1].revents)
		launched_has_ended();
}

/* Milliseconds until the next look after memory; -1: never. */
static int patience(time_t start)
{
	for (const struct memory *memory = memories; memory; memory = memory->next)
		if (serve_has_anything(memory))
			return LOOK_EVERY;
	return asked_for_vm || said_no_vm || launched_ended ? -1 :
	       time(NULL) - start >= LONG_WITHOUT_VM ? 0 : LOOK_EVERY;
}

static void look_after(time_t start)
{
	for (struct memory *memory = memories; memory; memory = memory->next)
		serve_look(memory);
	if (!asked_for_vm && !said_no_vm && !launched_ended && time(NULL) - start >= LONG_WITHOUT_VM)
		say_no_vm("the VMM has run for 10 s");
}

static void on_child(int signal)
{
	(void)signal;
}

/* SIGCHLD comes in wait_for_exec() only. */
static void block_sigchld(void)
{
	const struct sigaction action = { .sa_handler = on_child };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &without_child);
	sigdelset(&without_child, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
}

void supervise(const struct supervisor *supervisor)
{
	int launched = syscall(SYS_pidfd_open, supervisor->launched, 0);
	struct seccomp_notif_sizes sizes;
	static struct waits waits;
	time_t start = time(NULL);
	uint64_t looked = now();

	run = *supervisor;
	terminal_known = run.terminal >= 0 && !tcgetattr(run.terminal, &terminal_before);
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) ||
	    sizes.seccomp_notif > sizeof(union notification))
		return;
	block_sigchld();
	for (;;) {
		int ready;

		collect(&waits, launched);
		ready = poll(waits.fd, 2 + 2 * waits.nr, patience(start));
		if (ready < 0)
			continue;
		look_for_ends(&waits);
		/* also where there are calls all the time */
		if (!ready || now() - looked >= LOOK_EVERY * 1000000ULL) {
			look_after(start);
			looked = now();
		}
		if (waits.fd[0].revents & POLLIN)
			receive();
		else if (waits.fd[0].revents & POLLHUP)
			break;
	}
}
