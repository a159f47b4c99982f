/* SPDX-License-Identifier: MIT */
/*
 * A boot sector: QEMU's VGA in text mode, in mode 13h and in a VESA mode of several banks.
 * It writes the whole window at 0xa0000 and reads it back.  Then it says so at port 0x402.
 * Linked for address 0x7c00.
 */
.code16
.globl _start
_start:
	cld
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $0x7c00, %sp
	mov $0x0013, %ax
	int $0x10
	call window
	/* 640x480 with 256 colours is 5 banks of 64 KiB */
	mov $0x4f02, %ax
	mov $0x0101, %bx
	int $0x10
	cmp $0x004f, %ax
	jne bad
	xor %dx, %dx
1:	push %dx
	mov $0x4f05, %ax
	xor %bx, %bx
	int $0x10
	call window
	pop %dx
	inc %dx
	cmp $4, %dx
	jne 1b
	mov $0x0003, %ax
	int $0x10
	mov $works, %si
	jmp say
bad:	mov $fails, %si
say:	mov $0x402, %dx
2:	lodsb
	test %al, %al
	jz 3f
	out %al, %dx
	jmp 2b
3:	hlt
	jmp 3b

window:
	mov $0xa000, %ax
	mov %ax, %es
	xor %di, %di
	mov $0x5aa5, %ax
	mov $0x8000, %cx
	rep stosw
	mov $0x8000, %cx
	repe scasw
	jne bad
	ret

works:	.asciz "graphics work"
fails:	.asciz "graphics fail"
	.org 510
	.byte 0x55, 0xaa
