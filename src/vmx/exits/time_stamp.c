/*
 * RDTSC and RDTSCP, and the guest's time-stamp counter as RDMSR and WRMSR see it (SDM, "Changes to
 * Instruction Behavior in VMX Non-Root Operation"): the host's, moved by the TSC offset where the guest's
 * controls use it.
 */
#include "arch/x86_64/msr.h"
#include "vmx/controls.h"
#include "vmx/exits/exits.h"

u64 read_guest_tsc(struct vcpu *vcpu)
{
	u64 controls = vcpu_read_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS);
	u64 tsc = vcpu_host_tsc(vcpu);

	return controls & control_mask(CONTROL_USE_TSC_OFFSETTING)
		       ? tsc + vcpu_read_vmcs(vcpu, VMCS_TSC_OFFSET)
		       : tsc;
}

/* The host's counter is not the guest's to write: from the first write on, the guest has an offset. */
void write_guest_tsc(struct vcpu *vcpu, u64 value)
{
	u64 controls = vcpu_read_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS);

	vcpu_write_vmcs(vcpu, VMCS_TSC_OFFSET, value - vcpu_host_tsc(vcpu));
	vcpu_write_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS,
			controls | control_mask(CONTROL_USE_TSC_OFFSETTING));
}

static void give_tsc(struct vcpu *vcpu)
{
	u64 tsc = read_guest_tsc(vcpu);

	vcpu_write_register(vcpu, RAX, (u32)tsc);
	vcpu_write_register(vcpu, RDX, tsc >> 32);
}

enum exit_next exit_rdtsc(struct vcpu *vcpu, const struct vm_exit *exit)
{
	give_tsc(vcpu);
	return resume_past(vcpu, exit);
}

enum exit_next exit_rdtscp(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 aux = 0;

	if (!vcpu_read_msr(vcpu, IA32_TSC_AUX, &aux))
		return inject_exception(vcpu, VECTOR_INVALID_OPCODE);
	give_tsc(vcpu);
	vcpu_write_register(vcpu, RCX, (u32)aux);
	return resume_past(vcpu, exit);
}
