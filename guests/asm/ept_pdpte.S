/*
 * PAE paging: MOV to CR3 loads the four PDPTEs from memory that EPT does not allow to read. No linear address
 * is being translated then, and the qualification says so.
 */
#include "guest.h"

	GUEST ept_pdpte
	MODE PAE32
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	CONTROL CR3_LOAD_EXITING, 0
	EPT_ACCESS GUEST_PDPT, 0x1000, 0
	EXPECT EPT_VIOLATION, load
	CODE

	mov eax, GUEST_PDPT
load:
	mov cr3, eax
	END_GUEST
