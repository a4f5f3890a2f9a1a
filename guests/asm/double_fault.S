/*
 * With no IDT, #UD leads to #GP, and that one to #DF. A #DF that exits by the bitmap is not a VM exit during event
 * delivery: there is no IDT-vectoring information.
 */
#include "guest.h"

	GUEST double_fault
	MODE LONG64
	REASON EXCEPTION_NMI
	SECTION "Information for VM Exits That Occur During Event Delivery"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_DF
	VMCS GUEST_IDTR_LIMIT, 0
	EXPECT EXCEPTION_NMI, undeliverable
	CODE

undeliverable:
	ud2
