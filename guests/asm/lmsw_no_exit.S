/*
 * LMSW that changes no owned bit does not exit: TS is the guest's own here, and LMSW cannot clear PE, so that
 * an owned PE does not matter to it either. The mark after it is the first exit, and shows the real CR0.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST lmsw_no_exit
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_NE | CR0_PG
	EXPECT VMCALL, mark
	CODE

	mov ax, CR0_TS
	lmsw ax
	xor eax, eax
mark:
	vmcall
	END_GUEST
