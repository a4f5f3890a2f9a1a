/*
 * SGDT, SIDT, LGDT and LIDT exit with "descriptor-table exiting". The instruction information describes the
 * memory operand (base, index, scale, segment, address size); its displacement is the qualification. The exit
 * ends the guest.
 */
#include "guest.h"

	.macro VARIANT variant, mode, instruction:vararg
	GUEST descriptor_tables, \variant
	MODE \mode
	REASON GDTR_IDTR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Information for VM Exits Due to Instruction Execution"
	CONTROL DESCRIPTOR_TABLE_EXITING
	EXPECT GDTR_IDTR_ACCESS, \variant
	CODE

\variant:
	\instruction
	.endm

	VARIANT sgdt_base, LONG64, sgdt [rbx]
	VARIANT sidt_index, LONG64, sidt [rbx + r9 * 4 + 0x10]
	VARIANT lgdt_absolute, LONG64, lgdt [GUEST_DATA]
	VARIANT lidt_segment, LONG64, lidt fs:[rbp - 8]
	VARIANT lgdt_address32, LONG64, lgdt [r12d + 0x20]
	VARIANT sgdt_32bit, PROT32, sgdt [ecx + edx * 8]
	VARIANT lidt_16bit, REAL16, lidt [bx + si + 4]
	VARIANT lidt_operand32, REAL16, lidtd es:[di]
