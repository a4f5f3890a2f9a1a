/*
 * Takes the whole machine down: after the VM exit there is neither code nor an interrupt descriptor table, which is a
 * triple fault of the host. The harness must notice, call this guest an ERROR, and go on in a new boot. No part of the
 * catalogue.
 */
#include "guest.h"

	GUEST crash_machine
	MODE LONG64
	REASON CPUID
	SECTION "Host-State Area"
	VMCS HOST_RIP, 0
	VMCS HOST_IDTR_BASE, 0
	EXPECT CPUID, instruction
	CODE

instruction:
	cpuid
	END_GUEST
