/* MOV from CR8 with "CR8-store exiting" always exits; writing it, without "CR8-load exiting", does not. */
#include "guest.h"

#define PRIORITY 9

	.macro VARIANT register
	GUEST mov_from_cr8, \register
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR8_LOAD_EXITING, 0
	CONTROL CR8_STORE_EXITING
	EXPECT CR_ACCESS, read_\register
	CODE

	mov eax, PRIORITY
	mov cr8, rax
read_\register:
	mov \register, cr8
	cmp \register, PRIORITY
	jne wrong
	END_GUEST
	.endm

	.irp register, rax, rsp, rsi, r11
	VARIANT \register
	.endr

wrong:
	ud2
