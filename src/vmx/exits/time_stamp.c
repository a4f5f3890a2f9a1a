/*
 * RDTSC and RDTSCP, and the guest's time-stamp counter as RDMSR and WRMSR see it (SDM, "Changes to
 * Instruction Behavior in VMX Non-Root Operation"): the host's, scaled by the TSC multiplier and moved by the
 * TSC offset where the guest's controls use them.
 */
#include "arch/x86_64/msr.h"
#include "vmx/controls.h"
#include "vmx/exits/exits.h"

#define MULTIPLIER_FRACTION_BITS 48

/* The host's counter in the guest's ticks, without the offset. The product has 128 bits. */
static u64 scaled_host_tsc(struct vcpu *vcpu)
{
	u64 tsc = vcpu_host_tsc(vcpu);

	if (!has_secondary_control(vcpu, CONTROL_USE_TSC_SCALING))
		return tsc;
	return (u64)((unsigned __int128)tsc * vcpu_read_vmcs(vcpu, VMCS_TSC_MULTIPLIER) >>
		     MULTIPLIER_FRACTION_BITS);
}

/* Scaling, too, needs the control for offsetting. */
u64 read_guest_tsc(struct vcpu *vcpu)
{
	u64 controls = vcpu_read_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS);

	if (!(controls & control_mask(CONTROL_USE_TSC_OFFSETTING)))
		return vcpu_host_tsc(vcpu);
	return scaled_host_tsc(vcpu) + vcpu_read_vmcs(vcpu, VMCS_TSC_OFFSET);
}

/* The host's counter is not the guest's to write: from the first write on, the guest has an offset. */
void write_guest_tsc(struct vcpu *vcpu, u64 value)
{
	u64 controls = vcpu_read_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS);

	vcpu_write_vmcs(vcpu, VMCS_TSC_OFFSET, value - scaled_host_tsc(vcpu));
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
