/*
 * The delivery of an exception needs the IDT, which EPT does not allow to read: the exit has the exception in
 * its IDT-vectoring information, and for INT3, a software exception, the instruction length too.
 */
#include "guest.h"

	.macro VARIANT variant, instruction, vector
	GUEST ept_event, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "Information for VM Exits That Occur During Event Delivery"
	SECTION "Basic VM-Exit Information"
	GATE \vector, \variant\()_delivered
	EPT_ACCESS GUEST_IDT, 0x1000, 0
	EXPECT EPT_VIOLATION, \variant
	EXPECT VMCALL, \variant\()_delivered
	CODE

\variant:
	\instruction
	hlt
\variant\()_delivered:
	vmcall
	END_GUEST
	.endm

	VARIANT breakpoint, int3, VECTOR_BP
	VARIANT undefined, ud2, VECTOR_UD
