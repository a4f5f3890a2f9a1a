/* An ordinary guest that comes after the others: it must run whatever they did. No part of the catalogue. */
#include "guest.h"

	GUEST zz_after
	MODE LONG64
	REASON CPUID
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT CPUID, instruction
	CODE

instruction:
	cpuid
	END_GUEST
