/*
 * "Unconditional I/O exiting" counts only without "use I/O bitmaps": then every I/O instruction exits,
 * whatever the bitmaps hold; with it, the bitmaps alone decide.
 */
#include "guest.h"

	.macro HEAD variant
	GUEST io_unconditional, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Processor-Based VM-Execution Controls"
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL UNCONDITIONAL_IO_EXITING
	PASS_PORTS 0x80
	.endm

	HEAD without_bitmaps
	CONTROL USE_IO_BITMAPS, 0
	EXPECT IO_INSTRUCTION, write
	CODE

write:
	out 0x80, al
	END_GUEST

	HEAD with_bitmaps
	EXPECT VMCALL, mark
	CODE

	out 0x80, al
mark:
	vmcall
	END_GUEST
