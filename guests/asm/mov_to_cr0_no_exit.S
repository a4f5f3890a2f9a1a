/*
 * MOV to CR0 does not exit when all bits that the host owns are as the read shadow has them, whatever the
 * real register holds: the owned bits stay as they are, the others are written. The mark after it is the
 * first exit.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro HEAD variant
	GUEST mov_to_cr0_no_exit, \variant
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	.endm

	/* WP is the guest's own. */
	HEAD unowned
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_NE | CR0_PG
	EXPECT VMCALL, unowned_mark
	CODE

	mov rax, cr0
	or rax, CR0_WP
	mov cr0, rax
	mov rbx, cr0
	cmp rax, rbx
	jne wrong
	xor eax, eax
unowned_mark:
	vmcall
	END_GUEST

	/*
	 * TS is the host's, set in the shadow and clear in the register: the guest reads it set, and writes
	 * it back.
	 */
	HEAD unchanged
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	VMCS CR0_READ_SHADOW, CR0_PE | CR0_TS | CR0_ET | CR0_NE | CR0_PG
	EXPECT VMCALL, unchanged_mark
	CODE

	mov rax, cr0
	test eax, CR0_TS
	jz wrong
	mov cr0, rax
	xor eax, eax
unchanged_mark:
	vmcall
	END_GUEST

wrong:
	ud2
