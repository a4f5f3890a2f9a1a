/*
 * MOV to CR3 with "CR3-load exiting" always exits when there are no CR3-target values. The new value differs
 * from the old one in PWT only, so that the guest goes on under the same tables.
 */
#include "guest.h"

#define CR3_PWT 0x8

	.macro VARIANT register
	GUEST mov_to_cr3, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR3_LOAD_EXITING
	CONTROL CR3_STORE_EXITING, 0
	EXPECT CR_ACCESS, load_\register
	CODE

	mov \register, cr3
	or \register, CR3_PWT
load_\register:
	mov cr3, \register
	mov rdi, cr3
	cmp rdi, \register
	jne wrong
	END_GUEST
	.endm

	.irp register, rax, rcx, rsp, rbp, r8, r15
	VARIANT \register
	.endr

wrong:
	ud2
