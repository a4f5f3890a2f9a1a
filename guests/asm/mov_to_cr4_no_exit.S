/*
 * MOV to CR4 that changes no bit that the host owns does not exit: DE is the guest's own. The mark after it
 * is the first exit, and shows the real register with VMXE, which the guest does not see.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST mov_to_cr4_no_exit
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS CR4_GUEST_HOST_MASK, CR4_VMXE
	EXPECT VMCALL, mark
	CODE

	mov rax, cr4
	or rax, CR4_DE
	mov cr4, rax
	xor eax, eax
mark:
	vmcall
	END_GUEST
