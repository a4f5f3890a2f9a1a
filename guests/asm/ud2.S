/*
 * #UD, a fault, in every mode and in ring 3: with its bit set in the exception bitmap it exits, with RIP at the
 * instruction, as a hardware exception without an error code.
 */
#include "guest.h"

	.macro UNDEFINED_IN variant, mode, ring=0
	GUEST ud2, \variant
	MODE \mode, \ring
	REASON EXCEPTION_NMI
	SECTION "Other Causes of VM Exits"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_UD
	EXPECT EXCEPTION_NMI, \variant
	CODE
\variant:
	ud2
	.endm

	UNDEFINED_IN real16, REAL16
	UNDEFINED_IN prot32, PROT32
	UNDEFINED_IN prot32_ring3, PROT32, 3
	UNDEFINED_IN paged32, PAGED32
	UNDEFINED_IN paged32_ring3, PAGED32, 3
	UNDEFINED_IN pae32, PAE32
	UNDEFINED_IN pae32_ring3, PAE32, 3
	UNDEFINED_IN compat32, COMPAT32
	UNDEFINED_IN compat32_ring3, COMPAT32, 3
	UNDEFINED_IN long64, LONG64
	UNDEFINED_IN long64_ring3, LONG64, 3
