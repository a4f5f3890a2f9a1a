/*
 * RDPMC exits with "RDPMC exiting", before the number of the counter is looked at. The exit ends the guest.
 */
#include "guest.h"

	GUEST rdpmc
	MODE LONG64
	REASON RDPMC
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL RDPMC_EXITING
	EXPECT RDPMC, read
	CODE

	xor ecx, ecx
read:
	rdpmc
