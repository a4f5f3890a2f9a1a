/*
 * Without "INVLPG exiting" the guest invalidates its own translations, and the mark after it is the first
 * exit.
 */
#include "guest.h"

	GUEST invlpg_no_exit
	MODE LONG64
	REASON INVLPG
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL INVLPG_EXITING, 0
	EXPECT VMCALL, mark
	CODE

	invlpg [GUEST_DATA]
mark:
	vmcall
	END_GUEST
