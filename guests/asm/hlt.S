/*
 * HLT exits with "HLT exiting", and without it halts the processor: the activity state is HLT, and a VMX-preemption
 * timer that runs out then exits all the same.
 */
#include "guest.h"

#define RFLAGS_IF 0x202

	.macro HEAD variant, mode=LONG64
	GUEST hlt, \variant
	MODE \mode
	REASON HLT
	SECTION "Instructions That Cause VM Exits Conditionally"
	.endm

	HEAD long64
	CONTROL HLT_EXITING
	EXPECT HLT, halt_long64
	CODE
halt_long64:
	hlt

	HEAD real16, REAL16
	CONTROL HLT_EXITING
	EXPECT HLT, halt_real16
	CODE
halt_real16:
	hlt

	/* With interrupts enabled the hypervisor lets the guest wait, in activity state HLT, behind its instruction. */
	HEAD waiting
	CONTROL HLT_EXITING
	CONTROL ACTIVATE_PREEMPTION_TIMER
	VMCS PREEMPTION_TIMER_VALUE, 2000
	VMCS GUEST_RFLAGS, RFLAGS_IF
	EXPECT HLT, halt_waiting
	EXPECT PREEMPTION_TIMER, after_waiting
	CODE
halt_waiting:
	hlt
after_waiting:
	nop
	END_GUEST

	HEAD not_exiting
	CONTROL ACTIVATE_PREEMPTION_TIMER
	VMCS PREEMPTION_TIMER_VALUE, 2000
	VMCS GUEST_RFLAGS, RFLAGS_IF
	EXPECT PREEMPTION_TIMER, after_not_exiting
	CODE
	hlt
after_not_exiting:
	nop
	END_GUEST
