/*
 * Faults that have priority over XSETBV's exit: #UD while CR4.OSXSAVE is clear, #GP(0) in ring 3. The guest's
 * own handler is the first to know.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro HEAD variant, ring, vector, cr4, mark
	GUEST xsetbv_no_exit, \variant
	MODE LONG64, \ring
	REASON XSETBV
	SECTION "Relative Priority of Faults and VM Exits"
	NEED XSAVE
	VMCS GUEST_CR4, \cr4
	VMCS CR4_READ_SHADOW, \cr4
	GATE \vector, \variant
	EXPECT VMCALL, \mark
	CODE

	xor ecx, ecx
	mov eax, XCR0_X87
	xor edx, edx
\variant\()_set:
	xsetbv
	.endm

	HEAD undefined, 0, VECTOR_UD, CR4_PAE | CR4_VMXE, undefined
	hlt
undefined:
	vmcall
	END_GUEST

	HEAD refused, 3, VECTOR_GP, CR4_PAE | CR4_VMXE | CR4_OSXSAVE, mark
	ud2
refused:
	pop rax /* the error code */
mark:
	vmcall
	END_GUEST
