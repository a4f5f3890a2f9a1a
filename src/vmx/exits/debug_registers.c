/*
 * MOV to and from debug registers. With "MOV-DR exiting" the exit comes before the checks for privilege and
 * for DR4 and DR5 (SDM, "Instructions That Cause VM Exits Conditionally", MOV DR), so they are made here.
 */
#include "arch/x86_64/registers.h"
#include "vmx/exit_fields.h"
#include "vmx/exits/exits.h"

/* Bits that read as 1 whatever is written, and those that can be written (SDM, "Debug Status Register (DR6)",
 * "DR7"). */
#define DR6_FIXED_1 0xffff0ff0ull
#define DR6_WRITABLE 0x0000e00full
#define DR7_FIXED_1 0x0000000000000400ull
#define DR7_WRITABLE 0x00000000ffff23ffull
#define DR7_RTM BIT(11) /* writable where there is RTM */
#define DR7_GENERAL_DETECT BIT(13)
#define DR6_GENERAL_DETECT_HIT BIT(13)

#define LEAF_STRUCTURED_FEATURES 7
#define STRUCTURED_EBX_RTM BIT(11)

static u64 dr7_writable(struct vcpu *vcpu)
{
	bool rtm = has_cpuid_leaf(vcpu, LEAF_STRUCTURED_FEATURES) &&
		   (vcpu_host_cpuid(vcpu, LEAF_STRUCTURED_FEATURES, 0).ebx & STRUCTURED_EBX_RTM);

	return rtm ? DR7_WRITABLE | DR7_RTM : DR7_WRITABLE;
}

static u64 read_dr(struct vcpu *vcpu, unsigned number)
{
	return number == 7 ? vcpu_read_vmcs(vcpu, VMCS_GUEST_DR7) : vcpu_read_dr(vcpu, number);
}

static void write_dr(struct vcpu *vcpu, unsigned number, u64 value)
{
	if (number == 7)
		vcpu_write_vmcs(vcpu, VMCS_GUEST_DR7, (value & dr7_writable(vcpu)) | DR7_FIXED_1);
	else if (number == 6)
		vcpu_write_dr(vcpu, 6, (value & DR6_WRITABLE) | DR6_FIXED_1);
	else
		vcpu_write_dr(vcpu, number, value);
}

enum exit_next exit_dr_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
	unsigned number = FIELD_DR_ACCESS_debug_register(exit->qualification);
	enum general_register operand = FIELD_DR_ACCESS_register(exit->qualification);
	bool wide = in_64_bit_mode(exit);

	if (number == 4 || number == 5) {
		if (exit->cr4 & CR4_DE)
			return inject_exception(vcpu, VECTOR_INVALID_OPCODE);
		number += 2; /* without CR4.DE they are aliases of DR6 and DR7 */
	}
	if ((exit->cr0 & CR0_PE) &&
	    CPL_OF_ACCESS_RIGHTS(vcpu_read_vmcs(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS)) != 0)
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	if (vcpu_read_vmcs(vcpu, VMCS_GUEST_DR7) & DR7_GENERAL_DETECT) {
		vcpu_write_dr(vcpu, 6, vcpu_read_dr(vcpu, 6) | DR6_GENERAL_DETECT_HIT);
		vcpu_write_vmcs(vcpu, VMCS_GUEST_DR7,
				vcpu_read_vmcs(vcpu, VMCS_GUEST_DR7) & ~DR7_GENERAL_DETECT);
		return inject_exception(vcpu, VECTOR_DEBUG);
	}
	if (FIELD_DR_ACCESS_direction(exit->qualification) == VALUE_DR_DIRECTION_mov_from_dr) {
		u64 value = read_dr(vcpu, number);

		vcpu_write_register(vcpu, operand, wide ? value : (u32)value);
		return resume_past(vcpu, exit);
	}

	u64 value = vcpu_read_register(vcpu, operand);

	if (!wide)
		value = (u32)value;
	if (number >= 6 && value >> 32)
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	write_dr(vcpu, number, value);
	return resume_past(vcpu, exit);
}
