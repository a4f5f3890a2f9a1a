/*
 * An external interrupt that is pending when the guest is entered exits before its first instruction. With
 * "acknowledge interrupt on exit" the processor takes the vector from its interrupt controller and reports it; without,
 * the interruption information is not valid. Whether the guest has interrupts enabled does not matter.
 */
#include "guest.h"

#define RFLAGS_IF 0x202
#define ACTIVITY_STATE_HLT 1

	.macro HEAD variant, section, rflags=RFLAGS_IF
	GUEST external_interrupt, \variant
	MODE LONG64
	REASON EXTERNAL_INTERRUPT
	SECTION "\section"
	VMCS GUEST_RFLAGS, \rflags
	PENDING_INTERRUPT 0x51
	EXPECT EXTERNAL_INTERRUPT, \variant
	.endm

	HEAD enabled, "Other Causes of VM Exits"
	CODE
enabled:
	nop
	END_GUEST

	HEAD disabled, "Other Causes of VM Exits", 2
	CODE
disabled:
	nop
	END_GUEST

	HEAD acknowledged, "Information for VM Exits Due to Vectored Events"
	CONTROL ACKNOWLEDGE_INTERRUPT
	CODE
acknowledged:
	nop
	END_GUEST

	/* The exit finds the guest halted and leaves it so; the timer ends its sleep. */
	HEAD halted, "Saving Non-Register State"
	NEED ACTIVITY_HLT
	CONTROL ACTIVATE_PREEMPTION_TIMER
	VMCS PREEMPTION_TIMER_VALUE, 2000
	VMCS GUEST_ACTIVITY_STATE, ACTIVITY_STATE_HLT
	EXPECT PREEMPTION_TIMER, halted
	CODE
halted:
	nop
	END_GUEST
