/*
 * The steps that handlers share: going past an instruction, raising an exception, and the answer to every
 * exit that nothing goes on from.
 */
#include "arch/x86_64/registers.h"
#include "vmx/exits/exits.h"

#define CS_ACCESS_RIGHTS_L BIT(13)
#define BLOCKING_BY_STI BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_NMI BIT(3)
#define PENDING_DEBUG_BS BIT(14)
#define DEBUGCTL_BTF BIT(1)

/* The parts of IDT-vectoring information that VM-entry interruption information has, too. */
#define EVENT_BITS                                                                                           \
	(EVENT_VALID | EVENT_HAS_ERROR_CODE | EVENT_TYPE_MASK << EVENT_TYPE_SHIFT | EVENT_VECTOR_MASK)

bool in_64_bit_mode(const struct vm_exit *exit)
{
	return (exit->efer & EFER_LMA) && (exit->cs_access_rights & CS_ACCESS_RIGHTS_L);
}

bool is_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

bool has_secondary_control(struct vcpu *vcpu, enum control control)
{
	if (!(vcpu_read_vmcs(vcpu, VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS) &
	      control_mask(CONTROL_ACTIVATE_SECONDARY_CONTROLS)))
		return false;
	return vcpu_read_vmcs(vcpu, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & control_mask(control);
}

bool has_cpuid_leaf(struct vcpu *vcpu, u32 leaf)
{
	return vcpu_host_cpuid(vcpu, 0, 0).eax >= leaf;
}

/* What lasts for one instruction, or one iteration of it, is over. */
static void end_step(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (exit->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS))
		vcpu_write_vmcs(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE,
				exit->interruptibility_state & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	if ((exit->rflags & RFLAGS_TF) && !(vcpu_read_vmcs(vcpu, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		vcpu_write_vmcs(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
				vcpu_read_vmcs(vcpu, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

enum exit_next resume_past(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 rip = exit->rip + exit->instruction_length;

	/* Outside 64-bit mode the instruction pointer has 32 bits, of which real mode's limit checks the
	 * upper 16. */
	if (!in_64_bit_mode(exit))
		rip &= 0xffffffff;
	vcpu_write_vmcs(vcpu, VMCS_GUEST_RIP, rip);
	if (exit->rflags & RFLAGS_RF)
		vcpu_write_vmcs(vcpu, VMCS_GUEST_RFLAGS, exit->rflags & ~RFLAGS_RF);
	end_step(vcpu, exit);
	return EXIT_RESUME_PAST;
}

enum exit_next resume_between(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vcpu_write_vmcs(vcpu, VMCS_GUEST_RFLAGS, exit->rflags | RFLAGS_RF);
	end_step(vcpu, exit);
	return EXIT_RESUME_HERE;
}

static void set_blocking_by_nmi(struct vcpu *vcpu, const struct vm_exit *exit, bool blocked)
{
	u64 state = exit->interruptibility_state & ~BLOCKING_BY_NMI;

	vcpu_write_vmcs(vcpu, VMCS_GUEST_INTERRUPTIBILITY_STATE, blocked ? state | BLOCKING_BY_NMI : state);
}

enum exit_next resume_here(struct vcpu *vcpu, const struct vm_exit *exit, bool nmi_unblocking)
{
	u32 event = exit->idt_vectoring_information;

	if (event & EVENT_VALID) {
		if ((event >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK) == EVENT_NMI)
			set_blocking_by_nmi(vcpu, exit, false);
		if (event & EVENT_HAS_ERROR_CODE)
			vcpu_write_vmcs(vcpu, VMCS_ENTRY_EXCEPTION_ERROR_CODE,
					exit->idt_vectoring_error_code);
		if (exit->defined & EXIT_FIELD_LENGTH)
			vcpu_write_vmcs(vcpu, VMCS_ENTRY_INSTRUCTION_LENGTH, exit->instruction_length);
		vcpu_write_vmcs(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, event & EVENT_BITS);
	} else if (nmi_unblocking) {
		set_blocking_by_nmi(vcpu, exit, true);
	}
	return EXIT_RESUME_HERE;
}

static u32 hardware_exception(unsigned vector)
{
	return EVENT_VALID | EVENT_HARDWARE_EXCEPTION << EVENT_TYPE_SHIFT | vector;
}

/*
 * A fault pushes RFLAGS with RF set; an injected one pushes what the guest-state area holds (SDM, "Details of
 * Vectored-Event Injection").
 */
enum exit_next inject_exception(struct vcpu *vcpu, unsigned vector)
{
	vcpu_write_vmcs(vcpu, VMCS_GUEST_RFLAGS, vcpu_read_vmcs(vcpu, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	vcpu_write_vmcs(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION, hardware_exception(vector));
	return EXIT_RESUME_HERE;
}

/* SDM, "VM-Entry Controls for Event Injection": no error code is delivered while CR0.PE is 0. */
enum exit_next inject_exception_with_code(struct vcpu *vcpu, unsigned vector, u32 error_code)
{
	if (!(vcpu_read_vmcs(vcpu, VMCS_GUEST_CR0) & CR0_PE))
		return inject_exception(vcpu, vector);
	inject_exception(vcpu, vector);
	vcpu_write_vmcs(vcpu, VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
	vcpu_write_vmcs(vcpu, VMCS_ENTRY_INTERRUPTION_INFORMATION,
			hardware_exception(vector) | EVENT_HAS_ERROR_CODE);
	return EXIT_RESUME_HERE;
}

enum exit_next inject_page_fault(struct vcpu *vcpu, const struct memory_fault *fault)
{
	vcpu_write_state(vcpu, VCPU_CR2, fault->address);
	return inject_exception_with_code(vcpu, VECTOR_PAGE_FAULT, fault->error_code);
}

enum exit_next exit_unhandled(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return EXIT_UNHANDLED;
}
