/*
 * LMSW exits when it would change one of CR0's four low bits that is the host's, here TS. The qualification
 * holds the whole 16-bit source and says whether it was a register; for a memory operand the guest-linear
 * address is valid too.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

#define SOURCE (CR0_PE | CR0_TS | CR0_ET | CR0_NE)
#define BASE 0x1000

	.macro HEAD variant
	GUEST lmsw, \variant
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	EXPECT CR_ACCESS, \variant\()_load
	.endm

	.macro CHECK
	mov rax, cr0
	test eax, CR0_TS
	jz wrong
	END_GUEST
	.endm

	HEAD register
	CODE

	mov ecx, SOURCE
register_load:
	lmsw cx
	CHECK

	HEAD memory
	CODE

	mov ebx, GUEST_DATA
	mov word ptr [rbx + 8], SOURCE
memory_load:
	lmsw word ptr [rbx + 8]
	CHECK

	HEAD segment
	VMCS GUEST_GS_BASE, BASE
	CODE

	mov ebx, GUEST_DATA
	mov word ptr [rbx], SOURCE
segment_load:
	lmsw word ptr gs:[rbx - BASE]
	CHECK

wrong:
	ud2
