/*
 * VMCALL in VMX non-root operation exits before it looks at the mode or the privilege level: also in real and
 * compatibility mode, where outside VMX it would be an invalid opcode, and in ring 3.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro VARIANT variant, mode, ring=0
	GUEST vmcall_modes, \variant
	MODE \mode, \ring
	REASON VMCALL
	SECTION "Instructions That Cause VM Exits Unconditionally"
	.if \ring == 3
	VMCS GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IOPL /* it may write to the exit port */
	.endif
	EXPECT VMCALL, \variant\()_call
	CODE

\variant\()_call:
	vmcall
	END_GUEST
	.endm

	VARIANT real16, REAL16
	VARIANT prot32, PROT32
	VARIANT compat32, COMPAT32
	VARIANT ring3, LONG64, 3
