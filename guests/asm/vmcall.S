/*
 * VMCALL always exits, at any privilege level and in any mode: what it means is the hypervisor's business.
 * Here number 0 is a mark that returns 0, and any other number returns -1000.
 */
#include "guest.h"

#define MARK 0
#define UNKNOWN 7
#define ERROR_UNKNOWN -1000

	GUEST vmcall
	MODE LONG64
	REASON VMCALL
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT VMCALL, mark
	EXPECT VMCALL, unknown
	CODE

	mov rax, MARK
mark:
	vmcall
	test rax, rax
	jnz wrong
	mov rax, UNKNOWN
unknown:
	vmcall
	cmp rax, ERROR_UNKNOWN
	jne wrong
	END_GUEST

wrong:
	ud2
