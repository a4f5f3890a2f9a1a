/*
 * External interrupts that arrive while a guest runs belong to the host: they are delivered to it, and the
 * guest goes on.
 */
#include "vmx/exits/exits.h"

enum exit_next exit_external_interrupt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	bool acknowledged = exit->interruption_information & EVENT_VALID;

	vcpu_take_interrupt(vcpu,
			    acknowledged ? (int)(exit->interruption_information & EVENT_VECTOR_MASK) : -1);
	return EXIT_RESUME_HERE;
}
