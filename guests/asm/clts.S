/* CLTS exits when TS is the host's and set in the read shadow: the guest would see it change. */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST clts
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS CR0_GUEST_HOST_MASK, CR0_PE | CR0_TS | CR0_NE | CR0_PG
	VMCS CR0_READ_SHADOW, CR0_PE | CR0_TS | CR0_ET | CR0_NE | CR0_PG
	EXPECT CR_ACCESS, clear
	CODE

clear:
	clts
	mov rax, cr0
	test eax, CR0_TS
	jnz wrong
	END_GUEST

wrong:
	ud2
