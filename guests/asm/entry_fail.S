/*
 * VM entry with a guest state that the SDM forbids: the entry fails as an exit with reason 33 and the entry-failure bit,
 * and no instruction of the guest runs. Each guest breaks one rule.
 */
#include "guest.h"

	.macro BREAK variant, mode, section, field, value, control, field2, value2
	GUEST entry_fail, \variant
	MODE \mode
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION "\section"
	.ifnb \control
	CONTROL \control
	.endif
	VMCS \field, \value
	.ifnb \field2
	VMCS \field2, \value2
	.endif
	EXPECT ENTRY_FAIL_GUEST_STATE, \variant
	CODE
\variant:
	END_GUEST
	.endm

#define REGISTERS "Checks on Guest Control Registers, Debug Registers, and MSRs"
#define SEGMENTS "Checks on Guest Segment Registers"
#define TABLES "Checks on Guest Descriptor-Table Registers"
#define RIP_RFLAGS "Checks on Guest RIP, RFLAGS, and SSP"
#define NON_REGISTER "Checks on Guest Non-Register State"

/* Canonical on no processor: bits 63 and 62 differ. */
#define NON_CANONICAL 1<<63

#define CR0_NE_ET 0x30
#define CR0_PG 0x80000000
#define CR4_VMXE 0x2000
#define EFER_LME 0x100
#define RFLAGS_FIXED 0x2
#define RFLAGS_IF 0x200
#define RFLAGS_VM 0x20000
/* Access rights: type and S, DPL, present, then L (bit 13), D/B (bit 14), G (bit 15), unusable (bit 16). */
#define CODE_64 0xa09b
#define CODE_64_TYPE 0xb
#define CODE_EXECUTE_ONLY_NOT_ACCESSED 0x8
#define CODE_64_D 0xe09b
#define BUSY_TSS 0x8b
#define AVAILABLE_TSS 0x89
#define UNUSABLE 0x10000
/* Interruptibility state */
#define BY_STI 1
#define BY_MOV_SS 2
#define RESERVED_BIT_5 0x20
/* Activity state */
#define HLT 1
#define UNDEFINED_STATE 4
/* Interruption information: valid, then type and vector */
#define INJECT_INTERRUPT_40 0x80000040
#define INJECT_NMI 0x80000202
/* Each byte of IA32_PAT is a memory type; 2 is none. */
#define PAT_WITH_TYPE_2 0x0007040600070402

	/* Control registers, debug registers, MSRs */
	BREAK cr0_pg_without_pe, LONG64, REGISTERS, GUEST_CR0, CR0_PG | CR0_NE_ET
	BREAK cr3_reserved, LONG64, REGISTERS, GUEST_CR3, 1<<55 | GUEST_PML4
	BREAK cr4_without_pae, LONG64, REGISTERS, GUEST_CR4, CR4_VMXE
	BREAK cr4_without_vmxe, PAE32, REGISTERS, GUEST_CR4, 0x20
	BREAK debugctl_reserved, LONG64, REGISTERS, GUEST_DEBUGCTL, 1<<63
	BREAK dr7_upper_half, LONG64, REGISTERS, GUEST_DR7, 0x100000400
	BREAK efer_without_lma, LONG64, REGISTERS, GUEST_EFER, EFER_LME, ENTRY_LOAD_EFER
	BREAK efer_reserved, LONG64, REGISTERS, GUEST_EFER, 0x502, ENTRY_LOAD_EFER
	BREAK pat_type, LONG64, REGISTERS, GUEST_PAT, PAT_WITH_TYPE_2, ENTRY_LOAD_PAT
	BREAK sysenter_esp, LONG64, REGISTERS, GUEST_SYSENTER_ESP, NON_CANONICAL

	/* Segment registers */
	BREAK cs_type, LONG64, SEGMENTS, GUEST_CS_ACCESS_RIGHTS, CODE_64 & ~CODE_64_TYPE | CODE_EXECUTE_ONLY_NOT_ACCESSED
	BREAK cs_l_and_d, LONG64, SEGMENTS, GUEST_CS_ACCESS_RIGHTS, CODE_64_D
	BREAK cs_unusable, LONG64, SEGMENTS, GUEST_CS_ACCESS_RIGHTS, UNUSABLE
	BREAK ss_rpl, LONG64, SEGMENTS, GUEST_SS_SELECTOR, GUEST_DS | 3
	BREAK ds_not_present, PAE32, SEGMENTS, GUEST_DS_ACCESS_RIGHTS, 0xc013
	BREAK es_granularity, PAE32, SEGMENTS, GUEST_ES_LIMIT, 0xfffff000
	BREAK fs_base, LONG64, SEGMENTS, GUEST_FS_BASE, NON_CANONICAL
	BREAK tr_unusable, LONG64, SEGMENTS, GUEST_TR_ACCESS_RIGHTS, UNUSABLE | BUSY_TSS
	BREAK tr_type, LONG64, SEGMENTS, GUEST_TR_ACCESS_RIGHTS, AVAILABLE_TSS
	BREAK tr_selector, LONG64, SEGMENTS, GUEST_TR_SELECTOR, GUEST_TR | 4

	/* Descriptor-table registers */
	BREAK gdtr_base, LONG64, TABLES, GUEST_GDTR_BASE, NON_CANONICAL
	BREAK idtr_limit, LONG64, TABLES, GUEST_IDTR_LIMIT, 0x10000

	/* RIP and RFLAGS. RIP's own violations have no label to be at: theirs are below. */
	BREAK rflags_bit_1, LONG64, RIP_RFLAGS, GUEST_RFLAGS, 0
	BREAK rflags_bit_15, LONG64, RIP_RFLAGS, GUEST_RFLAGS, 1<<15 | RFLAGS_FIXED
	BREAK rflags_vm, LONG64, RIP_RFLAGS, GUEST_RFLAGS, RFLAGS_VM | RFLAGS_FIXED
	BREAK injected_without_if, LONG64, RIP_RFLAGS, ENTRY_INTERRUPTION_INFORMATION, INJECT_INTERRUPT_40

	/* Non-register state */
	BREAK activity_state, LONG64, NON_REGISTER, GUEST_ACTIVITY_STATE, UNDEFINED_STATE
	BREAK hlt_blocked_by_mov_ss, LONG64, NON_REGISTER, GUEST_ACTIVITY_STATE, HLT, , GUEST_INTERRUPTIBILITY_STATE, BY_MOV_SS
	BREAK interruptibility_reserved, LONG64, NON_REGISTER, GUEST_INTERRUPTIBILITY_STATE, RESERVED_BIT_5
	BREAK sti_without_if, LONG64, NON_REGISTER, GUEST_INTERRUPTIBILITY_STATE, BY_STI
	BREAK sti_and_mov_ss, LONG64, NON_REGISTER, GUEST_INTERRUPTIBILITY_STATE, BY_STI | BY_MOV_SS, , GUEST_RFLAGS, RFLAGS_IF | RFLAGS_FIXED
	BREAK nmi_blocked_by_mov_ss, LONG64, NON_REGISTER, ENTRY_INTERRUPTION_INFORMATION, INJECT_NMI, , GUEST_INTERRUPTIBILITY_STATE, BY_MOV_SS
	BREAK pending_debug_reserved, LONG64, NON_REGISTER, GUEST_PENDING_DEBUG_EXCEPTIONS, 1<<5
	/* The link pointer must be all ones, or the address of a VMCS: aligned, and with a revision identifier. */
	BREAK link_pointer_unaligned, LONG64, NON_REGISTER, VMCS_LINK_POINTER, 1
	BREAK link_pointer_too_high, LONG64, NON_REGISTER, VMCS_LINK_POINTER, 1<<63

	/* Page-directory pointers: with EPT and PAE paging they are VMCS fields, in which bits 2:1 must be 0. */
	BREAK pdpte, PAE32, "Checks on Guest Page-Directory-Pointer-Table Entries", GUEST_PDPTE0, GUEST_PD | 3, ENABLE_EPT

	.macro BREAK_RIP variant, mode, rip
	GUEST entry_fail, \variant
	MODE \mode
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION RIP_RFLAGS
	VMCS GUEST_RIP, \rip
	EXPECT ENTRY_FAIL_GUEST_STATE, \rip
	CODE
	END_GUEST
	.endm

	BREAK_RIP rip_not_canonical, LONG64, NON_CANONICAL
	BREAK_RIP rip_upper_half, COMPAT32, 0x100008000
