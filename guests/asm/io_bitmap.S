/*
 * The I/O bitmaps, a bit a port: an access exits if the bit of any of the ports that it touches is set.
 * Bitmap A ends at 7FFFH and B begins at 8000H; an access that wraps around from FFFFH to 0 always exits.
 */
#include "guest.h"

	.macro HEAD variant
	GUEST io_bitmap, \variant
	MODE LONG64
	REASON IO_INSTRUCTION
	SECTION "I/O-Bitmap Addresses"
	SECTION "Instructions That Cause VM Exits Conditionally"
	.endm

	/* The mark after it is the first exit. */
	HEAD passed
	PASS_PORTS 0x80
	EXPECT VMCALL, passed_mark
	CODE

	out 0x80, al
passed_mark:
	vmcall
	END_GUEST

	HEAD neighbours
	PASS_PORTS 0x80
	EXPECT IO_INSTRUCTION, below
	EXPECT IO_INSTRUCTION, above
	CODE

below:
	out 0x7f, al
above:
	out 0x81, al
	END_GUEST

	HEAD word
	PASS_PORTS 0x80
	EXPECT IO_INSTRUCTION, word_upper_port
	EXPECT IO_INSTRUCTION, word_lower_port
	CODE

word_upper_port:
	out 0x80, ax
word_lower_port:
	out 0x7f, ax
	END_GUEST

	HEAD dword
	PASS_PORTS 0x80, 0x82
	EXPECT IO_INSTRUCTION, dword_last_port
	CODE

dword_last_port:
	out 0x80, eax
	END_GUEST

	HEAD end_of_a
	PASS_PORTS 0x7fff
	EXPECT IO_INSTRUCTION, end_of_a
	CODE

	mov dx, 0x7fff
	in al, dx
	mov dx, 0x8000
end_of_a:
	in al, dx
	END_GUEST

	HEAD begin_of_b
	PASS_PORTS 0x8000
	EXPECT IO_INSTRUCTION, begin_of_b
	CODE

	mov dx, 0x8000
	in al, dx
	mov dx, 0x7fff
begin_of_b:
	in al, dx
	END_GUEST

	/* One port in each bitmap, and only A's passes. */
	HEAD across
	PASS_PORTS 0x7fff
	EXPECT IO_INSTRUCTION, across
	CODE

	mov dx, 0x7fff
across:
	in ax, dx
	END_GUEST

	HEAD wrap
	PASS_PORTS 0
	PASS_PORTS 0xffff
	EXPECT IO_INSTRUCTION, wrap
	CODE

	mov dx, 0xffff
wrap:
	in ax, dx
	END_GUEST
