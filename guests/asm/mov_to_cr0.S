/*
 * MOV to CR0 exits when it changes a bit that the host owns, here TS: the value differs from the read shadow
 * in a bit of the guest/host mask. The qualification names the register that holds the value.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro VARIANT register
	GUEST mov_to_cr0, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	EXPECT CR_ACCESS, write_\register
	CODE

	mov \register, cr0
	or \register, CR0_TS
write_\register:
	mov cr0, \register
	mov rdi, cr0
	test edi, CR0_TS
	jz wrong
	END_GUEST
	.endm

	.irp register, rax, rbx, rsp, rbp, r8, r15
	VARIANT \register
	.endr

wrong:
	ud2
