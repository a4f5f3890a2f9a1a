/*
 * A write to guest memory that EPT does not allow to write, though it may be read or executed: the
 * qualification has both the access and what the entry allowed. The hypervisor allows it; the write is done
 * again.
 */
#include "guest.h"

#define WITNESS 0x600df00d

	.macro VARIANT variant, access
	GUEST ept_write, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	EPT_ACCESS GUEST_DATA, 0x1000, \access
	EXPECT EPT_VIOLATION, \variant\()_store
	CODE

	mov ebx, GUEST_DATA
\variant\()_store:
	mov dword ptr [rbx + 0x10], WITNESS
	cmp dword ptr [rbx + 0x10], WITNESS
	jne wrong
	END_GUEST
	.endm

	VARIANT nothing, 0
	VARIANT read_only, 1
	VARIANT read_execute, 5

wrong:
	ud2
