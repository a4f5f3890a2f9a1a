/*
 * A value with reserved bits for CR8: the exit of "CR8-load exiting" comes before the check, and the
 * hypervisor raises #GP(0).
 */
#include "guest.h"

	GUEST mov_to_cr8_gp
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	CONTROL CR8_LOAD_EXITING
	GATE VECTOR_GP, general_protection
	EXPECT CR_ACCESS, write
	CODE

	mov eax, 0x10
write:
	mov cr8, rax
	ud2

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	END_GUEST

wrong:
	ud2
