/*
 * INS exits with the linear address that it would write to, and, where the processor gives it, the address
 * size. The hypervisor writes the empty bus's ones and moves RDI on.
 */
#include "guest.h"

#define PORT 0x84

	.macro VARIANT variant, instruction, bytes
	GUEST ins, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	NEED STRING_IO_INFORMATION
	EXPECT IO_INSTRUCTION, \variant\()_in
	CODE

	mov edi, GUEST_DATA
	mov dx, PORT
\variant\()_in:
	\instruction
	cmp edi, GUEST_DATA + \bytes
	jne wrong
	mov rax, [GUEST_DATA]
	mov rbx, (1 << (8 * \bytes)) - 1
	cmp rax, rbx
	jne wrong
	END_GUEST
	.endm

	VARIANT byte, insb, 1
	VARIANT word, insw, 2
	VARIANT dword, insd, 4

wrong:
	ud2
