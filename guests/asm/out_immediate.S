/*
 * OUT exits when the I/O bitmaps say so for its port, which it has as an immediate operand. The qualification
 * tells that, port and size.
 */
#include "guest.h"

#define PORT 0x84

	.macro VARIANT register
	GUEST out_immediate, \register
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	EXPECT IO_INSTRUCTION, out_\register
	CODE

out_\register:
	out PORT, \register
	END_GUEST
	.endm

	.irp register, al, ax, eax
	VARIANT \register
	.endr
