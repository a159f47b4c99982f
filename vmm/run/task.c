// SPDX-License-Identifier: MIT
/*
 * Runs in the VMM's address space, without libc or data of its own.  All of it is in one
 * section.  inject.c sets the registers: the first argument is the box.
 *
 * task_entry clones a parent with CLONE_VM.  The parent clones the task and exits, and
 * task_entry reaps it.  So the task is no child of the VMM.  Then task_entry traps.
 *
 * A filter of the VMM's own may refuse a call.  The parent must not go on as a second
 * task: task_entry would wait for it.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "task_abi.h"

#define TASK __attribute__((section("task_code"), noinline, used))
#define INLINE static inline __attribute__((always_inline))

#ifdef __x86_64__
__asm__(".pushsection task_code,\"ax\",@progbits\n"
    ".globl task_entry\n.hidden task_entry\n"
    "task_entry:\n"
    "	mov	%rdi, %r12\n"
    /* clone(CLONE_VM, box + 2 * TASK_STACK) */
    "	mov	$56, %eax\n"
    "	mov	$0x100, %edi\n"
    "	lea	0x8000(%r12), %rsi\n"
    "	xor	%edx, %edx\n"
    "	xor	%r10d, %r10d\n"
    "	xor	%r8d, %r8d\n"
    "	syscall\n"
    "	test	%eax, %eax\n"
    "	jz	1f\n"
    "	js	9f\n"
    /* wait4(parent, NULL, __WALL, NULL) */
    "	mov	%eax, %edi\n"
    "	xor	%esi, %esi\n"
    "	mov	$0x40000000, %edx\n"
    "	xor	%r10d, %r10d\n"
    "	mov	$61, %eax\n"
    "	syscall\n"
    "9:	int3\n"
    "1:	mov	$56, %eax\n"
    "	mov	$0x100, %edi\n"
    "	lea	0x4000(%r12), %rsi\n"
    "	xor	%edx, %edx\n"
    "	xor	%r10d, %r10d\n"
    "	xor	%r8d, %r8d\n"
    "	syscall\n"
    "	test	%eax, %eax\n"
    "	jz	2f\n"
    /* exit_group(1) */
    "	mov	$1, %edi\n"
    "	mov	$231, %eax\n"
    "	syscall\n"
    "	hlt\n"
    "2:	mov	%r12, %rdi\n"
    "	xor	%ebp, %ebp\n"
    "	call	task_main\n"
    "	hlt\n"
    ".popsection\n");

INLINE long call6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
		     : "=a"(ret)
		     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
__asm__(".pushsection task_code,\"ax\",@progbits\n"
    ".globl task_entry\n.hidden task_entry\n"
    "task_entry:\n"
    "	mov	x19, x0\n"
    /* clone(CLONE_VM, box + 2 * TASK_STACK) */
    "	mov	x0, #0x100\n"
    "	add	x1, x19, #0x8, lsl #12\n"
    "	mov	x2, #0\n"
    "	mov	x3, #0\n"
    "	mov	x4, #0\n"
    "	mov	x8, #220\n"
    "	svc	#0\n"
    "	cbz	x0, 1f\n"
    "	tbnz	x0, #63, 9f\n"
    /* wait4(parent, NULL, __WALL, NULL) */
    "	mov	x1, #0\n"
    "	mov	x2, #0x40000000\n"
    "	mov	x3, #0\n"
    "	mov	x8, #260\n"
    "	svc	#0\n"
    "9:	brk	#0\n"
    "1:	mov	x0, #0x100\n"
    "	add	x1, x19, #0x4, lsl #12\n"
    "	mov	x2, #0\n"
    "	mov	x3, #0\n"
    "	mov	x4, #0\n"
    "	mov	x8, #220\n"
    "	svc	#0\n"
    "	cbz	x0, 2f\n"
    /* exit_group(1) */
    "	mov	x0, #1\n"
    "	mov	x8, #94\n"
    "	svc	#0\n"
    "	udf	#0\n"
    "2:	mov	x0, x19\n"
    "	mov	x29, #0\n"
    "	bl	task_main\n"
    "	brk	#0\n"
    ".popsection\n");

INLINE long call6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t x8 __asm__("x8") = nr;
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x3 __asm__("x3") = d;
	register uint64_t x4 __asm__("x4") = e;
	register uint64_t x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
		     : "+r"(x0)
		     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
		     : "memory");
	return x0;
}
#endif

/*
 * The supervisor has closed its end of the socket, so nobody protects the VMM: kill it.
 * The filter would ask the supervisor about a status of 0.
 */
TASK static void end(void)
{
	call6(SYS_pidfd_send_signal, TASK_VMM_PIDFD, SIGKILL, 0, 0, 0, 0);
	for (;;)
		call6(SYS_exit_group, 1, 0, 0, 0, 0, 0);
}

void task_main(struct task_box *box);

TASK void task_main(struct task_box *box)
{
	_Alignas(8) char control[64];
	struct task_request r;
	struct iovec part = { &r, sizeof(r) };
	struct msghdr message;
	struct timeval patience;
	int socket;

	call6(SYS_close_range, 0, ~0U, 0, 0, 0, 0);
	call6(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET, 0, (uintptr_t)box->socket, 0, 0);
	socket = box->socket[0];
	/* the thread that starts the task may die before the supervisor knows of the task */
	patience.tv_sec = TASK_PATIENCE;
	patience.tv_usec = 0;
	call6(SYS_setsockopt, socket, SOL_SOCKET, SO_RCVTIMEO, (uintptr_t)&patience,
	      sizeof(patience), 0);
	__atomic_store_n(&box->pid, (int)call6(SYS_getpid, 0, 0, 0, 0, 0, 0), __ATOMIC_RELEASE);
	for (;;) {
		int fd = -1;
		long ret;

		message.msg_name = NULL;
		message.msg_namelen = 0;
		message.msg_iov = &part;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		message.msg_flags = 0;
		ret = call6(SYS_recvmsg, socket, (uintptr_t)&message, 0, 0, 0, 0);
		if (ret != sizeof(r))
			end();
		if (message.msg_controllen >= CMSG_LEN(sizeof(fd))) {
			fd = *(int *)CMSG_DATA((struct cmsghdr *)control);
			r.arg[r.fd_arg] = fd;
		}
		ret = call6(r.nr, r.arg[0], r.arg[1], r.arg[2], r.arg[3], r.arg[4], r.arg[5]);
		if (fd >= 0)
			call6(SYS_close, fd, 0, 0, 0, 0, 0);
		call6(SYS_write, socket, (uintptr_t)&ret, sizeof(ret), 0, 0, 0);
	}
}
