/*
 * CPUID, filtered: the guest sees the processor without VMX, under a hypervisor (SDM, "CPUID - CPU
 * Identification").
 */
#include "arch/x86_64/registers.h"
#include "lib/string.h"
#include "vmx/exits/exits.h"

#define LEAF_FEATURES 1
#define FEATURES_ECX_VMX BIT(5)
#define FEATURES_ECX_OSXSAVE BIT(27)
#define FEATURES_ECX_HYPERVISOR BIT(31)

/* The range that the SDM leaves to hypervisors; its first leaf says who is there. */
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_HYPERVISOR_LAST 0x400000ff
static const char vendor[12] = {'E', 'x', 'i', 't', 's', 'c', 'o', 'p', 'e', 'V', 'M', 'X'};

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

static struct vcpu_cpuid filtered(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	if (leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_LAST)
		return hypervisor_leaf(leaf);

	struct vcpu_cpuid result = vcpu_host_cpuid(vcpu, leaf, subleaf);

	if (leaf == LEAF_FEATURES) {
		result.ecx &= ~(FEATURES_ECX_VMX | FEATURES_ECX_OSXSAVE);
		result.ecx |= FEATURES_ECX_HYPERVISOR;
		/* OSXSAVE mirrors a bit of the guest's CR4, not of the host's. */
		if (vcpu_read_vmcs(vcpu, VMCS_GUEST_CR4) & CR4_OSXSAVE)
			result.ecx |= FEATURES_ECX_OSXSAVE;
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
