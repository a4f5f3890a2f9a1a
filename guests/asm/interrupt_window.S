/*
 * With "interrupt-window exiting" the guest exits at the beginning of the first instruction at which RFLAGS.IF is 1 and
 * neither STI nor MOV SS blocks interrupts.
 */
#include "guest.h"

#define RFLAGS_IF 0x202
#define BLOCKING_BY_STI 1
#define BLOCKING_BY_MOV_SS 2
#define ACTIVITY_STATE_HLT 1

	.macro HEAD variant, rflags=2
	GUEST interrupt_window, \variant
	MODE LONG64
	REASON INTERRUPT_WINDOW
	SECTION "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
	CONTROL INTERRUPT_WINDOW_EXITING
	VMCS GUEST_RFLAGS, \rflags
	EXPECT INTERRUPT_WINDOW, \variant
	.endm

	HEAD open, RFLAGS_IF
	CODE
open:
	nop
	END_GUEST

	/* STI lets one more instruction run. */
	HEAD after_sti
	CODE
	sti
	nop
after_sti:
	nop
	END_GUEST

	HEAD blocked_by_sti, RFLAGS_IF
	VMCS GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_STI
	CODE
	nop
blocked_by_sti:
	nop
	END_GUEST

	HEAD blocked_by_mov_ss, RFLAGS_IF
	VMCS GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_MOV_SS
	CODE
	nop
blocked_by_mov_ss:
	nop
	END_GUEST

	/* The window wakes a processor that VM entry has put into HLT; the timer would, if it did not. */
	HEAD halted, RFLAGS_IF
	NEED ACTIVITY_HLT
	CONTROL ACTIVATE_PREEMPTION_TIMER
	VMCS PREEMPTION_TIMER_VALUE, 2000
	VMCS GUEST_ACTIVITY_STATE, ACTIVITY_STATE_HLT
	CODE
halted:
	nop
	END_GUEST
