/*
 * The RFLAGS that an exception's exit saves are those that its delivery would have pushed: with RF set for a fault, and
 * as they were for INT3 and for an instruction breakpoint.
 */
#include "guest.h"

#define DR7_EXECUTE 0x401 /* breakpoint 0 enabled, for execution; bit 10 is always 1 */

	.macro HEAD variant, vector
	GUEST resume_flag, \variant
	MODE LONG64
	REASON EXCEPTION_NMI
	SECTION "Saving RIP, RSP, RFLAGS, and SSP"
	EXIT_ON_EXCEPTIONS 1<<\vector
	EXPECT EXCEPTION_NMI, \variant
	CODE
	.endm

	HEAD fault_undefined, VECTOR_UD
fault_undefined:
	ud2

	HEAD fault_page, VECTOR_PF
fault_page:
	mov cl, byte ptr [GUEST_UNMAPPED]

	HEAD int3, VECTOR_BP
int3:
	int3

	HEAD instruction_breakpoint, VECTOR_DB
	mov eax, offset instruction_breakpoint
	mov dr0, rax
	mov eax, DR7_EXECUTE
	mov dr7, rax
instruction_breakpoint:
	nop
