/*
 * CPUID, filtered: the guest sees the processor without VMX, under a hypervisor (SDM, "CPUID - CPU
 * Identification").
 */
#include "arch/x86_64/registers.h"
#include "lib/string.h"
#include "vmx/exits/exits.h"

#define LEAF_FEATURES 1
#define FEATURES_EDX_MTRR BIT(12)
#define FEATURES_ECX_VMX BIT(5)
#define FEATURES_ECX_OSXSAVE BIT(27)
#define FEATURES_ECX_HYPERVISOR BIT(31)

#define LEAF_STRUCTURED_FEATURES 7
#define STRUCTURED_ECX_OSPKE BIT(4)
#define STRUCTURED_ECX_LA57 BIT(16)

/* The XSAVE area (SDM, "XSAVE Area"): sizes in bytes, and what the sub-leaves of its leaf say. */
#define LEAF_XSTATE 0xd
#define XSTATE_EAX_XSAVEC BIT(1)
#define XSTATE_EAX_XSAVES BIT(3)
#define XSTATE_COMPONENT_ECX_SUPERVISOR BIT(0)
#define XSTATE_COMPONENT_ECX_ALIGNED BIT(1)
#define XSTATE_LEGACY_AND_HEADER 576
#define XSTATE_COMPONENTS 63

#define LEAF_EXTENDED_FEATURES 0x80000001

/* The range that the SDM leaves to hypervisors; its first leaf says who is there. */
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_HYPERVISOR_LAST 0x400000ff
static const char vendor[12] = {'E', 'x', 'i', 't', 's', 'c', 'o', 'p', 'e', 'V', 'M', 'X'};

/*
 * Instructions that raise #UD unless the guest's controls enable them (SDM, "Changes to Instruction Behavior
 * in VMX Non-Root Operation"): without the control the guest does not have the feature.
 */
static const struct {
	enum control control;
	u32 leaf;
	u32 subleaf;
	struct vcpu_cpuid features;
} controlled[] = {
	{CONTROL_ENABLE_INVPCID, LEAF_STRUCTURED_FEATURES, 0, {.ebx = BIT(10)}},
	{CONTROL_ENABLE_RDTSCP, LEAF_STRUCTURED_FEATURES, 0, {.ecx = BIT(22)}}, /* RDPID */
	{CONTROL_ENABLE_RDTSCP, LEAF_EXTENDED_FEATURES, 0, {.edx = BIT(27)}},
	{CONTROL_ENABLE_USER_WAIT_AND_PAUSE, LEAF_STRUCTURED_FEATURES, 0, {.ecx = BIT(5)}},
	{CONTROL_ENABLE_PCONFIG, LEAF_STRUCTURED_FEATURES, 0, {.edx = BIT(18)}},
	{CONTROL_ENABLE_XSAVES_XRSTORS, LEAF_XSTATE, 1, {.eax = XSTATE_EAX_XSAVES}},
};

static void hide_controlled(struct vcpu *vcpu, u32 leaf, u32 subleaf, struct vcpu_cpuid *result)
{
	for (unsigned i = 0; i < ARRAY_SIZE(controlled); i++) {
		if (controlled[i].leaf != leaf || has_secondary_control(vcpu, controlled[i].control))
			continue;
		/* The leaf of extended features has no sub-leaves: ECX does not count. */
		if (leaf != LEAF_EXTENDED_FEATURES && controlled[i].subleaf != subleaf)
			continue;
		result->eax &= ~controlled[i].features.eax;
		result->ebx &= ~controlled[i].features.ebx;
		result->ecx &= ~controlled[i].features.ecx;
		result->edx &= ~controlled[i].features.edx;
	}
}

static struct vcpu_cpuid hypervisor_leaf(u32 leaf)
{
	struct vcpu_cpuid result = {0};

	if (leaf == LEAF_HYPERVISOR) {
		result.eax = LEAF_HYPERVISOR; /* the highest leaf of the range */
		memcpy(&result.ebx, vendor, 4);
		memcpy(&result.ecx, vendor + 4, 4);
		memcpy(&result.edx, vendor + 8, 4);
	}
	return result;
}

