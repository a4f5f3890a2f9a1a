/*
 * An instruction fetch from guest memory that EPT does not allow to execute. RIP is at the instruction that
 * could not be fetched, and so is the guest-linear address. The hypervisor allows it, and the instruction
 * runs.
 */
#include "guest.h"

	.macro VARIANT variant, access
	GUEST ept_fetch, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	EPT_ACCESS other_page, 0x1000, \access
	EXPECT EPT_VIOLATION, other_page
	CODE

	call other_page
	END_GUEST
	.endm

	VARIANT nothing, 0
	VARIANT read_only, 1
	VARIANT read_write, 3

	.data
other_page:
	ret
