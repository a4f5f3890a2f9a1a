/*
 * REP INS exits before its first element, with the whole count in RCX; the hypervisor does all elements in
 * one exit. With the direction flag set they go downwards.
 */
#include "guest.h"

#define PORT 0x84
#define COUNT 3

	.macro VARIANT variant, instruction, bytes, direction=cld, step=1
	GUEST rep_ins, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Basic VM-Exit Information"
	SECTION "Information for VM Exits Due to Instruction Execution"
	EXPECT IO_INSTRUCTION, \variant\()_in
	CODE

	mov edi, GUEST_DATA + 16
	mov ecx, COUNT
	mov dx, PORT
	\direction
\variant\()_in:
	rep \instruction
	test rcx, rcx
	jnz wrong
	cmp edi, GUEST_DATA + 16 + \step * COUNT * \bytes
	jne wrong
	/* The last element is there, and what lies after it is as it was. */
	cmp byte ptr [rdi - \step * \bytes], 0xff
	jne wrong
	cmp byte ptr [rdi], 0
	jne wrong
	END_GUEST
	.endm

	VARIANT byte, insb, 1
	VARIANT word, insw, 2
	VARIANT dword, insd, 4
	VARIANT downwards, insw, 2, std, -1

wrong:
	ud2
