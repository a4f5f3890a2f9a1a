/*
 * CR4.VMXE must be 1 in the real register, and the guest, which has no VMX, reads it as 0. Setting it exits,
 * because the host owns the bit; for this guest it is reserved, so the answer is #GP(0).
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST mov_to_cr4_vmxe
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Guest/Host Masks and Read Shadows for CR0 and CR4"
	GATE VECTOR_GP, general_protection
	EXPECT CR_ACCESS, write
	CODE

	mov rax, cr4
	test eax, CR4_VMXE
	jnz wrong
	or rax, CR4_VMXE
write:
	mov cr4, rax
	ud2

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	END_GUEST

wrong:
	ud2
