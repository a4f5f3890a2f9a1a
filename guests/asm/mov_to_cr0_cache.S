/*
 * CD and NW of CR0: VM entry does not load them, so that the hypervisor owns them and keeps them in the read
 * shadow. A change of them exits, and later exits leave them as the guest wrote them.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	GUEST mov_to_cr0_cache
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Loading Guest Control Registers, Debug Registers, and MSRs"
	EXPECT CR_ACCESS, set_both
	EXPECT CPUID, between
	EXPECT CR_ACCESS, clear_nw
	CODE

	mov rsi, cr0
	test esi, CR0_CD | CR0_NW
	jnz wrong
	or esi, CR0_CD | CR0_NW
set_both:
	mov cr0, rsi
	xor eax, eax
between:
	cpuid
	mov rdi, cr0
	cmp rdi, rsi
	jne wrong
	and esi, ~CR0_NW
clear_nw:
	mov cr0, rsi
	mov rdi, cr0
	cmp rdi, rsi
	jne wrong
	END_GUEST

wrong:
	ud2
