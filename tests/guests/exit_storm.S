/* Exits for ever: the watchdog's budget of exits must end it. No part of the catalogue. */
#include "guest.h"

	GUEST exit_storm
	MODE LONG64
	REASON VMCALL
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT VMCALL, again
	CODE

again:
	vmcall
	jmp again
