/*
 * Accesses to CR0, CR3, CR4 and CR8: MOV to and from, CLTS, LMSW. The read shadow holds what the guest
 * believes; the guest's real register also has the bits that VMX needs. Switching paging on or off keeps
 * EFER.LMA and the entry control "IA-32e mode guest" right (SDM, "Control Registers", "Initializing IA-32e
 * Mode").
 */
#include "arch/x86_64/registers.h"
#include "vmx/controls.h"
#include "vmx/exit_fields.h"
#include "vmx/exits/exits.h"

#define CR0_DEFINED                                                                                          \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* With PAE paging a change of these loads the PDPTEs again (SDM, "PDPTE Registers"). */
#define CR0_RELOADS_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_RELOADS_PDPTES (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)
#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define CR3_NO_FLUSH BIT(63) /* with CR4.PCIDE: do not flush; never stored */
#define CR3_PCID 0xfffull
#define CR3_ADDRESS_OF_PDPT 0xffffffe0ull
#define CR8_DEFINED 0xfull
#define CS_ACCESS_RIGHTS_L BIT(13)

#define TR_TYPE_MASK 0xf
#define TR_TYPE_BUSY_TSS_16 3

#define PDPTE_PRESENT BIT(0)
/* Bits that a present PDPTE of PAE paging must leave clear: 2:1, 8:5; and those beyond the physical-address
 * width. */
#define PDPTE_RESERVED 0x1e6ull

#define LEAF_ADDRESS_SIZES 0x80000008
#define PHYSICAL_ADDRESS_BITS 0xff
#define PHYSICAL_ADDRESS_BITS_MAX 52

/* The bits of an address that lie beyond the processor's physical-address width (MAXPHYADDR). */
static u64 beyond_physical(struct vcpu *vcpu)
{
	u32 bits = vcpu_host_cpuid(vcpu, LEAF_ADDRESS_SIZES, 0).eax & PHYSICAL_ADDRESS_BITS;

	return ~0ull << (bits < PHYSICAL_ADDRESS_BITS_MAX ? bits : PHYSICAL_ADDRESS_BITS_MAX);
}

static enum exit_next general_protection(struct vcpu *vcpu)
{
	return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
}

/* What the guest reads: its own bits from the register, the host's from the shadow (SDM, "Guest/Host Masks").
 */
static u64 seen(struct vcpu *vcpu, enum vmcs_field real, enum vmcs_field mask, enum vmcs_field shadow)
{
	u64 owned = vcpu_read_vmcs(vcpu, mask);

	return (vcpu_read_vmcs(vcpu, real) & ~owned) | (vcpu_read_vmcs(vcpu, shadow) & owned);
}

static u64 seen_cr0(struct vcpu *vcpu)
{
	return seen(vcpu, VMCS_GUEST_CR0, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW);
}

static u64 seen_cr4(struct vcpu *vcpu)
{
	return seen(vcpu, VMCS_GUEST_CR4, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW);
}

/* IA32_EFER where the VMCS holds it; else what the processor keeps in step with "IA-32e mode guest". */
static u64 guest_efer(struct vcpu *vcpu, const struct vm_exit *exit)
{
	return vcpu_has_vmcs_field(vcpu, VMCS_GUEST_EFER) ? vcpu_read_vmcs(vcpu, VMCS_GUEST_EFER)
							  : exit->efer;
}

static void set_long_mode_active(struct vcpu *vcpu, bool active)
{
	u64 controls = vcpu_read_vmcs(vcpu, VMCS_VM_ENTRY_CONTROLS);
	u64 bit = control_mask(CONTROL_IA32E_MODE_GUEST);

	vcpu_write_vmcs(vcpu, VMCS_VM_ENTRY_CONTROLS, active ? controls | bit : controls & ~bit);
	if (vcpu_has_vmcs_field(vcpu, VMCS_GUEST_EFER)) {
		u64 efer = vcpu_read_vmcs(vcpu, VMCS_GUEST_EFER);

		vcpu_write_vmcs(vcpu, VMCS_GUEST_EFER, active ? efer | EFER_LMA : efer & ~EFER_LMA);
	}
}

/*
 * PAE paging: the four PDPTEs are loaded when CR3 is written or paging is switched on. With EPT they are VMCS
 * fields; without, VM entry loads them from CR3. False, nothing loaded: the guest gets #GP(0). SDM, "PDPTE
 * Registers".
 */
