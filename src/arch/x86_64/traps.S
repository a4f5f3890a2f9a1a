/*
 * The entries of the 256 vectors. Each pushes an error code where the processor has not, and its number; the
 * rest builds a struct trap_frame, calls trap_handle and goes back to where the frame says.
 *
 *	what stands on the stack, from the top of the frame down (SDM, "64-Bit Mode Stack Frame"):
 *	SS RSP RFLAGS CS RIP    by the processor
 *	error code              by the processor, or 0
 *	vector                  by the stub
 *	R15 ... RAX             below, RAX lowest
 */
#include "arch/x86_64/traps.h"

#define STUB_SIZE 16

/* One bit for each exception that comes with an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define HAS_ERROR_CODE \
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

	.text
	.balign STUB_SIZE
	.globl trap_stubs, trap_stubs_end
trap_stubs:
	.set vector, 0
	.rept VECTOR_COUNT
	.balign STUB_SIZE
	.if vector >= VECTOR_EXCEPTION_COUNT || !((HAS_ERROR_CODE >> (vector & 31)) & 1)
	pushq $0
	.endif
	pushq $vector
	jmp trap_entry
	.set vector, vector + 1
	.endr
	.balign STUB_SIZE
trap_stubs_end:

trap_entry:
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rdi
	push %rsi
	push %rbp
	push %rsp		/* a place only: trap_handle fills in the interrupted RSP */
	push %rbx
	push %rdx
	push %rcx
	push %rax
	cld
	mov %rsp, %rdi
	sub $8, %rsp		/* the frame has an odd number of words, and a call wants RSP aligned to 16 */
	call trap_handle
	add $8, %rsp
	pop %rax
	pop %rcx
	pop %rdx
	pop %rbx
	add $8, %rsp
	pop %rbp
	pop %rsi
	pop %rdi
	pop %r8
	pop %r9
	pop %r10
	pop %r11
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	add $16, %rsp		/* vector and error code */
	iretq

	.section .note.GNU-stack, "", @progbits
