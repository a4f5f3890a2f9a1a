/*
 * A read-modify-write instruction on memory that may only be read: it counts as a write. Whether it counts as
 * a read too is for each processor to choose.
 */
#include "guest.h"

	GUEST ept_read_modify_write
	MODE LONG64
	REASON EPT_VIOLATION
	SECTION "EPT Violations"
	SECTION "Basic VM-Exit Information"
	EPT_ACCESS GUEST_DATA, 0x1000, 1
	EXPECT EPT_VIOLATION, increment
	CODE

	mov ebx, GUEST_DATA
increment:
	inc dword ptr [rbx]
	cmp dword ptr [rbx], 1
	jne wrong
	END_GUEST

wrong:
	ud2
