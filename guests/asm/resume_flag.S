/*
 * The RFLAGS that an exception's exit saves are those that its delivery would have pushed: with RF set for a fault, and
 * as they were for INT3 and for an instruction breakpoint. An EPT violation outside event delivery saves RF set, an
 * instruction that exits saves it clear, whatever it was.
 */
#include "guest.h"

#define DR7_EXECUTE 0x401 /* breakpoint 0 enabled, for execution; bit 10 is always 1 */

#define RFLAGS_RF 0x10002

	.macro TITLE variant, reason
	GUEST resume_flag, \variant
	MODE LONG64
	REASON \reason
	SECTION "Saving RIP, RSP, RFLAGS, and SSP"
	EXPECT \reason, \variant
	.endm

	.macro HEAD variant, vector
	TITLE \variant, EXCEPTION_NMI
	EXIT_ON_EXCEPTIONS 1<<\vector
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

	/* The IDT is not present: #PF while INT is on its way. */
	TITLE pf_during_int, EXCEPTION_NMI
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_IDT, 0x1000, 0, PTE_PRESENT
	CODE
pf_during_int:
	int 0x40

	TITLE ept_violation, EPT_VIOLATION
	CONTROL ENABLE_EPT
	CODE
	mov ebx, GUEST_HOLE
ept_violation:
	mov cl, byte ptr [rbx]

	TITLE instruction, CPUID
	VMCS GUEST_RFLAGS, RFLAGS_RF
	CODE
instruction:
	cpuid
	END_GUEST
