/*
 * HLT (SDM, "HLT - Halt"). An interrupt ends it; with interrupts off only what this hypervisor never sends
 * could.
 */
#include "arch/x86_64/registers.h"
#include "vmx/exits/exits.h"

#define ACTIVITY_STATE_HLT 1

enum exit_next exit_hlt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!(exit->rflags & RFLAGS_IF))
		return EXIT_HALT;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_STATE_HLT);
	return resume_past(vcpu, exit);
}
