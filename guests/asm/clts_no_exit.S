/*
 * CLTS does not exit when the guest would see no change of an owned bit, or when TS is its own. The mark
 * after it is the first exit, and shows the real CR0.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro VARIANT variant, mask
	GUEST clts_no_exit, \variant
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	VMCS CR0_GUEST_HOST_MASK, \mask
	VMCS CR0_READ_SHADOW, CR0_PE | CR0_ET | CR0_NE | CR0_PG
	VMCS GUEST_CR0, CR0_PE | CR0_TS | CR0_ET | CR0_NE | CR0_PG
	EXPECT VMCALL, \variant\()_mark
	CODE

	clts
	mov rax, cr0
	test eax, CR0_TS
	jnz wrong
	xor eax, eax
\variant\()_mark:
	vmcall
	END_GUEST
	.endm

	/* The real TS stays set: it is not the guest's to clear. */
	VARIANT shadow_clear, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	/* The real TS is cleared. */
	VARIANT unowned, CR0_PE | CR0_NE | CR0_PG

wrong:
	ud2
