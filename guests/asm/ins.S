/*
 * INS exits with the linear address that it would write to, and, where the processor gives it, the address
 * size. The hypervisor writes the empty bus's ones and moves RDI on.
 */
#include "guest.h"

#define PORT 0x84
#define DATA_ENTRY (GUEST_PT + 8 * (GUEST_DATA >> 12)) /* that maps GUEST_DATA */
#define ACCESSED 0x20
#define DIRTY 0x40

	.macro VARIANT variant, instruction, bytes
	GUEST ins, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
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

	/* The write sets the accessed and dirty flags of the page, as the instruction itself would have. */
	GUEST ins, page_flags
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Accessed and Dirty Flags"
	EXPECT IO_INSTRUCTION, page_flags
	CODE

	mov edi, GUEST_DATA
	mov dx, PORT
	test byte ptr [DATA_ENTRY], ACCESSED | DIRTY
	jnz wrong
page_flags:
	insb
	mov al, [DATA_ENTRY]
	not al
	test al, ACCESSED | DIRTY
	jnz wrong
	END_GUEST

wrong:
	ud2
