/*
 * A read of guest memory that EPT does not allow to read: the qualification says what the access was, what
 * the entry allowed, and that the address is the translation of a linear one. The hypervisor allows it; the
 * read is done again.
 */
#include "guest.h"

#define OTHER_BYTE 0x800

	.macro VARIANT variant, access
	GUEST ept_read, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	.if \access == 4
	NEED EPT_EXECUTE_ONLY
	.endif
	EPT_ACCESS GUEST_DATA, 0x1000, \access
	EXPECT EPT_VIOLATION, \variant\()_load
	CODE

	mov ebx, GUEST_DATA
	mov al, 1
\variant\()_load:
	mov al, [rbx + 5]
	test al, al
	jnz wrong
	/* The whole page was given back. */
	mov byte ptr [rbx + OTHER_BYTE], 1
	END_GUEST
	.endm

	VARIANT nothing, 0
	VARIANT execute_only, 4

wrong:
	ud2
