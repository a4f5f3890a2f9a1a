/* Never exits: the watchdog's time must end it. No part of the catalogue. */
#include "guest.h"

	GUEST runaway
	MODE LONG64
	REASON PREEMPTION_TIMER
	SECTION "VMX-Preemption Timer"
	EXPECT PREEMPTION_TIMER, forever
	CODE

forever:
	jmp forever