static bool load_pdptes(struct vcpu *vcpu, u64 cr3)
{
	u64 reserved = PDPTE_RESERVED | beyond_physical(vcpu);
	u64 pdptes[4];

	if (!vcpu_read_physical(vcpu, cr3 & CR3_ADDRESS_OF_PDPT, pdptes, sizeof(pdptes)))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if ((pdptes[i] & PDPTE_PRESENT) && (pdptes[i] & reserved))
			return false;
	}
	if (!vcpu_has_vmcs_field(vcpu, VMCS_GUEST_PDPTE0))
		return true;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_PDPTE0, pdptes[0]);
	vcpu_write_vmcs(vcpu, VMCS_GUEST_PDPTE1, pdptes[1]);
	vcpu_write_vmcs(vcpu, VMCS_GUEST_PDPTE2, pdptes[2]);
	vcpu_write_vmcs(vcpu, VMCS_GUEST_PDPTE3, pdptes[3]);
	return true;
}

static bool uses_pae(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

static bool has_16_bit_tss(struct vcpu *vcpu)
{
	return (vcpu_read_vmcs(vcpu, VMCS_GUEST_TR_ACCESS_RIGHTS) & TR_TYPE_MASK) == TR_TYPE_BUSY_TSS_16;
}

/* Switching paging on or off with EFER.LME set enters or leaves IA-32e mode. False: #GP(0). */
static bool switch_paging(struct vcpu *vcpu, const struct vm_exit *exit, u64 value)
{
	u64 cr4 = seen_cr4(vcpu);
	u64 efer = guest_efer(vcpu, exit);
	bool on = value & CR0_PG;

	if (efer & EFER_LME) {
		if (on && (!(cr4 & CR4_PAE) || (exit->cs_access_rights & CS_ACCESS_RIGHTS_L) ||
			   has_16_bit_tss(vcpu)))
			return false;
		if (!on && ((cr4 & CR4_PCIDE) || in_64_bit_mode(exit)))
			return false;
		set_long_mode_active(vcpu, on);
	}
	return true;
}

static bool write_cr0(struct vcpu *vcpu, const struct vm_exit *exit, u64 value)
{
	struct vcpu_limits limits = vcpu_limits(vcpu);
	u64 old = seen_cr0(vcpu);

	if (in_64_bit_mode(exit) && value >> 32)
		return false;
	if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return false;
	value = (value & CR0_DEFINED) | CR0_ET; /* other bits are ignored, ET is always 1 */
	if ((old & ~value & CR0_WP) && (seen_cr4(vcpu) & CR4_CET))
		return false;
	if (((value ^ old) & CR0_PG) && !switch_paging(vcpu, exit, value))
		return false;
	if (((value ^ old) & CR0_RELOADS_PDPTES) && uses_pae(value, seen_cr4(vcpu), guest_efer(vcpu, exit)) &&
	    !load_pdptes(vcpu, vcpu_read_vmcs(vcpu, VMCS_GUEST_CR3)))
		return false;
	vcpu_write_vmcs(vcpu, VMCS_CR0_READ_SHADOW, value);
	vcpu_write_vmcs(vcpu, VMCS_GUEST_CR0, (value | limits.cr0_must_be_1) & limits.cr0_may_be_1);
	return true;
}

static bool write_cr3(struct vcpu *vcpu, const struct vm_exit *exit, u64 value)
{
	u64 cr4 = seen_cr4(vcpu);

	if (!in_64_bit_mode(exit))
		value &= 0xffffffff;
	if (cr4 & CR4_PCIDE)
		value &= ~CR3_NO_FLUSH;
	if (value & beyond_physical(vcpu))
		return false;
	if (uses_pae(seen_cr0(vcpu), cr4, exit->efer) && !load_pdptes(vcpu, value))
		return false;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_CR3, value);
	return true;
}

