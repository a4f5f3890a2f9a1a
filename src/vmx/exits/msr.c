/*
 * RDMSR and WRMSR, by the table msrs.def; registers with rules of their own have a case each below.
 */
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"
#include "vmx/exits/exits.h"

#define LEAF_XSTATE 0xd
#define CPUID_XSTATE_XSAVES BIT(3)
#define DEBUGCTL_LBR_AND_BTF (BIT(0) | BIT(1))

enum check { ANY, CANONICAL, DEBUGCTL, PAT };

enum home { HOME_VMCS, HOME_PROCESSOR, HOME_CONSTANT, HOME_READ_ONLY };

static const struct msr {
	u32 number;
	enum home home;
	enum check check;
	enum vmcs_field field;
	u64 constant;
} msrs[] = {
#define MSR_VMCS(number_, name, field_, check_)                                                              \
	{.number = number_, .home = HOME_VMCS, .check = check_, .field = VMCS_##field_},
#define MSR_PROCESSOR(number_, name, check_) {.number = number_, .home = HOME_PROCESSOR, .check = check_},
#define MSR_CONSTANT(number_, name, value) {.number = number_, .home = HOME_CONSTANT, .constant = value},
#define MSR_READ_ONLY(number_, name, value) {.number = number_, .home = HOME_READ_ONLY, .constant = value},
#include "vmx/exits/msrs.def"
#undef MSR_VMCS
#undef MSR_PROCESSOR
#undef MSR_CONSTANT
#undef MSR_READ_ONLY
};

static const struct msr *find_msr(u32 number)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].number == number)
			return &msrs[i];
	}
	return NULL;
}

/* SDM, "IA32_PAT MSR": memory types 2 and 3, and those above 7, are reserved. */
static bool is_pat(u64 value)
{
	for (unsigned i = 0; i < 8; i++, value >>= 8) {
		u8 type = (u8)value;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool passes(enum check check, u64 value)
{
	switch (check) {
	case CANONICAL:
		return is_canonical(value);
	case DEBUGCTL:
		return !(value & ~DEBUGCTL_LBR_AND_BTF);
	case PAT:
		return is_pat(value);
	case ANY:
		break;
	}
	return true;
}

/* The register comes with XSAVES, and XSAVES with its control (cpuid.c). */
static bool has_xss(struct vcpu *vcpu)
{
	return has_secondary_control(vcpu, CONTROL_ENABLE_XSAVES_XRSTORS) &&
	       (vcpu_host_cpuid(vcpu, LEAF_XSTATE, 1).eax & CPUID_XSTATE_XSAVES);
}

/* True when the access was made; false: #GP(0). */
static bool read_msr(struct vcpu *vcpu, u32 number, u64 *value)
{
	const struct msr *msr = find_msr(number);

	switch (number) {
	case IA32_TIME_STAMP_COUNTER:
		*value = read_guest_tsc(vcpu);
		return true;
	case IA32_EFER:
		if (!vcpu_has_vmcs_field(vcpu, VMCS_GUEST_EFER))
			return false;
		*value = vcpu_read_vmcs(vcpu, VMCS_GUEST_EFER);
		return true;
	case IA32_XSS:
		if (!has_xss(vcpu))
			return false;
		*value = vcpu_read_state(vcpu, VCPU_XSS);
		return true;
	default:
		break;
	}
	if (!msr)
		return false;
	switch (msr->home) {
	case HOME_VMCS:
		if (!vcpu_has_vmcs_field(vcpu, msr->field))
			return false;
		*value = vcpu_read_vmcs(vcpu, msr->field);
		return true;
	case HOME_PROCESSOR:
		return vcpu_read_msr(vcpu, number, value);
	case HOME_CONSTANT:
	case HOME_READ_ONLY:
		*value = msr->constant;
		return true;
	}
	return false;
}

/* SDM, "Extended Feature Enable Register": LME cannot change while paging is on; LMA is the processor's. */
static bool write_efer(struct vcpu *vcpu, u64 value)
{
	if (!vcpu_has_vmcs_field(vcpu, VMCS_GUEST_EFER))
		return false;

	u64 old = vcpu_read_vmcs(vcpu, VMCS_GUEST_EFER);

	if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return false;
	if (((value ^ old) & EFER_LME) && (vcpu_read_vmcs(vcpu, VMCS_GUEST_CR0) & CR0_PG))
		return false;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

static bool write_xss(struct vcpu *vcpu, u64 value)
{
	struct vcpu_cpuid components = vcpu_host_cpuid(vcpu, LEAF_XSTATE, 1);

	if (!has_xss(vcpu) || (value & ~(components.ecx | (u64)components.edx << 32)))
		return false;
	vcpu_write_state(vcpu, VCPU_XSS, value);
	return true;
}

static bool write_msr(struct vcpu *vcpu, u32 number, u64 value)
{
	const struct msr *msr = find_msr(number);

	switch (number) {
	case IA32_TIME_STAMP_COUNTER:
		write_guest_tsc(vcpu, value);
		return true;
	case IA32_EFER:
		return write_efer(vcpu, value);
	case IA32_XSS:
		return write_xss(vcpu, value);
	default:
		break;
	}
	if (!msr || !passes(msr->check, value))
		return false;
	switch (msr->home) {
	case HOME_VMCS:
		if (!vcpu_has_vmcs_field(vcpu, msr->field))
			return false;
		vcpu_write_vmcs(vcpu, msr->field, value);
		return true;
	case HOME_PROCESSOR:
		return vcpu_write_msr(vcpu, number, value);
	case HOME_CONSTANT:
		return value == msr->constant;
	case HOME_READ_ONLY:
		return false;
	}
	return false;
}

enum exit_next exit_rdmsr(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 value;

	if (!read_msr(vcpu, (u32)vcpu_read_register(vcpu, RCX), &value))
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	vcpu_write_register(vcpu, RAX, (u32)value);
	vcpu_write_register(vcpu, RDX, value >> 32);
	return resume_past(vcpu, exit);
}

enum exit_next exit_wrmsr(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 value = (u32)vcpu_read_register(vcpu, RAX) | vcpu_read_register(vcpu, RDX) << 32;

	if (!write_msr(vcpu, (u32)vcpu_read_register(vcpu, RCX), value))
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	return resume_past(vcpu, exit);
}
