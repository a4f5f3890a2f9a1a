/*
 * EPT violations (SDM, "EPT Violations"). The guest's own memory is given back on demand; where it has none,
 * there is nothing to go on with.
 */
#include "vmx/controls.h"
#include "vmx/exit_fields.h"
#include "vmx/exits/exits.h"

enum exit_next exit_ept_violation(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 pin = vcpu_read_vmcs(vcpu, VMCS_PIN_BASED_CONTROLS);
	/* With NMI exiting, which every guest has, the bit is defined for virtual NMIs only. */
	bool nmi_unblocking = FIELD_EPT_VIOLATION_nmi_unblocking(exit->qualification) &&
			      (pin & control_mask(CONTROL_VIRTUAL_NMIS));

	if (!vcpu_grant_ept(vcpu, exit->guest_physical_address))
		return EXIT_UNHANDLED;
	return resume_here(vcpu, exit, nmi_unblocking);
}
