/*
 * XSETBV always exits. The hypervisor gives the guest an XCR0 of its own, which XGETBV then shows, and which
 * is switched around each entry: it outlives a second exit.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST xsetbv
	MODE LONG64
	REASON XSETBV
	SECTION "Instructions That Cause VM Exits Unconditionally"
	NEED XSAVE
	EXPECT XSETBV, set
	EXPECT VMCALL, mark
	CODE

	mov rax, cr4
	or rax, CR4_OSXSAVE
	mov cr4, rax
	xor ecx, ecx
	mov eax, XCR0_X87 | XCR0_SSE
	xor edx, edx
set:
	xsetbv
	xor eax, eax
mark:
	vmcall
	xgetbv
	cmp eax, XCR0_X87 | XCR0_SSE
	jne wrong
	END_GUEST

wrong:
	ud2
