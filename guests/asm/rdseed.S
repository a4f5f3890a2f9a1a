/*
 * RDSEED exits with "RDSEED exiting"; the instruction information names the register and its size. The exit
 * ends the guest.
 */
#include "guest.h"

	.macro VARIANT register
	GUEST rdseed, \register
	MODE LONG64
	REASON RDSEED
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Information for VM Exits Due to Instruction Execution"
	NEED RDSEED
	CONTROL RDSEED_EXITING
	EXPECT RDSEED, read_\register
	CODE

read_\register:
	rdseed \register
	.endm

	.irp register, r14w, esp, rbx
	VARIANT \register
	.endr
