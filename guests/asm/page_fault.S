/*
 * #PF, with its error code (bit 0: the page is present, 1: a write, 2: from ring 3, 3: a reserved bit, 4: a fetch), the
 * linear address as exit qualification, and RIP at the instruction. The bits of the error code that the page-fault
 * error-code mask selects decide, together with the exception bitmap, which page faults exit at all.
 */
#include "guest.h"

#define CR0_PG_WP_NE_ET_PE 0x80010031
#define EFER_NXE_LMA_LME 0xd00
#define PFEC_WRITE 2

	.macro HEAD variant, mode, ring=0, section="Basic VM-Exit Information"
	GUEST page_fault, \variant
	MODE \mode, \ring
	REASON EXCEPTION_NMI
	SECTION "\section"
	EXPECT EXCEPTION_NMI, \variant
	.endm

	HEAD read, LONG64
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	CODE
read:
	mov cl, byte ptr [GUEST_UNMAPPED]

	HEAD write, LONG64
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	CODE
write:
	mov byte ptr [GUEST_UNMAPPED], cl

	HEAD write_paged32, PAGED32
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	CODE
write_paged32:
	mov byte ptr [GUEST_UNMAPPED], cl

	HEAD not_present, PAE32
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_DATA, 0x1000, 0, PTE_PRESENT
	CODE
not_present:
	mov cl, byte ptr [GUEST_DATA + 0x123]

	/* With CR0.WP = 1, as here, ring 0 cannot write to a read-only page; reading it does not fault. */
	HEAD read_only, LONG64
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	VMCS GUEST_CR0, CR0_PG_WP_NE_ET_PE
	PAGE GUEST_DATA, 0x1000, 0, PTE_WRITABLE
	CODE
	mov cl, byte ptr [GUEST_DATA]
read_only:
	mov byte ptr [GUEST_DATA], cl

	HEAD read_only_ring3, PAGED32, 3
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_DATA, 0x1000, 0, PTE_WRITABLE
	CODE
read_only_ring3:
	mov byte ptr [GUEST_DATA], cl

	HEAD supervisor_page, LONG64, 3
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_DATA, 0x1000, 0, PTE_USER
	CODE
supervisor_page:
	mov cl, byte ptr [GUEST_DATA]

	HEAD supervisor_page_pae32, PAE32, 3
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_DATA, 0x1000, 0, PTE_USER
	CODE
supervisor_page_pae32:
	mov cl, byte ptr [GUEST_DATA]

	/* In an entry of PAE paging, bit 52 is reserved whatever the processor's physical-address width. */
	HEAD reserved_bit, PAE32
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	PAGE GUEST_DATA, 0x1000, 1<<52
	CODE
reserved_bit:
	mov cl, byte ptr [GUEST_DATA]

	/* The fault is found while the instruction is fetched: RIP holds its address, in the page that it must not run in. */
	HEAD execute_disable, LONG64
	NEED NX
	CONTROL ENTRY_LOAD_EFER
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	VMCS GUEST_EFER, EFER_NXE_LMA_LME
	PAGE execute_disable, 1, PTE_EXECUTE_DISABLE
	CODE
	mov rax, offset execute_disable
	jmp rax

	/* With the bitmap's bit set, those page faults exit whose selected bits are as in the match field. */
	HEAD matching, LONG64, 0, "Exception Bitmap"
	EXIT_ON_EXCEPTIONS 1<<VECTOR_PF
	VMCS PAGE_FAULT_ERROR_CODE_MASK, PFEC_WRITE
	VMCS PAGE_FAULT_ERROR_CODE_MATCH, PFEC_WRITE
	GATE VECTOR_PF, matching_handler
	CODE
	mov cl, byte ptr [GUEST_UNMAPPED]
	ud2
matching_handler:
	test qword ptr [rsp], -1 /* the error code: not present, a read, ring 0 */
	jnz wrong
	mov rax, cr2
	cmp rax, GUEST_UNMAPPED
	jne wrong
matching:
	mov byte ptr [GUEST_UNMAPPED], cl

	/* With the bit clear, it is the other way round. */
	HEAD not_matching, LONG64, 0, "Exception Bitmap"
	VMCS PAGE_FAULT_ERROR_CODE_MASK, PFEC_WRITE
	VMCS PAGE_FAULT_ERROR_CODE_MATCH, PFEC_WRITE
	GATE VECTOR_PF, not_matching_handler
	CODE
	mov byte ptr [GUEST_UNMAPPED + 8], cl
	ud2
not_matching_handler:
	cmp qword ptr [rsp], PFEC_WRITE
	jne wrong
not_matching:
	mov cl, byte ptr [GUEST_UNMAPPED]

wrong:
	ud2

	.data
execute_disable:
	nop
	.text
