/*
 * Event injection: VM entry delivers the event through the guest's IDT before the guest's first instruction, with the
 * return address, error code and blocking that the event would have had.
 */
#include "guest.h"

#define RFLAGS_IF 0x202
/* Interruption information: valid, then error code (bit 11), type and vector. */
#define INJECT_INTERRUPT_40 0x80000040
#define INJECT_NMI 0x80000202
#define INJECT_GP 0x80000b0d
#define INJECT_UD 0x80000306
#define INJECT_INT_40 0x80000440
#define INJECT_INT1 0x80000501
#define INJECT_INT3 0x80000603
#define ERROR_CODE 0x18

	.macro HEAD variant, mode, information, vector, length=0
	GUEST inject, \variant
	MODE \mode
	REASON VMCALL
	SECTION "Vectored-Event Injection"
	VMCS ENTRY_INTERRUPTION_INFORMATION, \information
	VMCS ENTRY_INSTRUCTION_LENGTH, \length
	GATE \vector, handler_\variant
	EXPECT VMCALL, in_handler_\variant
	.endm

/* The handler, when the return address must be at `returns`. */
	.macro HANDLE variant, returns
handler_\variant:
	cmp qword ptr [rsp], offset \returns
	jne wrong
in_handler_\variant:
	vmcall
	iretq
	.endm

	HEAD interrupt, LONG64, INJECT_INTERRUPT_40, 0x40
	VMCS GUEST_RFLAGS, RFLAGS_IF
	CODE
start_interrupt:
	END_GUEST
	HANDLE interrupt, start_interrupt

	HEAD nmi, LONG64, INJECT_NMI, 2
	CODE
start_nmi:
	END_GUEST
	HANDLE nmi, start_nmi

	HEAD gp, LONG64, INJECT_GP, VECTOR_GP
	VMCS ENTRY_EXCEPTION_ERROR_CODE, ERROR_CODE
	CODE
start_gp:
	END_GUEST
handler_gp:
	pop rcx
	cmp rcx, ERROR_CODE
	jne wrong
	cmp qword ptr [rsp], offset start_gp
	jne wrong
in_handler_gp:
	vmcall
	iretq

	/* Injected exceptions do not exit, whatever the exception bitmap says. */
	HEAD ud_in_bitmap, LONG64, INJECT_UD, VECTOR_UD
	EXIT_ON_EXCEPTIONS 0xffffffff
	CODE
start_ud_in_bitmap:
	END_GUEST
	HANDLE ud_in_bitmap, start_ud_in_bitmap

	/* A software event's return address is behind the instruction, which the instruction length tells. */
	HEAD int_n, LONG64, INJECT_INT_40, 0x40, 2
	CODE
	ud2
after_int_n:
	END_GUEST
	HANDLE int_n, after_int_n

	HEAD int3, LONG64, INJECT_INT3, VECTOR_BP, 1
	CODE
	int3
after_int3:
	END_GUEST
	HANDLE int3, after_int3

	HEAD int1, LONG64, INJECT_INT1, VECTOR_DB, 1
	CODE
	.byte 0xf1
after_int1:
	END_GUEST
	HANDLE int1, after_int1

	HEAD real16, REAL16, INJECT_UD, VECTOR_UD
	CODE
start_real16:
	END_GUEST
handler_real16:
	mov bp, sp
	cmp word ptr [bp], offset start_real16
	jne wrong
in_handler_real16:
	vmcall
	iret

wrong:
	ud2
