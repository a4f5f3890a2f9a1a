/* MONITOR exits with "MONITOR exiting". The exit ends the guest. */
#include "guest.h"

	GUEST monitor
	MODE LONG64
	REASON MONITOR
	SECTION "Instructions That Cause VM Exits Conditionally"
	NEED MONITOR
	CONTROL MONITOR_EXITING
	EXPECT MONITOR, arm
	CODE

	mov eax, GUEST_DATA
	xor ecx, ecx
	xor edx, edx
arm:
	monitor
