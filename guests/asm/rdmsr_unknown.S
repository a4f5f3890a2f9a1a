/*
 * RDMSR of a number that the guest's processor does not have: the exit comes first, then the hypervisor's
 * #GP(0). At the edges of the bitmap's two ranges, beyond which RDMSR always exits, and for VMX's own MSRs,
 * which the guest must not see.
 */
#include "guest.h"

#define IA32_VMX_BASIC 0x480

	.macro VARIANT variant, number
	GUEST rdmsr_unknown, \variant
	MODE LONG64
	REASON RDMSR
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "MSR-Bitmap Address"
	GATE VECTOR_GP, general_protection
	EXPECT RDMSR, \variant\()_read
	CODE

	mov ecx, \number
\variant\()_read:
	rdmsr
	ud2
	.endm

	VARIANT last_of_low, 0x1fff
	VARIANT above_low, 0x2000
	VARIANT below_high, 0xbfffffff
	VARIANT last_of_high, 0xc0001fff
	VARIANT above_high, 0xc0002000
	VARIANT vmx_basic, IA32_VMX_BASIC

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	END_GUEST

wrong:
	ud2
