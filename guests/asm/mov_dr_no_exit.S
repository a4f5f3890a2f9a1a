/*
 * Without "MOV-DR exiting" the debug registers are the guest's own: the hypervisor switches DR0 to DR3 and
 * DR6, the VMCS holds DR7. A hypercall in between does not change them; it is the first exit.
 */
#include "guest.h"

#define ADDRESS 0x123450
#define DR7_LE_GE_AND_FIXED_BIT 0x700

	GUEST mov_dr_no_exit
	MODE LONG64
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL MOV_DR_EXITING, 0
	EXPECT VMCALL, mark
	CODE

	mov ebx, ADDRESS
	mov dr2, rbx
	mov ecx, DR7_LE_GE_AND_FIXED_BIT
	mov dr7, rcx
mark:
	vmcall
	mov rax, dr2
	cmp rax, rbx
	jne wrong
	mov rax, dr7
	cmp rax, rcx
	jne wrong
	END_GUEST

wrong:
	ud2
