/*
 * The guest's memory as one 2 MiB page of EPT: the exit is the same, but what the hypervisor gives back is
 * the whole page, so that no later access exits.
 */
#include "guest.h"

	.macro HEAD variant, access
	GUEST ept_large, \variant
	MODE PROT32
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "EPT Translation Mechanism"
	LARGE_EPT_PAGES
	EPT_ACCESS 0, 0x200000, \access
	.endm

	HEAD fetch, 3
	EXPECT EPT_VIOLATION, fetch
	CODE

fetch:
	mov eax, [GUEST_HOLE]
	jmp far_away

	HEAD write, 5
	EXPECT EPT_VIOLATION, write
	CODE

write:
	mov [GUEST_DATA], eax
	mov [GUEST_HOLE], eax
far_away:
	END_GUEST

	/* Above the page there is nothing. */
	HEAD hole, 7
	EXPECT EPT_VIOLATION, hole
	CODE

	mov eax, [0x200000 - 4]
hole:
	mov eax, [0x200000]
	ud2
