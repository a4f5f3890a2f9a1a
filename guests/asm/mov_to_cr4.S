/*
 * MOV to CR4 exits when it changes a bit that the host owns, here PGE; the new value shows in the read
 * shadow.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro VARIANT register
	GUEST mov_to_cr4, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS CR4_GUEST_HOST_MASK, CR4_VMXE | CR4_PGE
	EXPECT CR_ACCESS, write_\register
	CODE

	mov \register, cr4
	or \register, CR4_PGE
write_\register:
	mov cr4, \register
	mov rdi, cr4
	cmp rdi, \register
	jne wrong
	END_GUEST
	.endm

	.irp register, rax, rsp, rsi, r10
	VARIANT \register
	.endr

wrong:
	ud2
