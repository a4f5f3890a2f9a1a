/*
 * A value that CR0 does not take (NW without CD), with an owned bit changed: the exit comes before the check,
 * so it is for the hypervisor to raise #GP(0), at the instruction.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST mov_to_cr0_gp
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	GATE VECTOR_GP, general_protection
	EXPECT CR_ACCESS, write
	CODE

	mov rax, cr0
	or rax, CR0_TS | CR0_NW
write:
	mov cr0, rax
	ud2

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	cmp qword ptr [rsp], offset write
	jne wrong
	END_GUEST

wrong:
	ud2
