/*
 * The table of exit reasons: which handler answers each, and which exit-information fields are defined. The
 * run loop calls exit_dispatch for every exit; nothing here touches the processor.
 */
#include "vmx/exit.h"
#include "vmx/exit_fields.h"
#include "vmx/exits/exits.h"
#include "vmx/prefixes.h"

/* What the column "also" of exit_reasons.def says. */
enum also {
	NONE = 0,
	LENGTH = 1 << 0,
	LINEAR = 1 << 1,
	PHYSICAL = 1 << 2,
	INTERRUPTION = 1 << 3,
	SOFTWARE_LENGTH = 1 << 4,
	STRING_LINEAR = 1 << 5,
	LMSW_LINEAR = 1 << 6,
	TRANSLATION_LINEAR = 1 << 7,
	TASK_LENGTH = 1 << 8,
	APIC_LENGTH = 1 << 9,
};

/* What the column "instruction_information" says, as far as it matters here: whether there is any. */
enum information_format {
	INFORMATION_NONE,
	INFORMATION_INS_OUTS,
	INFORMATION_INVALIDATE,
	INFORMATION_GDTR_IDTR,
	INFORMATION_LDTR_TR,
	INFORMATION_RDRAND_RDSEED,
	INFORMATION_VMX_MEMORY,
	INFORMATION_VMREAD_VMWRITE,
	INFORMATION_LOADIWKEY,
	INFORMATION_UNINTERPRETED,
};

static const struct reason {
	const char *name;
	exit_handler *handler;
	enum information_format information;
	u32 also;
} reasons[] = {
#define EXIT_REASON(number, name_, handler_, qualification, information_, also_, position, title)            \
	[number] = {                                                                                         \
		.name = #name_,                                                                              \
		.handler = handler_,                                                                         \
		.information = INFORMATION_##information_,                                                   \
		.also = also_,                                                                               \
	},
#include "vmx/exit_reasons.def"
#undef EXIT_REASON
};

/* NULL for a number that the SDM does not assign. */
static const struct reason *find_reason(unsigned basic_reason)
{
	if (basic_reason >= ARRAY_SIZE(reasons) || !reasons[basic_reason].name)
		return NULL;
	return &reasons[basic_reason];
}

const char *exit_reason_name(unsigned basic_reason)
{
	const struct reason *reason = find_reason(basic_reason);

	return reason ? reason->name : "unassigned";
}

static bool is_software_event(u32 information)
{
	u32 type = information >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK;

	return (information & EVENT_VALID) &&
	       (type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_SOFTWARE_EXCEPTION ||
		type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
}

static u32 event_fields(const struct vm_exit *exit, u32 also)
{
	u32 defined = 0;

	if (also & INTERRUPTION) {
		defined |= EXIT_FIELD_INTERRUPTION;
		if ((exit->interruption_information & EVENT_VALID) &&
		    (exit->interruption_information & EVENT_HAS_ERROR_CODE))
			defined |= EXIT_FIELD_INTERRUPTION_ERROR;
	}
	if (exit->idt_vectoring_information & EVENT_VALID) {
		defined |= EXIT_FIELD_IDT_VECTORING;
		if (exit->idt_vectoring_information & EVENT_HAS_ERROR_CODE)
			defined |= EXIT_FIELD_IDT_VECTORING_ERROR;
	}
	return defined;
}

/* SDM, "Information for VM Exits Due to Instruction Execution": the instruction length. */
static bool length_defined(const struct vm_exit *exit, u32 also)
{
	u64 qualification = exit->qualification;

	if (also & LENGTH)
		return true;
	if (also & TASK_LENGTH)
		return FIELD_TASK_SWITCH_source(qualification) != VALUE_TASK_SWITCH_SOURCE_task_gate ||
		       is_software_event(exit->idt_vectoring_information);
	if (also & APIC_LENGTH)
		return FIELD_APIC_ACCESS_access(qualification) ==
			       VALUE_APIC_ACCESS_TYPE_linear_event_delivery &&
		       is_software_event(exit->idt_vectoring_information);
	return (also & SOFTWARE_LENGTH) &&
	       (((also & INTERRUPTION) && is_software_event(exit->interruption_information)) ||
		is_software_event(exit->idt_vectoring_information));
}

/* The segment of the memory operand: INS always uses ES, OUTS what its prefixes say. */
static unsigned string_segment(const struct vm_exit *exit)
{
	if (FIELD_IO_INSTRUCTION_direction(exit->qualification) == VALUE_IO_DIRECTION_in)
		return VALUE_SEGMENT_REGISTER_ES;
	return read_prefixes(exit, in_64_bit_mode(exit), VALUE_SEGMENT_REGISTER_DS).segment;
}

static bool linear_defined(const struct vm_exit *exit, u32 also)
{
	u64 qualification = exit->qualification;

	if (also & LINEAR)
		return true;
	if (also & STRING_LINEAR)
		return FIELD_IO_INSTRUCTION_string(qualification) &&
		       !(exit->unusable_segments & BIT(string_segment(exit)));
	if (also & LMSW_LINEAR)
		return FIELD_CR_ACCESS_access(qualification) == VALUE_CR_ACCESS_TYPE_lmsw &&
		       FIELD_CR_ACCESS_lmsw_operand(qualification) == VALUE_OPERAND_TYPE_memory;
	if (also & TRANSLATION_LINEAR)
		return FIELD_EPT_VIOLATION_linear_valid(qualification);
	return false;
}

u32 exit_fields_defined(const struct vm_exit *exit, bool string_information)
{
	const struct reason *reason = find_reason(exit_basic_reason(exit));

	/* All but reason and qualification are left over from an earlier exit (SDM, "VM-Entry Failures During
	 * or After Loading Guest State"). */
	if (exit->reason & EXIT_REASON_ENTRY_FAILURE)
		return 0;
	if (!reason)
		return event_fields(exit, NONE);

	u32 defined = event_fields(exit, reason->also);

	if (length_defined(exit, reason->also))
		defined |= EXIT_FIELD_LENGTH;
	if (linear_defined(exit, reason->also))
		defined |= EXIT_FIELD_LINEAR;
	if (reason->also & PHYSICAL)
		defined |= EXIT_FIELD_PHYSICAL;
	if (reason->information == INFORMATION_INS_OUTS) {
		if (string_information && FIELD_IO_INSTRUCTION_string(exit->qualification))
			defined |= EXIT_FIELD_INFORMATION;
	} else if (reason->information != INFORMATION_NONE) {
		defined |= EXIT_FIELD_INFORMATION;
	}
	return defined;
}

enum exit_next exit_dispatch(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const struct reason *reason = find_reason(exit_basic_reason(exit));

	return reason ? reason->handler(vcpu, exit) : exit_unhandled(vcpu, exit);
}
