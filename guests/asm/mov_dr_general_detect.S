/*
 * DR7.GD makes any MOV DR a debug exception, but the exit of "MOV-DR exiting" comes first. The hypervisor
 * raises #DB as the processor would: DR6.BD set, DR7.GD cleared, so that the handler can read them.
 */
#include "guest.h"

#define DR6_BD 0x2000
#define DR7_GD 0x2000
#define DR7_RESET 0x400

	GUEST mov_dr_general_detect
	MODE LONG64
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Debug Control Register (DR7)"
	CONTROL MOV_DR_EXITING
	VMCS GUEST_DR7, DR7_RESET | DR7_GD
	GATE VECTOR_DB, debug
	EXPECT DR_ACCESS, detected
	EXPECT DR_ACCESS, debug
	EXPECT DR_ACCESS, read_dr7
	CODE

detected:
	mov rcx, dr3
	ud2

debug:
	mov rax, dr6
	test eax, DR6_BD
	jz wrong
read_dr7:
	mov rax, dr7
	cmp eax, DR7_RESET
	jne wrong
	END_GUEST

wrong:
	ud2
