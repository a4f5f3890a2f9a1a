/*
 * With CR4.DE set, DR4 is an invalid opcode. The exit of "MOV-DR exiting" comes before that check, unlike the
 * exits of most instructions, so that it is for the hypervisor to raise #UD.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST mov_dr_undefined
	MODE LONG64
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	CONTROL MOV_DR_EXITING
	GATE VECTOR_UD, undefined
	EXPECT DR_ACCESS, access
	EXPECT VMCALL, undefined
	CODE

	mov rax, cr4
	or rax, CR4_DE
	mov cr4, rax
access:
	mov rax, dr4
	hlt

undefined:
	vmcall
	END_GUEST
