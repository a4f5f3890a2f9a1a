/* Malformed: its data lies where a guest has no memory. The kernel must say so and go on. No part of the catalogue. */
#include "guest.h"

	GUEST outside_memory
	MODE LONG64
	REASON CPUID
	SECTION "CPUID"
	EXPECT CPUID, instruction
	CODE

instruction:
	cpuid
	END_GUEST

	.data
	.skip 0x40000, 1
