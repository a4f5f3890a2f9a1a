/* INVD always exits: what it throws away would be the host's as well. The exit ends the guest. */
#include "guest.h"

	GUEST invd
	MODE LONG64
	REASON INVD
	SECTION "Instructions That Cause VM Exits Unconditionally"
	EXPECT INVD, invalidate
	CODE

invalidate:
	invd
