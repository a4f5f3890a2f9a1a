/*
 * Crashes the kernel on purpose: the VM exit goes to address 0, where nothing is mapped. The kernel must send a panic
 * record, and the harness must call this guest an ERROR and go on after it. No part of the catalogue.
 */
#include "guest.h"

	GUEST crash_kernel
	MODE LONG64
	REASON CPUID
	SECTION "Host-State Area"
	VMCS HOST_RIP, 0
	EXPECT CPUID, instruction
	CODE

instruction:
	cpuid
	END_GUEST
