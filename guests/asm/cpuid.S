/* CPUID always exits, whatever the leaf; the hypervisor's answer hides VMX and shows the hypervisor bit. */
#include "guest.h"

	GUEST cpuid
	MODE LONG64
	REASON CPUID
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT CPUID, leaf_1
	EXPECT CPUID, leaf_7
	CODE

	mov eax, 1
leaf_1:
	cpuid
	mov eax, 7
	mov ecx, 0
leaf_7:
	cpuid
	END_GUEST
