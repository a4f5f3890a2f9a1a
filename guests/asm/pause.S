/* PAUSE exits with "PAUSE exiting", at any privilege level. The exit ends the guest. */
#include "guest.h"

	.macro VARIANT variant, ring
	GUEST pause, \variant
	MODE LONG64, \ring
	REASON PAUSE
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL PAUSE_EXITING
	EXPECT PAUSE, \variant
	CODE

\variant:
	pause
	.endm

	VARIANT ring0, 0
	VARIANT ring3, 3
