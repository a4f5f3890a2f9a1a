/*
 * #GP exits with its error code: 0, or the selector that was at fault. In real-address mode exceptions have no error
 * code, and the interruption information must say so.
 */
#include "guest.h"

#define SELECTOR_OUTSIDE_GDT 0x1000

	.macro HEAD variant, mode, ring=0
	GUEST general_protection, \variant
	MODE \mode, \ring
	REASON EXCEPTION_NMI
	SECTION "Information for VM Exits Due to Vectored Events"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_GP
	EXPECT EXCEPTION_NMI, \variant
	.endm

	HEAD non_canonical, LONG64
	REGISTER RBX, 1<<63
	CODE
non_canonical:
	mov cl, byte ptr [rbx]

	HEAD selector, PAE32
	REGISTER RAX, SELECTOR_OUTSIDE_GDT
	CODE
selector:
	mov ds, eax

	/* The word's second byte is beyond the segment's limit of 64 KiB. */
	HEAD real16, REAL16
	CODE
real16:
	mov cx, word ptr [0xffff]
