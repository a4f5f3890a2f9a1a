/*
 * CPUID always exits, whatever the leaf. The hypervisor's answer hides VMX, shows the hypervisor bit, and
 * names the hypervisor in the first leaf of the range that the SDM leaves to it.
 */
#include "guest.h"

#define FEATURES_ECX_VMX 5
#define FEATURES_ECX_HYPERVISOR 31
#define VENDOR_EBX 0x74697845 /* "Exit" */

	GUEST cpuid
	MODE LONG64
	REASON CPUID
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT CPUID, leaf_1
	EXPECT CPUID, leaf_7
	EXPECT CPUID, leaf_hypervisor
	CODE

	mov eax, 1
leaf_1:
	cpuid
	bt ecx, FEATURES_ECX_VMX
	jc wrong
	bt ecx, FEATURES_ECX_HYPERVISOR
	jnc wrong
	mov eax, 7
	mov ecx, 0
leaf_7:
	cpuid
	mov eax, 0x40000000
leaf_hypervisor:
	cpuid
	cmp ebx, VENDOR_EBX
	jne wrong
	END_GUEST

wrong:
	ud2