/* The bytes that an XSAVE area with these components has, in the standard or the compacted form. */
static u32 xstate_size(struct vcpu *vcpu, u64 components, bool compacted)
{
	u32 size = XSTATE_LEGACY_AND_HEADER;

	for (u32 i = 2; i < XSTATE_COMPONENTS; i++) {
		if (!(components & BIT(i)))
			continue;

		struct vcpu_cpuid component = vcpu_host_cpuid(vcpu, LEAF_XSTATE, i);

		if (!compacted) {
			size = component.ebx + component.eax > size ? component.ebx + component.eax : size;
			continue;
		}
		if (component.ecx & XSTATE_COMPONENT_ECX_ALIGNED)
			size = (size + 63) & ~63u;
		size += component.eax;
	}
	return size;
}

/*
 * EBX tells of the components that the guest has enabled, not of those that the hypervisor runs with. A guest
 * without XSAVES has no supervisor components.
 */
static void say_xstate(struct vcpu *vcpu, u32 subleaf, struct vcpu_cpuid *result)
{
	u64 xcr0 = vcpu_read_state(vcpu, VCPU_XCR0);
	bool xsaves = has_secondary_control(vcpu, CONTROL_ENABLE_XSAVES_XRSTORS);

	if (!xsaves && subleaf == 1)
		result->ecx = result->edx = 0;
	if (!xsaves && subleaf > 1 && (result->ecx & XSTATE_COMPONENT_ECX_SUPERVISOR))
		*result = (struct vcpu_cpuid){0};
	if (subleaf == 0 && result->ebx)
		result->ebx = xstate_size(vcpu, xcr0, false);
	if (subleaf == 1 && (result->eax & (XSTATE_EAX_XSAVEC | XSTATE_EAX_XSAVES)))
		result->ebx = xstate_size(vcpu, xcr0 | vcpu_read_state(vcpu, VCPU_XSS), true);
}

static struct vcpu_cpuid filtered(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	if (leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_LAST)
		return hypervisor_leaf(leaf);

	struct vcpu_cpuid result = vcpu_host_cpuid(vcpu, leaf, subleaf);

	if (leaf < LEAF_HYPERVISOR && !has_cpuid_leaf(vcpu, leaf))
		return result;
	hide_controlled(vcpu, leaf, subleaf, &result);
	if (leaf == LEAF_FEATURES) {
		result.edx &= ~FEATURES_EDX_MTRR; /* EPT says the memory type */
		result.ecx &= ~(FEATURES_ECX_VMX | FEATURES_ECX_OSXSAVE);
		result.ecx |= FEATURES_ECX_HYPERVISOR;
		/* OSXSAVE mirrors a bit of the guest's CR4, not of the host's. */
		if (vcpu_read_vmcs(vcpu, VMCS_GUEST_CR4) & CR4_OSXSAVE)
			result.ecx |= FEATURES_ECX_OSXSAVE;
	} else if (leaf == LEAF_STRUCTURED_FEATURES && subleaf == 0) {
		/* OSPKE does so, too. The guest has no 5-level paging (control_registers.c). */
		result.ecx &= ~(STRUCTURED_ECX_OSPKE | STRUCTURED_ECX_LA57);
		if (vcpu_read_vmcs(vcpu, VMCS_GUEST_CR4) & CR4_PKE)
			result.ecx |= STRUCTURED_ECX_OSPKE;
	} else if (leaf == LEAF_XSTATE) {
		say_xstate(vcpu, subleaf, &result);
	}
	return result;
}

enum exit_next exit_cpuid(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u32 leaf = (u32)vcpu_read_register(vcpu, RAX);
	u32 subleaf = (u32)vcpu_read_register(vcpu, RCX);
	struct vcpu_cpuid result = filtered(vcpu, leaf, subleaf);

	vcpu_write_register(vcpu, RAX, result.eax);
	vcpu_write_register(vcpu, RBX, result.ebx);
	vcpu_write_register(vcpu, RCX, result.ecx);
	vcpu_write_register(vcpu, RDX, result.edx);
	return resume_past(vcpu, exit);
}
