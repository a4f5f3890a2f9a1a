/*
 * WRMSR exits when the write bitmap says so, for MSRs of both ranges. Reading them passes, so that the guest
 * finds the value that the hypervisor has written for it in the register itself.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

#define LOW_HALF 0x12345678
#define HIGH_HALF 0x56

	.macro VARIANT variant, number
	GUEST wrmsr, \variant
	MODE LONG64
	REASON WRMSR
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "MSR-Bitmap Address"
	PASS_MSR \number, 1
	EXPECT WRMSR, \variant\()_write
	CODE

	mov ecx, \number
	mov eax, LOW_HALF
	mov edx, HIGH_HALF
\variant\()_write:
	wrmsr
	xor eax, eax
	xor edx, edx
	rdmsr
	cmp eax, LOW_HALF
	jne wrong
	cmp edx, HIGH_HALF
	jne wrong
	END_GUEST
	.endm

	VARIANT low, IA32_SYSENTER_ESP
	VARIANT high, IA32_LSTAR

wrong:
	ud2