static bool write_cr4(struct vcpu *vcpu, const struct vm_exit *exit, u64 value)
{
	struct vcpu_limits limits = vcpu_limits(vcpu);
	u64 old = seen_cr4(vcpu);
	u64 cr0 = seen_cr0(vcpu);

	/*
	 * The guest has no VMX: CR4.VMXE is reserved for it, though the real register must have it. Nor has
	 * it 5-level paging, which the walk of its tables (guest_paging.c) does not know.
	 */
	if (value & (~limits.cr4_may_be_1 | CR4_VMXE | CR4_LA57))
		return false;
	if ((exit->efer & EFER_LMA) && !(value & CR4_PAE))
		return false;
	if ((value & CR4_CET) && !(cr0 & CR0_WP))
		return false;
	if ((value & ~old & CR4_PCIDE) &&
	    (!(exit->efer & EFER_LMA) || (vcpu_read_vmcs(vcpu, VMCS_GUEST_CR3) & CR3_PCID)))
		return false;
	if (uses_pae(cr0, value, exit->efer) && ((value ^ old) & CR4_RELOADS_PDPTES) &&
	    !load_pdptes(vcpu, vcpu_read_vmcs(vcpu, VMCS_GUEST_CR3)))
		return false;
	vcpu_write_vmcs(vcpu, VMCS_CR4_READ_SHADOW, value);
	vcpu_write_vmcs(vcpu, VMCS_GUEST_CR4, value | limits.cr4_must_be_1);
	return true;
}

static bool write_cr8(struct vcpu *vcpu, u64 value)
{
	if (value & ~CR8_DEFINED)
		return false;
	vcpu_write_state(vcpu, VCPU_CR8, value);
	return true;
}

static enum exit_next mov_to_cr(struct vcpu *vcpu, const struct vm_exit *exit, unsigned number, u64 value)
{
	bool done = false;

	if (!in_64_bit_mode(exit))
		value = (u32)value;
	switch (number) {
	case VALUE_CONTROL_REGISTER_CR0:
		done = write_cr0(vcpu, exit, value);
		break;
	case VALUE_CONTROL_REGISTER_CR3:
		done = write_cr3(vcpu, exit, value);
		break;
	case VALUE_CONTROL_REGISTER_CR4:
		done = write_cr4(vcpu, exit, value);
		break;
	case VALUE_CONTROL_REGISTER_CR8:
		done = write_cr8(vcpu, value);
		break;
	default:
		return EXIT_UNHANDLED;
	}
	return done ? resume_past(vcpu, exit) : general_protection(vcpu);
}

static enum exit_next mov_from_cr(struct vcpu *vcpu, const struct vm_exit *exit, unsigned number,
				  enum general_register operand)
{
	u64 value;

	switch (number) {
	case VALUE_CONTROL_REGISTER_CR3:
		value = vcpu_read_vmcs(vcpu, VMCS_GUEST_CR3);
		break;
	case VALUE_CONTROL_REGISTER_CR8:
		value = vcpu_read_state(vcpu, VCPU_CR8);
		break;
	default: /* reads of CR0 and CR4 never exit */
		return EXIT_UNHANDLED;
	}
	vcpu_write_register(vcpu, operand, in_64_bit_mode(exit) ? value : (u32)value);
	return resume_past(vcpu, exit);
}

/* SDM, "LMSW - Load Machine Status Word": it can set CR0.PE, but never clear it. */
static enum exit_next lmsw(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 old = seen_cr0(vcpu);
	u64 source = FIELD_CR_ACCESS_lmsw_source(exit->qualification) & LMSW_BITS;

	if (!write_cr0(vcpu, exit, (old & ~LMSW_BITS) | source | (old & CR0_PE)))
		return general_protection(vcpu);
	return resume_past(vcpu, exit);
}

static enum exit_next clts(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!write_cr0(vcpu, exit, seen_cr0(vcpu) & ~CR0_TS))
		return general_protection(vcpu);
	return resume_past(vcpu, exit);
}

enum exit_next exit_cr_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 qualification = exit->qualification;
	unsigned number = FIELD_CR_ACCESS_control_register(qualification);
	enum general_register operand = FIELD_CR_ACCESS_register(qualification);

	switch (FIELD_CR_ACCESS_access(qualification)) {
	case VALUE_CR_ACCESS_TYPE_mov_to_cr:
		return mov_to_cr(vcpu, exit, number, vcpu_read_register(vcpu, operand));
	case VALUE_CR_ACCESS_TYPE_mov_from_cr:
		return mov_from_cr(vcpu, exit, number, operand);
	case VALUE_CR_ACCESS_TYPE_clts:
		return clts(vcpu, exit);
	default:
		return lmsw(vcpu, exit);
	}
}
