/*
 * VMCALL: the hypervisor's own calls, by number in RAX; the result goes there too.
 */
#include "vmx/exits/exits.h"

#define HYPERCALL_MARK 0	       /* does nothing: a mark in the exit log */
#define HYPERCALL_UNKNOWN ((u64)-1000) /* the answer to any other number */

enum exit_next exit_vmcall(struct vcpu *vcpu, const struct vm_exit *exit)
{
	bool known = vcpu_read_register(vcpu, RAX) == HYPERCALL_MARK;

	vcpu_write_register(vcpu, RAX, known ? 0 : HYPERCALL_UNKNOWN);
	return resume_past(vcpu, exit);
}
