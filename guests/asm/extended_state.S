/*
 * The guest's x87, SSE and AVX registers are its own: what it puts there before an exit is there after it, although VMX
 * itself does not switch them.
 */
#include "guest.h"

#define CR4_OSFXSR_OSXMMEXCPT 0x600
#define CR4_OSXSAVE 0x40000
#define XCR0_AVX_SSE_X87 7

	.macro HEAD variant, reason=VMCALL
	GUEST extended_state, \variant
	MODE LONG64
	REASON \reason
	SECTION "Managing State Using the XSAVE Feature Set"
	.endm

	HEAD x87
	EXPECT VMCALL, exit_x87
	CODE
	fninit
	fld1
	fldpi
exit_x87:
	vmcall
	fxch
	fld1
	fcomip st, st(1)
	jne wrong
	fstp st(0)
	fldpi
	fcomip st, st(1)
	jne wrong
	END_GUEST

	HEAD sse
	EXPECT VMCALL, exit_sse
	CODE
	mov rax, cr4
	or eax, CR4_OSFXSR_OSXMMEXCPT
	mov cr4, rax
	mov rbx, 0x0123456789abcdef
	movq xmm0, rbx
	not rbx
	movq xmm15, rbx
	xor eax, eax
exit_sse:
	vmcall
	movq rcx, xmm15
	cmp rcx, rbx
	jne wrong
	not rbx
	movq rcx, xmm0
	cmp rcx, rbx
	jne wrong
	END_GUEST

	/* Nothing is left of what another guest, such as the one above, had there. */
	HEAD fresh
	EXPECT VMCALL, exit_fresh
	CODE
	mov rax, cr4
	or eax, CR4_OSFXSR_OSXMMEXCPT
	mov cr4, rax
	.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movq rcx, xmm\number
	or rbx, rcx
	.endr
	test rbx, rbx
	jnz wrong
	xor eax, eax
exit_fresh:
	vmcall
	END_GUEST

	HEAD avx, XSETBV
	NEED XSAVE
	NEED AVX
	EXPECT XSETBV, enable_avx
	EXPECT VMCALL, exit_avx
	CODE
	mov rax, cr4
	or eax, CR4_OSFXSR_OSXMMEXCPT | CR4_OSXSAVE
	mov cr4, rax
	xor ecx, ecx
	xor edx, edx
	mov eax, XCR0_AVX_SSE_X87
enable_avx:
	xsetbv
	mov rbx, 0x0123456789abcdef
	movq xmm0, rbx
	vinsertf128 ymm9, ymm9, xmm0, 1
	pxor xmm0, xmm0
	xor eax, eax
exit_avx:
	vmcall
	vextractf128 xmm1, ymm9, 1
	movq rcx, xmm1
	cmp rcx, rbx
	jne wrong
	END_GUEST

wrong:
	ud2
