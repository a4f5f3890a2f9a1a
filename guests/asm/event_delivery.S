/*
 * VM exits while an event is delivered: the IDT-vectoring information names the event that was on its way, and RIP is
 * where it was before. Here the IDT cannot be read: the guest's page tables or EPT forbid it.
 */
#include "guest.h"

#define RFLAGS_IF 0x202
#define INJECT_INTERRUPT_40 0x80000040 /* interruption information: valid, external interrupt, vector 40H */

	.macro HEAD variant, reason
	GUEST event_delivery, \variant
	MODE LONG64
	REASON \reason
	SECTION "Information for VM Exits That Occur During Event Delivery"
	EXPECT \reason, \variant
	.endm

	.macro HEAD_PAGE_FAULT variant
	HEAD \variant, EXCEPTION_NMI
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_IDT, 0x1000, 0, PTE_PRESENT
	.endm

	HEAD_PAGE_FAULT exception
	CODE
exception:
	ud2

	HEAD_PAGE_FAULT int_n
	CODE
int_n:
	int 0x40

	HEAD_PAGE_FAULT int3
	CODE
int3:
	int3

	HEAD_PAGE_FAULT injected
	VMCS GUEST_RFLAGS, RFLAGS_IF
	VMCS ENTRY_INTERRUPTION_INFORMATION, INJECT_INTERRUPT_40
	CODE
injected:
	nop

	/* There is no IDT: the delivery of #UD raises #GP. #UD is benign, so that this is no double fault. */
	HEAD second_exception, EXCEPTION_NMI
	EXIT_ON_EXCEPTIONS 1<<VECTOR_GP
	VMCS GUEST_IDTR_LIMIT, 0
	CODE
second_exception:
	ud2

	/* The hypervisor grants the access; the instruction runs again, and this time the handler gets its #UD. */
	HEAD ept_violation, EPT_VIOLATION
	EPT_ACCESS GUEST_IDT, 0x1000, 0
	GATE VECTOR_UD, handler
	CODE
ept_violation:
	ud2
handler:
	cmp qword ptr [rsp], offset ept_violation
	jne wrong
	END_GUEST
wrong:
	int3
