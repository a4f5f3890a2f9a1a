/* Without "PAUSE exiting" PAUSE does not exit, and the mark after it is the first exit. */
#include "guest.h"

	GUEST pause_no_exit
	MODE LONG64
	REASON PAUSE
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL PAUSE_EXITING, 0
	EXPECT VMCALL, mark
	CODE

	pause
mark:
	vmcall
	END_GUEST
