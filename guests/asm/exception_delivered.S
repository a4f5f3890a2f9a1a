/*
 * An exception whose bit in the exception bitmap is clear does not exit: the guest's own handler gets it, on the ring 0
 * stack when it came from ring 3. VMCALL marks in the log that the handler was there.
 */
#include "guest.h"

#define RFLAGS_IOPL3 0x3002 /* so that ring 3 can write to the exit port itself */

	.macro HEAD variant, mode, ring=0
	GUEST exception_delivered, \variant
	MODE \mode, \ring
	REASON EXCEPTION_NMI
	SECTION "Exception Bitmap"
	EXIT_ON_EXCEPTIONS 0xffffffff & ~(1<<VECTOR_UD)
	VMCS GUEST_RFLAGS, RFLAGS_IOPL3
	GATE VECTOR_UD, handler_\variant
	EXPECT VMCALL, in_handler_\variant
	CODE
	.endm

	.macro HANDLE_64 variant, privilege
undefined_\variant:
	ud2
	END_GUEST
handler_\variant:
	cmp qword ptr [rsp], offset undefined_\variant
	jne wrong
	mov ecx, dword ptr [rsp + 8]
	and ecx, 3
	cmp ecx, \privilege
	jne wrong
in_handler_\variant:
	vmcall
	add qword ptr [rsp], 2
	iretq
	.endm

	.macro HANDLE_32 variant, privilege
undefined_\variant:
	ud2
	END_GUEST
handler_\variant:
	cmp dword ptr [esp], offset undefined_\variant
	jne wrong
	mov ecx, dword ptr [esp + 4]
	and ecx, 3
	cmp ecx, \privilege
	jne wrong
in_handler_\variant:
	vmcall
	add dword ptr [esp], 2
	iretd
	.endm

	HEAD long64, LONG64
	HANDLE_64 long64, 0
	HEAD long64_ring3, LONG64, 3
	HANDLE_64 long64_ring3, 3
	HEAD pae32, PAE32
	HANDLE_32 pae32, 0
	HEAD paged32_ring3, PAGED32, 3
	HANDLE_32 paged32_ring3, 3

	HEAD real16, REAL16
undefined_real16:
	ud2
	END_GUEST
handler_real16:
	mov bp, sp
	cmp word ptr [bp], offset undefined_real16
	jne wrong
in_handler_real16:
	vmcall
	add word ptr [bp], 2
	iret

wrong:
	int3
