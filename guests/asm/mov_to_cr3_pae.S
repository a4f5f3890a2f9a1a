/*
 * MOV to CR3 under PAE paging loads the four PDPTEs. When it exits, the hypervisor loads them into their VMCS
 * fields: the guest goes over to a copy of its table, in which the second GiB is mapped like the first, and
 * reads through that.
 */
#include "guest.h"

#define COPY GUEST_DATA
#define WITNESS 0x600df00d

	GUEST mov_to_cr3_pae
	MODE PAE32
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "PDPTE Registers"
	CONTROL ENABLE_EPT
	CONTROL CR3_LOAD_EXITING
	EXPECT CR_ACCESS, load
	CODE

	mov eax, [GUEST_PDPT]
	mov [COPY], eax
	mov [COPY + 8], eax
	mov dword ptr [COPY + 0x800], WITNESS
	mov eax, COPY
load:
	mov cr3, eax
	cmp dword ptr [0x40000000 + COPY + 0x800], WITNESS
	jne wrong
	END_GUEST

wrong:
	ud2
