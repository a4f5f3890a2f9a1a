/*
 * INT n is a software interrupt: the exception bitmap does not apply to it, even when n is the vector of an exception,
 * and its delivery pushes no error code.
 */
#include "guest.h"

	GUEST int_n
	MODE LONG64
	REASON EXCEPTION_NMI
	SECTION "Exception Bitmap"
	EXIT_ON_EXCEPTIONS 0xffffffff
	GATE VECTOR_PF, handler
	EXPECT VMCALL, in_handler
	CODE

	int VECTOR_PF
after_int:
	END_GUEST
handler:
	cmp qword ptr [rsp], offset after_int
	jne wrong
in_handler:
	vmcall
	iretq
wrong:
	ud2
