/*
 * The address size of INS is that of the code, or the other one with a prefix: the instruction information
 * says which. Only so much of RDI counts, and the rest of it survives, but for 32 bits in 64-bit mode, which
 * clear the upper half.
 */
#include "guest.h"

#define PORT 0x84
#define LOW_PAGE 0x7000 /* 16 bits reach it; no mode uses it */

	.macro HEAD variant, mode
	GUEST ins_address_size, \variant
	MODE \mode
	REASON IO_INSTRUCTION
	SECTION "Information for VM Exits Due to Instruction Execution"
	EXPECT IO_INSTRUCTION, \variant
	.endm

	HEAD long64_prefix, LONG64
	CODE

	mov rdi, 0xffffffff00000000 | GUEST_DATA
	mov dx, PORT
long64_prefix:
	addr32 insb
	cmp rdi, GUEST_DATA + 1
	jne long64_wrong
	END_GUEST
long64_wrong:
	hlt

	HEAD prot32, PROT32
	CODE

	mov edi, GUEST_DATA
	mov dx, PORT
prot32:
	insb
	cmp edi, GUEST_DATA + 1
	jne prot32_wrong
	END_GUEST
prot32_wrong:
	hlt

	HEAD prot32_prefix, PROT32
	CODE

	mov edi, 0x12340000 | LOW_PAGE
	mov dx, PORT
prot32_prefix:
	addr16 insb
	cmp edi, 0x12340000 + LOW_PAGE + 1
	jne prot32_prefix_wrong
	END_GUEST
prot32_prefix_wrong:
	hlt

	/* Linear addresses of real mode: ES's base is sixteen times its value. */
	HEAD real16, REAL16
	CODE

	mov ax, GUEST_DATA >> 4
	mov es, ax
	mov edi, 0x12340010
	mov dx, PORT
real16:
	insb
	cmp edi, 0x12340011
	jne real16_wrong
	END_GUEST
real16_wrong:
	hlt

	HEAD real16_prefix, REAL16
	CODE

	mov ax, GUEST_DATA >> 4
	mov es, ax
	mov edi, 0x10
	mov dx, PORT
real16_prefix:
	addr32 insb
	cmp edi, 0x11
	jne real16_prefix_wrong
	END_GUEST
real16_prefix_wrong:
	hlt
