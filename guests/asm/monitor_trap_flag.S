/*
 * A pending MTF VM exit, injected as event type 7, exits before the guest's first instruction; the control "monitor trap
 * flag" makes it exit after the first one.
 */
#include "guest.h"

#define INJECT_MTF 0x80000700 /* interruption information: valid, other event, vector 0 */

	.macro HEAD variant
	GUEST monitor_trap_flag, \variant
	MODE LONG64
	REASON MONITOR_TRAP_FLAG
	SECTION "Monitor Trap Flag"
	EXPECT MONITOR_TRAP_FLAG, \variant
	.endm

	HEAD injected
	CONTROL MONITOR_TRAP_FLAG
	VMCS ENTRY_INTERRUPTION_INFORMATION, INJECT_MTF
	CODE
injected:
	nop
	END_GUEST

	HEAD stepped
	CONTROL MONITOR_TRAP_FLAG
	CODE
	nop
stepped:
	nop
	END_GUEST
