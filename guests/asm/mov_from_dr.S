/*
 * MOV from a debug register with "MOV-DR exiting" exits, whichever register receives the value: here each
 * holds what it does after reset.
 */
#include "guest.h"

#define DR6_RESET 0xffff0ff0
#define DR7_RESET 0x400

	.macro VARIANT number, register, value
	GUEST mov_from_dr, dr\number
	MODE LONG64
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL MOV_DR_EXITING
	EXPECT DR_ACCESS, read_dr\number
	CODE

	mov esi, \value
	mov \register, -1
read_dr\number:
	mov \register, dr\number
	cmp \register, rsi
	jne wrong
	END_GUEST
	.endm

	VARIANT 0, rax, 0
	VARIANT 1, rdx, 0
	VARIANT 2, rsp, 0
	VARIANT 3, r9, 0
	VARIANT 6, r14, DR6_RESET
	VARIANT 7, rbp, DR7_RESET

wrong:
	ud2
