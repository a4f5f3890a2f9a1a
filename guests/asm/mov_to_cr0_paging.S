/*
 * Paging switched on and off by MOV to CR0. Where PG is the host's, the hypervisor does what the processor
 * would: EFER.LMA and "IA-32e mode guest" go with PG when EFER.LME is set, and PAE paging loads its PDPTEs.
 * Each guest goes on in its new mode, and shows it by a CPUID.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"

#define PTE_TABLE (PTE_PRESENT | PTE_WRITABLE)
#define PTE_LARGE 0x80
#define PG_OWNED (CR0_PE | CR0_NE | CR0_PG)

	.macro HEAD variant, mode
	GUEST mov_to_cr0_paging, \variant
	MODE \mode
	REASON CR_ACCESS
	SECTION "Control Registers"
	SECTION "Initializing IA-32e Mode"
	.endm

	/*
	 * 4-level tables that map the first 2 MiB, CR4.PAE and EFER.LME: all that IA-32e mode needs but
	 * CR0.PG.
	 */
	.macro PREPARE_LONG_MODE set_lme
	mov dword ptr [GUEST_PML4], GUEST_PDPT | PTE_TABLE
	mov dword ptr [GUEST_PDPT], GUEST_PD | PTE_TABLE
	mov dword ptr [GUEST_PD], PTE_LARGE | PTE_TABLE
	mov eax, GUEST_PML4
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov ecx, IA32_EFER
	mov eax, EFER_LME
	xor edx, edx
\set_lme:
	wrmsr
	mov eax, cr0
	or eax, CR0_PG
	.endm

	HEAD long_owned, PROT32
	VMCS CR0_GUEST_HOST_MASK, PG_OWNED
	EXPECT WRMSR, long_owned_set_lme
	EXPECT CR_ACCESS, long_owned_enable
	EXPECT CPUID, long_owned_64_bit
	CODE

	PREPARE_LONG_MODE long_owned_set_lme
long_owned_enable:
	mov cr0, eax
	jmp GUEST_CS64:long_owned_64_bit
	.code64
long_owned_64_bit:
	cpuid
	END_GUEST

	/*
	 * PG is the guest's: the processor enters IA-32e mode itself, and the next exit stores that into the
	 * control.
	 */
	HEAD long_unowned, PROT32
	NEED STORES_EFER_LMA
	VMCS CR0_GUEST_HOST_MASK, CR0_NE
	EXPECT WRMSR, long_unowned_set_lme
	EXPECT CPUID, long_unowned_64_bit
	CODE

	PREPARE_LONG_MODE long_unowned_set_lme
	mov cr0, eax
	jmp GUEST_CS64:long_unowned_64_bit
	.code64
long_unowned_64_bit:
	cpuid
	END_GUEST

	/* IA-32e mode needs PAE: without it the answer is #GP(0), and the guest stays where it is. */
	HEAD long_without_pae, PROT32
	VMCS CR0_GUEST_HOST_MASK, PG_OWNED
	GATE VECTOR_GP, general_protection
	EXPECT WRMSR, without_pae_set_lme
	EXPECT CR_ACCESS, without_pae_enable
	EXPECT CPUID, general_protection
	CODE

	mov ecx, IA32_EFER
	mov eax, EFER_LME
	xor edx, edx
without_pae_set_lme:
	wrmsr
	mov eax, cr0
	or eax, CR0_PG
without_pae_enable:
	mov cr0, eax
	ud2
general_protection:
	cpuid
	END_GUEST

	HEAD pae, PROT32
	VMCS CR0_GUEST_HOST_MASK, PG_OWNED
	EXPECT CR_ACCESS, pae_enable
	EXPECT CPUID, pae_paged
	CODE

	mov dword ptr [GUEST_PDPT], GUEST_PD | PTE_PRESENT
	mov dword ptr [GUEST_PD], PTE_LARGE | PTE_TABLE
	mov eax, GUEST_PDPT
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, cr0
	or eax, CR0_PG
pae_enable:
	mov cr0, eax
pae_paged:
	cpuid
	END_GUEST

	HEAD 32bit, PROT32
	VMCS CR0_GUEST_HOST_MASK, PG_OWNED
	EXPECT CR_ACCESS, two_level_enable
	EXPECT CPUID, two_level_paged
	CODE

	mov dword ptr [GUEST_PD], PTE_LARGE | PTE_TABLE
	mov eax, GUEST_PD
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PSE
	mov cr4, eax
	mov eax, cr0
	or eax, CR0_PG
two_level_enable:
	mov cr0, eax
two_level_paged:
	cpuid
	END_GUEST

	/* Out of IA-32e mode, from compatibility mode: EFER.LMA goes, EFER.LME stays. */
	HEAD off, COMPAT32
	CONTROL UNRESTRICTED_GUEST
	VMCS CR0_GUEST_HOST_MASK, PG_OWNED
	EXPECT CR_ACCESS, off_disable
	EXPECT CPUID, off_unpaged
	CODE

	mov eax, cr0
	and eax, ~CR0_PG
off_disable:
	mov cr0, eax
off_unpaged:
	cpuid
	END_GUEST
