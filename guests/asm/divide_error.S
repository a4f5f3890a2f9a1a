/* #DE, a fault without an error code. */
#include "guest.h"

	GUEST divide_error
	MODE PAGED32
	REASON EXCEPTION_NMI
	SECTION "Other Causes of VM Exits"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_DE
	EXPECT EXCEPTION_NMI, divide_by_zero
	CODE

divide_by_zero:
	div ecx
