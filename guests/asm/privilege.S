/*
 * In ring 3, CPUID and VMCALL exit as they do in ring 0; instructions that ring 3 may not execute raise #GP(0) instead of
 * their own exit.
 */
#include "guest.h"

#define RFLAGS_IOPL3 0x3002 /* so that ring 3 can write to the exit port itself */

	.macro HEAD variant, reason, mode=LONG64
	GUEST privilege, \variant
	MODE \mode, 3
	REASON \reason
	SECTION "Relative Priority of Faults and VM Exits"
	EXPECT \reason, \variant
	.endm

	.macro CPUID_IN variant, mode
	HEAD \variant, CPUID, \mode
	VMCS GUEST_RFLAGS, RFLAGS_IOPL3
	CODE
\variant:
	cpuid
	END_GUEST
	.endm

	CPUID_IN cpuid_long64, LONG64
	CPUID_IN cpuid_compat32, COMPAT32
	CPUID_IN cpuid_pae32, PAE32
	CPUID_IN cpuid_paged32, PAGED32

	HEAD vmcall, VMCALL
	VMCS GUEST_RFLAGS, RFLAGS_IOPL3
	CODE
vmcall:
	vmcall
	END_GUEST

	.macro HEAD_PROTECTED variant, mode=LONG64
	HEAD \variant, EXCEPTION_NMI, \mode
	EXIT_ON_EXCEPTIONS 1<<VECTOR_GP
	.endm

	HEAD_PROTECTED hlt
	CONTROL HLT_EXITING
	CODE
hlt:
	hlt

	HEAD_PROTECTED hlt_pae32, PAE32
	CONTROL HLT_EXITING
	CODE
hlt_pae32:
	hlt

	HEAD_PROTECTED invd
	CODE
invd:
	invd

	HEAD_PROTECTED mov_from_cr3
	CONTROL CR3_STORE_EXITING
	CODE
mov_from_cr3:
	mov rax, cr3

	HEAD_PROTECTED rdmsr
	CODE
rdmsr:
	rdmsr

	/* RFLAGS.IOPL is 0, and the TSS has no I/O permission bitmap. */
	HEAD_PROTECTED in
	CODE
in:
	in al, 0x80
