/*
 * An access to guest-physical memory that is not there at all: EPT has no entry, so nothing is allowed. There
 * is nothing that the hypervisor could give, and the guest ends.
 */
#include "guest.h"

	.macro HEAD variant, place
	GUEST ept_hole, \variant
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	CONTROL ENABLE_EPT
	EXPECT EPT_VIOLATION, \place
	CODE

	mov ebx, GUEST_HOLE
	.endm

	HEAD read, load
load:
	mov eax, [rbx + 8]
	ud2

	HEAD write, store
store:
	mov [rbx + 8], eax
	ud2

	HEAD fetch, GUEST_HOLE
	jmp rbx
