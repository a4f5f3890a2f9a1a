/*
 * MWAIT exits with "MWAIT exiting"; the qualification says whether the address-range monitoring hardware was
 * armed by a MONITOR before. The exit ends the guest.
 */
#include "guest.h"

	.macro HEAD variant
	GUEST mwait, \variant
	MODE LONG64
	REASON MWAIT
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	NEED MONITOR
	CONTROL MONITOR_EXITING, 0
	CONTROL MWAIT_EXITING
	EXPECT MWAIT, \variant
	CODE

	xor ecx, ecx
	xor edx, edx
	.endm

	HEAD not_armed
	xor eax, eax
not_armed:
	mwait

	HEAD armed
	mov eax, GUEST_DATA
	monitor
	xor eax, eax
armed:
	mwait
