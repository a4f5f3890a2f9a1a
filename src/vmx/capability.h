/*
 * What the processor's VMX can do: the capability MSRs, read once at boot, and the questions that the rest of
 * src/vmx asks of them (SDM, appendix "VMX Capability Reporting Facility").
 */
#ifndef VMX_CAPABILITY_H
#define VMX_CAPABILITY_H

#include "lib/types.h"

#define IA32_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_LOCKED BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT(2)

/* The capability MSRs stand in one row, from IA32_VMX_BASIC to IA32_VMX_EXIT_CTLS2. */
#define VMX_MSR_FIRST 0x480
#define VMX_MSR_LAST 0x493
#define VMX_MSR_COUNT (VMX_MSR_LAST - VMX_MSR_FIRST + 1)

#define IA32_VMX_BASIC 0x480
#define IA32_VMX_MISC 0x485
#define IA32_VMX_CR0_FIXED0 0x486
#define IA32_VMX_CR0_FIXED1 0x487
#define IA32_VMX_CR4_FIXED0 0x488
#define IA32_VMX_CR4_FIXED1 0x489
#define IA32_VMX_EPT_VPID_CAP 0x48c
#define IA32_VMX_PROCBASED_CTLS3 0x492

/* The bits that capabilities.def names, for vmx_capable: CAPABILITY_EPT_2M and so on. */
enum vmx_capability_bit {
#define CAPABILITY(name, msr, bit, title) CAPABILITY_##name,
#include "vmx/capabilities.def"
#undef CAPABILITY
	CAPABILITY_COUNT
};

struct vmx_capability {
	u64 feature_control; /* IA32_FEATURE_CONTROL after detection */
	u64 msr[VMX_MSR_COUNT];
	u32 present; /* bit n: msr[n] exists */
};

enum vmx_support {
	VMX_SUPPORTED,
	VMX_ABSENT,	/* CPUID.1:ECX.VMX is 0 */
	VMX_LOCKED_OFF, /* IA32_FEATURE_CONTROL is locked without "VMX outside SMX" */
	VMX_UNSUITABLE, /* there, but without something that the hypervisor cannot do without */
};

/*
 * Finds out whether this processor can run the hypervisor, and reads every capability MSR. Where the firmware
 * left IA32_FEATURE_CONTROL unlocked, VMX outside SMX is enabled and the register locked. Must run on every
 * processor that will use VMX. On anything but VMX_SUPPORTED, *why is a sentence for people. SDM,
 * "Discovering Support for VMX", "Enabling and Entering VMX Operation", "Basic VMX Information".
 */
enum vmx_support vmx_detect(struct vmx_capability *capability, const char **why);

/* The judgement alone, over MSRs that were read already: pure, for tests. */
enum vmx_support vmx_judge(const struct vmx_capability *capability, const char **why);

/* The value of a capability MSR (VMX_MSR_FIRST to VMX_MSR_LAST); 0 where the processor does not have it. */
u64 vmx_capability_msr(const struct vmx_capability *capability, u32 msr);

bool vmx_capable(const struct vmx_capability *capability, enum vmx_capability_bit bit);

/* "VMCS revision identifier" and the size of VMXON and VMCS regions in bytes (1 to 4096). */
u32 vmx_revision(const struct vmx_capability *capability);
size_t vmx_region_size(const struct vmx_capability *capability);

/* The VMX-preemption timer counts down by 1 each time bit n of the TSC changes: this is n, 0 to 31. */
unsigned vmx_preemption_timer_shift(const struct vmx_capability *capability);

#endif
