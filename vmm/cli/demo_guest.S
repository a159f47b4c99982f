/* SPDX-License-Identifier: MIT */
/*
 * The guest of offmap demo: the last 256 bytes of a ROM that ends at 4 GiB, where an x86
 * machine starts.  It stores A xor B at the given address, and touches each page up to
 * the end of its memory.  It says so on the first serial port, and sleeps.
 */
#ifdef __x86_64__

#define AT(label) (0xffffff00 + (label) - demo_guest)
#define SERIAL_PORT 0x3f8

	.section .rodata
	.balign 16
	.globl demo_guest
demo_guest:
gdt:
	.quad 0
	/* marked as accessed: the CPU cannot write that to a ROM */
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long AT(gdt)
	.balign 4

	/* struct demo_order in demo_vm.h */
	.globl demo_order
demo_order:
secret_at:
	.long 0
first_page:
	.long 0
end:
	.long 0
	.long 0 /* unused */
a:
	.fill 32
b:
	.fill 32

	.code16
start:
	lgdtl %cs:(gdt_pointer - demo_guest + 0xff00)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $AT(flat)

	.code32
flat:
	movw $16, %ax
	movw %ax, %ds
	movl AT(secret_at), %edi
	xorl %ecx, %ecx
1:	movl AT(a)(, %ecx, 4), %eax
	xorl AT(b)(, %ecx, 4), %eax
	movl %eax, (%edi, %ecx, 4)
	incl %ecx
	cmpl $8, %ecx
	jne 1b
	xorl %eax, %eax
	movl AT(first_page), %edi
2:	cmpl AT(end), %edi
	jae 3f
	/* the last word: the secret is clear of it */
	movl %edi, 4092(%edi)
	addl $4096, %edi
	jmp 2b
3:	movw $SERIAL_PORT, %dx
	movb $'!', %al
	outb %al, %dx
4:	hlt
	jmp 4b

	.org demo_guest + 0xf0
	.code16
	jmp start
	.org demo_guest + 0x100

#endif

	.section .note.GNU-stack, "", @progbits
