/*
 * RDTSCP with "enable RDTSCP" and "RDTSC exiting" exits with a reason of its own; the answer holds
 * IA32_TSC_AUX in ECX, as the guest wrote it.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

#define SIGNATURE 0x1234567

	GUEST rdtscp
	MODE LONG64
	REASON RDTSCP
	SECTION "Instructions That Cause VM Exits Conditionally"
	NEED RDTSCP
	CONTROL ENABLE_RDTSCP
	CONTROL RDTSC_EXITING
	EXPECT WRMSR, write_aux
	EXPECT RDTSCP, read
	CODE

	mov ecx, IA32_TSC_AUX
	mov eax, SIGNATURE
	xor edx, edx
write_aux:
	wrmsr
read:
	rdtscp
	cmp ecx, SIGNATURE
	jne wrong
	/* The records must not depend on when the guest runs. */
	xor eax, eax
	xor edx, edx
	END_GUEST

wrong:
	ud2
