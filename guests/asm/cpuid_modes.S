/*
 * CPUID exits in every processor mode: the same two bytes, and the same answer in the low halves of the
 * registers.
 */
#include "guest.h"

#define LEAF_HYPERVISOR 0x40000000

	.macro VARIANT variant, mode
	GUEST cpuid_modes, \variant
	MODE \mode
	REASON CPUID
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT CPUID, \variant\()_cpuid
	CODE

	mov eax, LEAF_HYPERVISOR
\variant\()_cpuid:
	cpuid
	cmp eax, LEAF_HYPERVISOR
	jne \variant\()_wrong
	END_GUEST
\variant\()_wrong:
	hlt
	.endm

	VARIANT real16, REAL16
	VARIANT prot32, PROT32
	VARIANT compat32, COMPAT32
