/*
 * With no IDT, #UD leads to #GP, #DF, and a triple fault, which exits always. It is not a VM exit during event delivery:
 * there is no IDT-vectoring information.
 */
#include "guest.h"

	.macro UNDELIVERABLE_IN variant, mode, ring=0
	GUEST triple_fault, \variant
	MODE \mode, \ring
	REASON TRIPLE_FAULT
	SECTION "Information for VM Exits That Occur During Event Delivery"
	VMCS GUEST_IDTR_LIMIT, 0
	EXPECT TRIPLE_FAULT, \variant
	CODE
\variant:
	ud2
	.endm

	UNDELIVERABLE_IN real16, REAL16
	UNDELIVERABLE_IN pae32, PAE32
	UNDELIVERABLE_IN long64, LONG64
	UNDELIVERABLE_IN long64_ring3, LONG64, 3
