/*
 * WRMSR that must fault: the exit comes before the checks of number and value, then the hypervisor's #GP(0).
 * A number outside the bitmap's ranges, a number inside that is no MSR, and an address that is not canonical.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

	.macro VARIANT variant, number
	GUEST wrmsr_gp, \variant
	MODE LONG64
	REASON WRMSR
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	GATE VECTOR_GP, general_protection
	EXPECT WRMSR, \variant\()_write
	CODE

	mov ecx, \number
	xor eax, eax
	mov edx, 0x80000000
\variant\()_write:
	wrmsr
	ud2
	.endm

	VARIANT outside, 0x40000000
	VARIANT unknown, 0x1fff
	VARIANT not_canonical, IA32_LSTAR

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	END_GUEST

wrong:
	ud2
