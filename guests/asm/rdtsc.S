/*
 * RDTSC with "RDTSC exiting": the hypervisor answers with the processor's counter plus the TSC offset, which
 * the guest sees grow from one reading to the next. No register keeps a reading over an exit, so that the
 * records do not depend on when the guest runs.
 */
#include "guest.h"

	.macro HEAD variant
	GUEST rdtsc, \variant
	MODE LONG64
	REASON RDTSC
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL RDTSC_EXITING
	.endm

	.macro FORGET
	xor eax, eax
	xor edx, edx
	.endm

	HEAD
	EXPECT RDTSC, first
	EXPECT RDTSC, second
	CODE

first:
	rdtsc
	mov [GUEST_DATA], eax
	mov [GUEST_DATA + 4], edx
	FORGET
second:
	rdtsc
	sub eax, [GUEST_DATA]
	sbb edx, [GUEST_DATA + 4]
	jc wrong
	or eax, edx
	jz wrong
	FORGET
	END_GUEST

	/* The offset's bit 62 shows in bit 30 of EDX: no machine runs long enough to set it by counting. */
	HEAD offset
	CONTROL USE_TSC_OFFSETTING
	VMCS TSC_OFFSET, 1 << 62
	EXPECT RDTSC, offset_read
	CODE

offset_read:
	rdtsc
	bt edx, 30
	jnc wrong
	FORGET
	END_GUEST

wrong:
	ud2
