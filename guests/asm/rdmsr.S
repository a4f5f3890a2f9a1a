/*
 * RDMSR exits when the read bitmap says so, for MSRs of the low range (0 to 1FFFH) and of the high range
 * (C000_0000H to C000_1FFFH) alike. These two have their values in the VMCS.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

#define LOW_HALF 0x12345678

	.macro VARIANT variant, number, field, high_half
	GUEST rdmsr, \variant
	MODE LONG64
	REASON RDMSR
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "MSR-Bitmap Address"
	VMCS \field, \high_half << 32 | LOW_HALF
	EXPECT RDMSR, \variant\()_read
	CODE

	mov rax, -1
	mov rdx, -1
	mov ecx, \number
\variant\()_read:
	rdmsr
	cmp rax, LOW_HALF
	jne wrong
	cmp rdx, \high_half
	jne wrong
	END_GUEST
	.endm

	VARIANT low, IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP, 0x12
	VARIANT high, IA32_GS_BASE, GUEST_GS_BASE, 0x34

wrong:
	ud2
