/*
 * OUTS from a segment that is unusable, which in 64-bit mode makes no difference to the instruction: the exit's linear
 * address is undefined.
 */
#include "guest.h"

#define UNUSABLE 0x10000

	GUEST outs_unusable
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	VMCS GUEST_DS_ACCESS_RIGHTS, UNUSABLE
	EXPECT IO_INSTRUCTION, unusable_out
	CODE
	mov esi, GUEST_DATA
	mov edx, 0x84
unusable_out:
	outsb
	END_GUEST
