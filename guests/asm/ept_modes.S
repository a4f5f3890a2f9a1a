/*
 * A write to a read-only page of guest memory in every mode: the exit is the same under each kind of guest
 * paging, and without any, where the linear address is the physical one.
 */
#include "guest.h"

#define OFFSET 0x20

	.macro HEAD variant, mode
	GUEST ept_modes, \variant
	MODE \mode
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	EPT_ACCESS GUEST_DATA, 0x1000, 1
	EXPECT EPT_VIOLATION, \variant\()_store
	CODE

	.endm

	HEAD real16, REAL16
	mov ax, GUEST_DATA >> 4
	mov ds, ax
real16_store:
	mov [OFFSET], ax
	END_GUEST

	.macro VARIANT variant, mode
	HEAD \variant, \mode
\variant\()_store:
	mov [GUEST_DATA + OFFSET], eax
	END_GUEST
	.endm

	VARIANT prot32, PROT32
	VARIANT paged32, PAGED32
	VARIANT pae32, PAE32
	VARIANT compat32, COMPAT32
