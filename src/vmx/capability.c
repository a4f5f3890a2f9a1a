/*
 * Detection of VMX and reading of its capability MSRs. Called once for each processor at boot; everything
 * else asks the structure that is filled here.
 */
#include "vmx/capability.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"

#define CPUID_1_ECX_VMX BIT(5)

/* Fields of IA32_VMX_BASIC. */
#define BASIC_REVISION_MASK 0x7fffffff
#define BASIC_SIZE_SHIFT 32
#define BASIC_SIZE_MASK 0x1fff
#define BASIC_32_BIT_ADDRESSES BIT(48)
#define BASIC_MEMORY_TYPE_SHIFT 50
#define BASIC_MEMORY_TYPE_MASK 0xf

#define MEMORY_TYPE_WRITE_BACK 6
#define REGION_SIZE_MAX 4096
#define MISC_TIMER_SHIFT_MASK 0x1f

static const struct {
	u32 msr;
	u8 bit;
} capability_bits[CAPABILITY_COUNT] = {
#define CAPABILITY(name, msr_, bit_, title) [CAPABILITY_##name] = {.msr = msr_, .bit = bit_},
#include "vmx/capabilities.def"
#undef CAPABILITY
};

u64 vmx_capability_msr(const struct vmx_capability *capability, u32 msr)
{
	unsigned index = msr - VMX_MSR_FIRST;

	if (index >= VMX_MSR_COUNT || !(capability->present & BIT(index)))
		return 0;
	return capability->msr[index];
}

bool vmx_capable(const struct vmx_capability *capability, enum vmx_capability_bit bit)
{
	return vmx_capability_msr(capability, capability_bits[bit].msr) & BIT(capability_bits[bit].bit);
}

u32 vmx_revision(const struct vmx_capability *capability)
{
	return vmx_capability_msr(capability, IA32_VMX_BASIC) & BASIC_REVISION_MASK;
}

size_t vmx_region_size(const struct vmx_capability *capability)
{
	return (vmx_capability_msr(capability, IA32_VMX_BASIC) >> BASIC_SIZE_SHIFT) & BASIC_SIZE_MASK;
}

unsigned vmx_preemption_timer_shift(const struct vmx_capability *capability)
{
	return vmx_capability_msr(capability, IA32_VMX_MISC) & MISC_TIMER_SHIFT_MASK;
}

enum vmx_support vmx_judge(const struct vmx_capability *capability, const char **why)
{
	u64 basic = vmx_capability_msr(capability, IA32_VMX_BASIC);
	size_t size = vmx_region_size(capability);

	if (!(capability->feature_control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) {
		*why = "the firmware locked IA32_FEATURE_CONTROL (3AH) without VMX outside SMX: "
		       "enable virtualization in the firmware's setup";
		return VMX_LOCKED_OFF;
	}
	if (!(capability->present & BIT(0))) {
		*why = "IA32_VMX_BASIC (480H) cannot be read";
		return VMX_UNSUITABLE;
	}
	if (size == 0 || size > REGION_SIZE_MAX) {
		*why = "IA32_VMX_BASIC (480H) gives a VMCS size that is not from 1 to 4096";
		return VMX_UNSUITABLE;
	}
	if (basic & BASIC_32_BIT_ADDRESSES) {
		*why = "VMX structures are limited to 32-bit addresses (IA32_VMX_BASIC bit 48), as no 64-bit "
		       "processor's are";
		return VMX_UNSUITABLE;
	}
	if (((basic >> BASIC_MEMORY_TYPE_SHIFT) & BASIC_MEMORY_TYPE_MASK) != MEMORY_TYPE_WRITE_BACK) {
		*why = "VMX structures must have another memory type than write-back (IA32_VMX_BASIC bits "
		       "53:50)";
		return VMX_UNSUITABLE;
	}
	return VMX_SUPPORTED;
}

/* SDM, "Enabling and Entering VMX Operation": enables and locks what the firmware left open. */
static void feature_control_settle(struct vmx_capability *capability)
{
	u64 value;

	if (!rdmsr_safe(IA32_FEATURE_CONTROL, &value)) {
		/* A processor without the register has no lock either; VMXON does not ask for one. */
		capability->feature_control = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
		return;
	}
	if (!(value & FEATURE_CONTROL_LOCKED)) {
		wrmsr_safe(IA32_FEATURE_CONTROL,
			   value | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
		rdmsr_safe(IA32_FEATURE_CONTROL, &value);
	}
	capability->feature_control = value;
}

enum vmx_support vmx_detect(struct vmx_capability *capability, const char **why)
{
	*capability = (struct vmx_capability){0};
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		*why = "CPUID.1:ECX bit 5 is 0: this processor, or the machine that it is part of, offers no "
		       "VMX";
		return VMX_ABSENT;
	}
	feature_control_settle(capability);
	for (unsigned i = 0; i < VMX_MSR_COUNT; i++) {
		if (rdmsr_safe(VMX_MSR_FIRST + i, &capability->msr[i]))
			capability->present |= BIT(i);
	}
	return vmx_judge(capability, why);
}
