/*
 * I/O in ring 3: with IOPL 0 and no I/O permission bitmap in the TSS it raises #GP(0), which has priority
 * over the exit; with IOPL 3 it is allowed, and exits.
 */
#include "guest.h"
#include "arch/x86_64/registers.h"

	.macro HEAD variant
	GUEST io_ring3, \variant
	MODE LONG64, 3
	REASON IO_INSTRUCTION
	SECTION "Relative Priority of Faults and VM Exits"
	.endm

	HEAD refused
	GATE VECTOR_GP, refused
	EXPECT VMCALL, mark
	CODE

	in al, 0x84
	ud2
refused:
	pop rax /* the error code */
mark:
	vmcall
	END_GUEST

	HEAD allowed
	VMCS GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IOPL
	EXPECT IO_INSTRUCTION, allowed
	CODE

allowed:
	in al, 0x84
	END_GUEST
