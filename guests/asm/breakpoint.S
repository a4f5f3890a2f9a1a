/*
 * INT3 exits as a software exception: RIP stays at the instruction, although its #BP is a trap, and the instruction
 * length says how to go past it.
 */
#include "guest.h"

	.macro BREAKPOINT_IN variant, mode, ring=0
	GUEST breakpoint, \variant
	MODE \mode, \ring
	REASON EXCEPTION_NMI
	SECTION "Information for VM Exits Due to Vectored Events"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_BP
	EXPECT EXCEPTION_NMI, \variant
	CODE
\variant:
	int3
	.endm

	BREAKPOINT_IN real16, REAL16
	BREAKPOINT_IN pae32, PAE32
	BREAKPOINT_IN long64, LONG64
	BREAKPOINT_IN long64_ring3, LONG64, 3
