/*
 * VMLAUNCH with a host state that the SDM forbids: VMfailValid with VM-instruction error 8, and nothing is entered. Each
 * guest breaks one rule.
 */
#include "guest.h"

	.macro BREAK variant, section, field, value, control
	GUEST entry_bad_host_state, \variant
	MODE LONG64
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION "\section"
	.ifnb \control
	CONTROL \control
	.endif
	VMCS \field, \value
	EXPECT_VMFAIL ENTRY_BAD_HOST_STATE
	CODE
	END_GUEST
	.endm

#define REGISTERS "Checks on Host Control Registers, MSRs, and SSP"
#define SEGMENTS "Checks on Host Segment and Descriptor-Table Registers"
#define ADDRESS_SPACE "Checks Related to Address-Space Size"

/* Canonical on no processor: bits 63 and 62 differ. */
#define NON_CANONICAL 1<<63
#define CR0_PG_ET_PE 0x80000011
#define CR4_PAE 0x20
#define CR4_VMXE 0x2000
/* Each byte of IA32_PAT is a memory type; 2 is none. */
#define PAT_WITH_TYPE_2 0x0007040600070402

	BREAK cr0_without_ne, REGISTERS, HOST_CR0, CR0_PG_ET_PE
	BREAK cr3_reserved, REGISTERS, HOST_CR3, 1<<55
	BREAK cr4_without_vmxe, REGISTERS, HOST_CR4, CR4_PAE
	BREAK pat_type, REGISTERS, HOST_PAT, PAT_WITH_TYPE_2, EXIT_LOAD_PAT
	BREAK efer_without_lma, REGISTERS, HOST_EFER, 0, EXIT_LOAD_EFER
	BREAK sysenter_eip, REGISTERS, HOST_SYSENTER_EIP, NON_CANONICAL
	BREAK tr_null, SEGMENTS, HOST_TR_SELECTOR, 0
	BREAK cs_null, SEGMENTS, HOST_CS_SELECTOR, 0
	BREAK cs_rpl, SEGMENTS, HOST_CS_SELECTOR, GUEST_CS64 | 3
	BREAK ds_ldt, SEGMENTS, HOST_DS_SELECTOR, GUEST_DS | 4
	BREAK gs_base, SEGMENTS, HOST_GS_BASE, NON_CANONICAL
	BREAK idtr_base, SEGMENTS, HOST_IDTR_BASE, NON_CANONICAL
	BREAK cr4_without_pae, ADDRESS_SPACE, HOST_CR4, CR4_VMXE
	BREAK rip_not_canonical, ADDRESS_SPACE, HOST_RIP, NON_CANONICAL
