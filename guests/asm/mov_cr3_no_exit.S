/*
 * Without "CR3-load exiting" and "CR3-store exiting" the guest changes page tables as it likes, and no MOV
 * from or to CR3 exits. The mark after them is the first exit.
 */
#include "guest.h"

#define CR3_PWT 0x8

	GUEST mov_cr3_no_exit
	MODE LONG64
	REASON CR_ACCESS
	SECTION "Instructions That Cause VM Exits Conditionally"
	CONTROL CR3_LOAD_EXITING, 0
	CONTROL CR3_STORE_EXITING, 0
	EXPECT VMCALL, mark
	CODE

	mov rax, cr3
	or rax, CR3_PWT
	mov cr3, rax
	mov rbx, cr3
	cmp rax, rbx
	jne wrong
	xor eax, eax
mark:
	vmcall
	END_GUEST

wrong:
	ud2
