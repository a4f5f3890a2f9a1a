/*
 * MOV to a debug register with "MOV-DR exiting" exits; the qualification names both registers, the debug
 * register as the instruction does, also for DR4 and DR5, which are DR6 and DR7 while CR4.DE is clear.
 * Reading the value back exits too.
 */
#include "guest.h"

#define ADDRESS 0x123450
#define DR6_B0_AND_FIXED_BITS 0xffff0ff1
#define DR7_LE_GE_AND_FIXED_BIT 0x700

	.macro VARIANT number, register, value
	GUEST mov_to_dr, dr\number
	MODE LONG64
	REASON DR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL MOV_DR_EXITING
	EXPECT DR_ACCESS, dr\number\()_write
	EXPECT DR_ACCESS, dr\number\()_read
	CODE

	mov esi, \value
	mov \register, rsi
dr\number\()_write:
	mov dr\number, \register
dr\number\()_read:
	mov rdx, dr\number
	cmp rdx, rsi
	jne wrong
	END_GUEST
	.endm

	VARIANT 0, rax, ADDRESS
	VARIANT 1, rcx, ADDRESS
	VARIANT 2, rsp, ADDRESS
	VARIANT 3, rbp, ADDRESS
	VARIANT 4, r8, DR6_B0_AND_FIXED_BITS
	VARIANT 5, r15, DR7_LE_GE_AND_FIXED_BIT
	VARIANT 6, rbx, DR6_B0_AND_FIXED_BITS
	VARIANT 7, rdi, DR7_LE_GE_AND_FIXED_BIT

wrong:
	ud2
