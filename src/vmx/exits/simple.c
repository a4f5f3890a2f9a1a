/*
 * Handlers of a few lines each: HLT, VMCALL, RDTSC and RDTSCP, external interrupts, EPT violations, XSETBV.
 */
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"
#include "vmx/controls.h"
#include "vmx/exit_fields.h"
#include "vmx/exits/exits.h"

#define ACTIVITY_STATE_HLT 1

/* XCR0's components (SDM, "Extended Control Registers (Including XCR0)"). */
#define XCR0_BNDREGS BIT(3)
#define XCR0_BNDCSR BIT(4)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_AMX (BIT(17) | BIT(18))
#define LEAF_XSTATE 0xd

/* Hypercalls, by number in RAX; the result goes there too. */
#define HYPERCALL_MARK 0	       /* does nothing: a mark in the exit log */
#define HYPERCALL_UNKNOWN ((u64)-1000) /* the answer to any other number */

/* SDM, "HLT - Halt": an interrupt ends it. With interrupts off only what this hypervisor never sends could.
 */
enum exit_next exit_hlt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!(exit->rflags & RFLAGS_IF))
		return EXIT_HALT;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_STATE_HLT);
	return resume_past(vcpu, exit);
}

enum exit_next exit_vmcall(struct vcpu *vcpu, const struct vm_exit *exit)
{
	bool known = vcpu_read_register(vcpu, RAX) == HYPERCALL_MARK;

	vcpu_write_register(vcpu, RAX, known ? 0 : HYPERCALL_UNKNOWN);
	return resume_past(vcpu, exit);
}

static void give_tsc(struct vcpu *vcpu)
{
	u64 tsc = vcpu_host_tsc(vcpu) + vcpu_read_vmcs(vcpu, VMCS_TSC_OFFSET);

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

enum exit_next exit_external_interrupt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	bool acknowledged = exit->interruption_information & EVENT_VALID;

	vcpu_take_interrupt(vcpu,
			    acknowledged ? (int)(exit->interruption_information & EVENT_VECTOR_MASK) : -1);
	return EXIT_RESUME_HERE;
}

/* The guest's own memory is given back on demand; where it has none, there is nothing to go on with. */
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

/* SDM, "XSETBV - Set Extended Control Register": which combinations of components are allowed. */
static bool xcr0_is_valid(u64 value, u64 supported)
{
	if ((value & ~supported) || !(value & XCR0_X87))
		return false;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return false;
	if (!(value & XCR0_BNDREGS) != !(value & XCR0_BNDCSR))
		return false;
	if ((value & XCR0_AMX) && (value & XCR0_AMX) != XCR0_AMX)
		return false;
	return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

enum exit_next exit_xsetbv(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_cpuid components = vcpu_host_cpuid(vcpu, LEAF_XSTATE, 0);
	u64 supported = components.eax | (u64)components.edx << 32;
	u64 value = (u32)vcpu_read_register(vcpu, RAX) | vcpu_read_register(vcpu, RDX) << 32;
	u32 number = (u32)vcpu_read_register(vcpu, RCX);

	/* The fault of ring 3 has priority over the exit, but not on every processor that there is. */
	if ((exit->cr0 & CR0_PE) &&
	    CPL_OF_ACCESS_RIGHTS(vcpu_read_vmcs(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS)) != 0)
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	if (number != 0 || !xcr0_is_valid(value, supported))
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	vcpu_write_state(vcpu, VCPU_XCR0, value);
	return resume_past(vcpu, exit);
}
