/*
 * OUTS exits with the linear address that it would read from, and, where the processor gives it, the address
 * size and the segment. The hypervisor moves RSI on.
 */
#include "guest.h"

#define PORT 0x84

	.macro VARIANT variant, instruction, bytes
	GUEST outs, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	EXPECT IO_INSTRUCTION, \variant\()_out
	CODE

	mov esi, GUEST_DATA
	mov dx, PORT
\variant\()_out:
	\instruction
	cmp esi, GUEST_DATA + \bytes
	jne wrong
	END_GUEST
	.endm

	VARIANT byte, outsb, 1
	VARIANT word, outsw, 2
	VARIANT dword, outsd, 4

wrong:
	ud2
