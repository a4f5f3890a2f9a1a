/*
 * SLDT, STR, LLDT and LTR exit with "descriptor-table exiting". The instruction information describes the
 * memory operand; its displacement is the qualification. The exit ends the guest.
 */
#include "guest.h"

	.macro VARIANT variant, instruction:vararg
	GUEST ldtr_tr, \variant
	MODE LONG64
	REASON LDTR_TR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Information for VM Exits Due to Instruction Execution"
	CONTROL DESCRIPTOR_TABLE_EXITING
	EXPECT LDTR_TR_ACCESS, \variant
	CODE

\variant:
	\instruction
	.endm

	VARIANT sldt, sldt word ptr [rbx + rcx * 2 + 0x40]
	VARIANT str, str word ptr [rdi]
	VARIANT lldt, lldt word ptr gs:[r8 - 0x10]
	VARIANT ltr, ltr word ptr [GUEST_DATA]
