/*
 * Without "CR8-load exiting" and "CR8-store exiting" CR8 is the processor's own, and no access to it exits.
 * The mark after them is the first exit.
 */
#include "guest.h"

#define PRIORITY 3

	GUEST mov_cr8_no_exit
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR8_LOAD_EXITING, 0
	CONTROL CR8_STORE_EXITING, 0
	EXPECT VMCALL, mark
	CODE

	mov eax, PRIORITY
	mov cr8, rax
	mov rbx, cr8
	cmp rbx, rax
	jne wrong
	xor eax, eax
mark:
	vmcall
	END_GUEST

wrong:
	ud2
