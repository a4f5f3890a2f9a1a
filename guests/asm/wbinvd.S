/* WBINVD exits with "WBINVD exiting". Caches are not this hypervisor's business: the exit ends the guest. */
#include "guest.h"

	GUEST wbinvd
	MODE LONG64
	REASON WBINVD
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL WBINVD_EXITING
	EXPECT WBINVD, write_back
	CODE

write_back:
	wbinvd
