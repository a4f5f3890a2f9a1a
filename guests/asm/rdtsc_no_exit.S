/*
 * RDTSC without "RDTSC exiting" does not exit: the processor itself adds the TSC offset if it is to use one.
 * The mark, a hypercall, is the first exit, and no register keeps the reading: the records do not depend on
 * when the guest runs.
 */
#include "guest.h"

	.macro HEAD variant
	GUEST rdtsc_no_exit, \variant
	MODE LONG64
	REASON RDTSC
	SECTION "Instructions That Cause VM Exits Conditionally"
	.endm

	HEAD
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	EXPECT VMCALL, mark
	CODE

	rdtsc
	bt edx, 30
	jc wrong
	xor eax, eax
	xor edx, edx
mark:
	vmcall
	END_GUEST

	/* As in rdtsc.S: the offset's bit 62 shows in bit 30 of EDX. */
	HEAD offset
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	CONTROL USE_TSC_OFFSETTING
	VMCS TSC_OFFSET, 1 << 62
	EXPECT VMCALL, offset_mark
	CODE

	rdtsc
	bt edx, 30
	jnc wrong
	xor eax, eax
	xor edx, edx
offset_mark:
	vmcall
	END_GUEST

wrong:
	ud2
