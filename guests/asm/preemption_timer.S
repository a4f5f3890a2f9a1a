/*
 * The VMX-preemption timer counts down in VMX non-root operation and exits at zero: at once when it starts at zero.
 * With "save VMX-preemption timer value" it goes on after an exit where it was; without, it starts anew.
 */
#include "guest.h"

#define IA32_VMX_MISC 0x485
#define MISC_TIMER_SHIFT 0x1f /* the timer counts once in 2^shift ticks of the TSC */
#define RFLAGS_IF 0x202
#define COUNTS 0x2000

	.macro HEAD variant, section="VMX-Preemption Timer"
	GUEST preemption_timer, \variant
	MODE LONG64
	REASON PREEMPTION_TIMER
	SECTION "\section"
	CONTROL ACTIVATE_PREEMPTION_TIMER
	.endm

	HEAD zero
	VMCS PREEMPTION_TIMER_VALUE, 0
	EXPECT PREEMPTION_TIMER, zero
	CODE
zero:
	nop
	END_GUEST

	HEAD endless_loop
	VMCS PREEMPTION_TIMER_VALUE, 1000
	EXPECT PREEMPTION_TIMER, endless_loop
	CODE
endless_loop:
	jmp endless_loop

	/* Both are due before the first instruction: the timer goes first. */
	HEAD before_interrupt
	VMCS PREEMPTION_TIMER_VALUE, 0
	VMCS GUEST_RFLAGS, RFLAGS_IF
	PENDING_INTERRUPT 0x52
	EXPECT PREEMPTION_TIMER, before_interrupt
	CODE
before_interrupt:
	nop
	END_GUEST

/* RBX: two thirds of the timer's start value, in ticks of the TSC. */
	.macro MEASURE
	mov ecx, IA32_VMX_MISC
	rdmsr
	and eax, MISC_TIMER_SHIFT
	mov ecx, eax
	mov ebx, COUNTS
	shl rbx, cl
	.endm

	.macro READ_TSC
	rdtsc
	shl rdx, 32
	or rax, rdx
	.endm

/* Runs for RBX ticks. The time of day must not stay in a register: records of a guest are the same in every run. */
	.macro SPEND_TICKS
	READ_TSC
	lea r8, [rax + rbx]
100:
	READ_TSC
	cmp rax, r8
	jb 100b
	xor eax, eax
	xor edx, edx
	xor r8d, r8d
	.endm

	/* Two thirds are gone at the exit: the rest runs out in the loop, which is one instruction. */
	HEAD saved, "Saving Non-Register State"
	CONTROL SAVE_PREEMPTION_TIMER
	VMCS PREEMPTION_TIMER_VALUE, COUNTS + COUNTS / 2
	PASS_MSR IA32_VMX_MISC, 1
	EXPECT VMCALL, exit_saved
	EXPECT PREEMPTION_TIMER, countdown
	CODE
	MEASURE
	SPEND_TICKS
exit_saved:
	vmcall
countdown:
	jmp countdown

	/* Two thirds, twice, with an exit between them: the timer never gets to its end. */
	HEAD reloaded, "Saving Non-Register State"
	VMCS PREEMPTION_TIMER_VALUE, COUNTS + COUNTS / 2
	PASS_MSR IA32_VMX_MISC, 1
	EXPECT VMCALL, exit_reloaded
	CODE
	MEASURE
	SPEND_TICKS
exit_reloaded:
	vmcall
	SPEND_TICKS
	END_GUEST
