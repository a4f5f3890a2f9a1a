/*
 * MOV DR in ring 3: the exit of "MOV-DR exiting" even comes before the check of the privilege level, and the
 * hypervisor raises #GP(0), which goes to the guest's handler in ring 0.
 */
#include "guest.h"

	GUEST mov_dr_ring3
	MODE LONG64, 3
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	CONTROL MOV_DR_EXITING
	GATE VECTOR_GP, general_protection
	EXPECT DR_ACCESS, access
	CODE

access:
	mov dr0, rax
	ud2

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	END_GUEST

wrong:
	ud2
