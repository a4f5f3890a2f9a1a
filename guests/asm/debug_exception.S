/*
 * #DB, with the exit qualification that DR6 would have shown: single step and data breakpoints are traps, instruction
 * breakpoints are faults. INT1 is a privileged software exception and reports no condition at all.
 */
#include "guest.h"

#define RFLAGS_TF 0x102 /* and bit 1, which is always 1 */
/* DR7: breakpoint 0 enabled, one byte long; bit 10 is always 1. */
#define DR7_EXECUTE 0x00401
#define DR7_WRITE 0x10401

	.macro HEAD variant, mode
	GUEST debug_exception, \variant
	MODE \mode
	REASON EXCEPTION_NMI
	SECTION "Basic VM-Exit Information"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_DB
	EXPECT EXCEPTION_NMI, \variant
	.endm

	HEAD int1, LONG64
	CODE
int1:
	.byte 0xf1

	HEAD int1_prot32, PROT32
	CODE
int1_prot32:
	.byte 0xf1

	HEAD single_step, LONG64
	VMCS GUEST_RFLAGS, RFLAGS_TF
	CODE
	nop
single_step:
	nop

	HEAD data_breakpoint, LONG64
	CODE
	mov eax, GUEST_DATA
	mov dr0, rax
	mov eax, DR7_WRITE
	mov dr7, rax
	mov cl, byte ptr [GUEST_DATA]
	mov byte ptr [GUEST_DATA], cl
data_breakpoint:
	nop

	HEAD instruction_breakpoint, PAGED32
	CODE
	mov eax, offset instruction_breakpoint
	mov dr0, eax
	mov eax, DR7_EXECUTE
	mov dr7, eax
instruction_breakpoint:
	nop
