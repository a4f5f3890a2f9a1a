/*
 * MOV to CR8 with "CR8-load exiting" always exits; the task priority that it writes is there when CR8 is
 * read.
 */
#include "guest.h"

#define PRIORITY 5

	.macro VARIANT register
	GUEST mov_to_cr8, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR8_LOAD_EXITING
	CONTROL CR8_STORE_EXITING, 0
	EXPECT CR_ACCESS, write_\register
	CODE

	mov \register, PRIORITY
write_\register:
	mov cr8, \register
	mov rdi, cr8
	cmp rdi, PRIORITY
	jne wrong
	END_GUEST
	.endm

	.irp register, rax, rsp, r8, r15
	VARIANT \register
	.endr

wrong:
	ud2
