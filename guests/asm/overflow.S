/* INTO with OF = 1 exits as a software exception, with its length; with OF = 0 it does nothing. */
#include "guest.h"

	GUEST overflow
	MODE PROT32
	REASON EXCEPTION_NMI
	SECTION "Information for VM Exits Due to Vectored Events"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_OF
	EXPECT EXCEPTION_NMI, overflowed
	CODE

	into
	mov al, 0x7f
	inc al
overflowed:
	into
