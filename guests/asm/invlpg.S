/*
 * INVLPG exits with "INVLPG exiting"; the qualification is the linear address of its operand, segment base
 * included. The exit ends the guest.
 */
#include "guest.h"

#define BASE 0x1000

	.macro HEAD variant
	GUEST invlpg, \variant
	MODE LONG64
	REASON INVLPG
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	CONTROL INVLPG_EXITING
	EXPECT INVLPG, \variant
	.endm

	HEAD no_base
	CODE

	mov ebx, GUEST_DATA
	mov ecx, 0x10
no_base:
	invlpg [rbx + rcx * 2 + 8]

	HEAD fs_base
	VMCS GUEST_FS_BASE, BASE
	CODE

	mov ebx, GUEST_DATA
fs_base:
	invlpg fs:[rbx]
