/*
 * CR3-target values: with "CR3-load exiting", loading one of the first CR3-target-count values does not exit.
 * The third value does not count here, though it is the very value that the guest loads last.
 */
#include "guest.h"

#define CR3_PWT 0x8
#define CR3_PCD 0x10

	GUEST mov_to_cr3_target
	MODE LONG64
	REASON CR_ACCESS
	SECTION "CR3-Target Controls"
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL ENABLE_EPT
	CONTROL CR3_LOAD_EXITING
	VMCS CR3_TARGET_COUNT, 2
	VMCS CR3_TARGET_VALUE_0, GUEST_PML4
	VMCS CR3_TARGET_VALUE_1, GUEST_PML4 | CR3_PCD
	VMCS CR3_TARGET_VALUE_2, GUEST_PML4 | CR3_PWT
	EXPECT CR_ACCESS, other
	CODE

	mov eax, GUEST_PML4
	mov cr3, rax
	mov eax, GUEST_PML4 | CR3_PCD
	mov cr3, rax
	mov eax, GUEST_PML4 | CR3_PWT
other:
	mov cr3, rax
	END_GUEST
