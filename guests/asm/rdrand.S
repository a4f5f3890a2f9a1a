/*
 * RDRAND exits with "RDRAND exiting"; the instruction information names the register and its size. The exit
 * ends the guest.
 */
#include "guest.h"

	.macro VARIANT register
	GUEST rdrand, \register
	MODE LONG64
	REASON RDRAND
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Information for VM Exits Due to Instruction Execution"
	NEED RDRAND
	CONTROL RDRAND_EXITING
	EXPECT RDRAND, read_\register
	CODE

read_\register:
	rdrand \register
	.endm

	.irp register, cx, edi, r9
	VARIANT \register
	.endr
