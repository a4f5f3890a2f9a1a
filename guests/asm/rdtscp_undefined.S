/*
 * RDTSCP without "enable RDTSCP" is an invalid opcode, whatever "RDTSC exiting" says: the exception comes
 * instead of the exit, and goes to the guest's own handler.
 */
#include "guest.h"

	GUEST rdtscp_undefined
	MODE LONG64
	REASON RDTSCP
	SECTION "Changes to Instruction Behavior in VMX Non-Root Operation"
	CONTROL ENABLE_RDTSCP, 0
	CONTROL RDTSC_EXITING
	GATE VECTOR_UD, undefined
	EXPECT VMCALL, undefined
	CODE

	rdtscp
	hlt

undefined:
	vmcall
	END_GUEST
