/*
 * "NMI unblocking due to IRET": an IRET that faults, or that EPT stops, has removed the blocking by virtual NMIs already,
 * and the exit says so. Without blocking before the IRET there is nothing to tell. Only virtual NMIs make the bit
 * defined for a guest whose NMIs exit.
 */
#include "guest.h"

#define BLOCKING_BY_NMI 8

	.macro HEAD variant, reason, section, blocking
	GUEST nmi_unblocking, \variant
	MODE LONG64
	REASON \reason
	SECTION "\section"
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	CONTROL VIRTUAL_NMIS
	.ifc \reason, EPT_VIOLATION
	CONTROL ENABLE_EPT
	.endif
	VMCS GUEST_INTERRUPTIBILITY_STATE, \blocking
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	EXPECT \reason, \variant
	CODE
	.endm

	.macro IRET_FROM stack, variant
	mov esp, \stack
\variant:
	iretq
	.endm

	HEAD page_fault, EXCEPTION_NMI, "Information for VM Exits Due to Vectored Events", BLOCKING_BY_NMI
	IRET_FROM GUEST_UNMAPPED, page_fault

	HEAD page_fault_unblocked, EXCEPTION_NMI, "Information for VM Exits Due to Vectored Events", 0
	IRET_FROM GUEST_UNMAPPED, page_fault_unblocked

	HEAD ept_violation, EPT_VIOLATION, "Basic VM-Exit Information", BLOCKING_BY_NMI
	IRET_FROM GUEST_HOLE, ept_violation

	HEAD ept_violation_unblocked, EPT_VIOLATION, "Basic VM-Exit Information", 0
	IRET_FROM GUEST_HOLE, ept_violation_unblocked
