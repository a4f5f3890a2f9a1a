/*
 * The way out of real mode that the 80286 had: LMSW sets PE, which is the host's here. The guest goes on in
 * protected mode, still in its 16-bit code segment.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST lmsw_real16
	MODE REAL16
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_NE
	EXPECT CR_ACCESS, load
	EXPECT CPUID, in_protected_mode
	CODE

	mov ax, CR0_PE
load:
	lmsw ax
in_protected_mode:
	cpuid
	END_GUEST
