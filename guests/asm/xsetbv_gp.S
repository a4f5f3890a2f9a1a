/*
 * XSETBV with a value that XCR0 does not take, or with the number of a register that is not there: the exit
 * comes first, then the hypervisor's #GP(0), and XCR0 stays as it was.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro VARIANT variant, number, value
	GUEST xsetbv_gp, \variant
	MODE LONG64
	REASON XSETBV
	SECTION "Instructions That Cause VM Exits Unconditionally"
	SECTION "Relative Priority of Faults and VM Exits"
	NEED XSAVE
	GATE VECTOR_GP, general_protection
	EXPECT XSETBV, \variant\()_set
	CODE

	mov rax, cr4
	or rax, CR4_OSXSAVE
	mov cr4, rax
	mov ecx, \number
	mov eax, \value
	xor edx, edx
\variant\()_set:
	xsetbv
	ud2
	.endm

	/* x87 state cannot be off, AVX needs SSE, and there is no XCR1 to write. */
	VARIANT without_x87, 0, XCR0_SSE
	VARIANT avx_without_sse, 0, XCR0_X87 | XCR0_AVX
	VARIANT xcr1, 1, XCR0_X87

general_protection:
	pop rax
	test rax, rax
	jnz wrong
	xor ecx, ecx
	xgetbv
	cmp eax, XCR0_X87
	jne wrong
	END_GUEST

wrong:
	ud2
