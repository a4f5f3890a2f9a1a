/*
 * REP OUTS exits before its first element, with the whole count in RCX; the hypervisor does all elements in
 * one exit. With the direction flag set they go downwards.
 */
#include "guest.h"

#define PORT 0x84
#define COUNT 3

	.macro VARIANT variant, instruction, bytes, direction=cld, step=1
	GUEST rep_outs, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	EXPECT IO_INSTRUCTION, \variant\()_out
	CODE

	mov esi, GUEST_DATA + 16
	mov ecx, COUNT
	mov dx, PORT
	\direction
\variant\()_out:
	rep \instruction
	test rcx, rcx
	jnz wrong
	cmp esi, GUEST_DATA + 16 + \step * COUNT * \bytes
	jne wrong
	END_GUEST
	.endm

	VARIANT byte, outsb, 1
	VARIANT word, outsw, 2
	VARIANT dword, outsd, 4
	VARIANT downwards, outsd, 4, std, -1

wrong:
	ud2
