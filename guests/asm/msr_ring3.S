/*
 * RDMSR and WRMSR in ring 3 raise #GP(0), which has priority over the exit; the guest's own handler is the
 * first to know.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

	.macro VARIANT instruction, reason
	GUEST msr_ring3, \instruction
	MODE LONG64, 3
	REASON \reason
	SECTION "Relative Priority of Faults and VM Exits"
	GATE VECTOR_GP, \instruction\()_refused
	EXPECT VMCALL, \instruction\()_mark
	CODE

	mov ecx, IA32_SYSENTER_CS
	\instruction
	ud2
\instruction\()_refused:
	pop rax /* the error code */
\instruction\()_mark:
	vmcall
	END_GUEST
	.endm

	VARIANT rdmsr, RDMSR
	VARIANT wrmsr, WRMSR
