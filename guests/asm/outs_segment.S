/*
 * OUTS takes a segment override: the instruction information names the segment, and the linear address has
 * its base in it.
 */
#include "guest.h"

#define PORT 0x84
#define BASE 0x1000

	.macro VARIANT segment, field
	GUEST outs_segment, \segment
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	VMCS \field, BASE
	EXPECT IO_INSTRUCTION, \segment\()_out
	CODE

	mov esi, GUEST_DATA
	mov dx, PORT
\segment\()_out:
	outsb dx, byte ptr \segment:[rsi]
	cmp esi, GUEST_DATA + 1
	jne wrong
	END_GUEST
	.endm

	VARIANT fs, GUEST_FS_BASE
	VARIANT gs, GUEST_GS_BASE

wrong:
	ud2
