/* MOV from DR7 exits in every mode; outside 64-bit mode the register operand has 32 bits. */
#include "guest.h"

#define DR7_RESET 0x400

	.macro VARIANT variant, mode
	GUEST mov_dr_modes, \variant
	MODE \mode
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL MOV_DR_EXITING
	EXPECT DR_ACCESS, \variant\()_read
	CODE

\variant\()_read:
	mov ebx, dr7
	cmp ebx, DR7_RESET
	jne \variant\()_wrong
	END_GUEST
\variant\()_wrong:
	hlt
	.endm

	VARIANT real16, REAL16
	VARIANT prot32, PROT32
	VARIANT compat32, COMPAT32
