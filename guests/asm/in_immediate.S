/*
 * IN exits when the I/O bitmaps say so for its port, which it has as an immediate operand. The qualification
 * tells that, port and size. From the empty bus come all ones, in as much of RAX as the size writes: 32 bits
 * clear the upper half.
 */
#include "guest.h"

#define PORT 0x84
#define BEFORE 0x1122334455667788

	.macro VARIANT register, after
	GUEST in_immediate, \register
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Basic VM-Exit Information"
	REGISTER RAX, BEFORE
	EXPECT IO_INSTRUCTION, in_\register
	CODE

in_\register:
	in \register, PORT
	mov rbx, \after
	cmp rax, rbx
	jne wrong
	END_GUEST
	.endm

	VARIANT al, 0x11223344556677ff
	VARIANT ax, 0x112233445566ffff
	VARIANT eax, 0xffffffff

wrong:
	ud2
