/*
 * MOV from CR3 with "CR3-store exiting" always exits; the qualification names the register that is to receive
 * the value. The guest loads the value back, without an exit: with a wrong one it would lose its own page
 * tables.
 */
#include "guest.h"

	.macro VARIANT register
	GUEST mov_from_cr3, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR3_LOAD_EXITING, 0
	CONTROL CR3_STORE_EXITING
	EXPECT CR_ACCESS, store_\register
	CODE

store_\register:
	mov \register, cr3
	mov cr3, \register
	END_GUEST
	.endm

	.irp register, rax, rdx, rsp, rdi, r9, r15
	VARIANT \register
	.endr
