/*
 * The guest's own page tables are guest-physical memory too. Where EPT does not allow the processor to read
 * an entry, or to set its accessed or dirty flag, the exit has the linear address that was being translated,
 * and the entry's own guest-physical address; "translation" is clear.
 */
#include "guest.h"

#define PTE_ACCESSED 0x20

	.macro HEAD variant, table, access, place
	GUEST ept_page_walk, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	EPT_ACCESS \table, 0x1000, \access
	EXPECT EPT_VIOLATION, \place
	.endm

	/* The very first fetch needs the top-level table. */
	HEAD top, GUEST_PML4, 0, top_start
	CODE

top_start:
	nop
	END_GUEST

	HEAD bottom, GUEST_PT, 0, bottom_start
	CODE

bottom_start:
	nop
	END_GUEST

	/* The first use of a page sets the accessed flag in its entry, here that of the code. */
	HEAD accessed, GUEST_PT, 1, accessed_start
	CODE

accessed_start:
	nop
	END_GUEST

	/* Every page was used before: only a first write still changes an entry, by its dirty flag. */
	HEAD dirty, GUEST_PT, 1, dirty_store
	PAGE 0, 0x200000, PTE_ACCESSED
	CODE

	mov ebx, GUEST_DATA
	mov al, [rbx]
dirty_store:
	mov [rbx], al
	END_GUEST
