/*
 * One VM exit as plain data, its dispatch, and what the architecture says about it. struct vm_exit is what
 * handlers are given, what the recorder writes, and what a replayer fills in.
 */
#ifndef VMX_EXIT_H
#define VMX_EXIT_H

#include "lib/types.h"

struct vcpu;

enum exit_reason {
#define EXIT_REASON(number, name, ...) EXIT_REASON_##name = number,
#include "vmx/exit_reasons.def"
#undef EXIT_REASON
};
#define EXIT_REASON_BASIC_MASK 0xffff
#define EXIT_REASON_ENTRY_FAILURE BIT(31)

enum exit_next {
#define EXIT_NEXT(number, name, meaning) EXIT_##name = number,
#include "vmx/exit_next.def"
#undef EXIT_NEXT
};

/* Exit-information fields that only some exits define (exit_reasons.def, the column "also"). */
enum exit_field {
	EXIT_FIELD_LENGTH = 1 << 0,
	EXIT_FIELD_INFORMATION = 1 << 1,
	EXIT_FIELD_LINEAR = 1 << 2,
	EXIT_FIELD_PHYSICAL = 1 << 3,
	EXIT_FIELD_INTERRUPTION = 1 << 4,
	EXIT_FIELD_INTERRUPTION_ERROR = 1 << 5,
	EXIT_FIELD_IDT_VECTORING = 1 << 6,
	EXIT_FIELD_IDT_VECTORING_ERROR = 1 << 7,
};

/* Valid and error-code bits of interruption and IDT-vectoring information, and their type field. */
#define EVENT_VECTOR_MASK 0xffu
#define EVENT_TYPE_SHIFT 8
#define EVENT_TYPE_MASK 7u
#define EVENT_HAS_ERROR_CODE BIT(11)
#define EVENT_VALID BIT(31)

enum event_type {
	EVENT_EXTERNAL_INTERRUPT = 0,
	EVENT_NMI = 2,
	EVENT_HARDWARE_EXCEPTION = 3,
	EVENT_SOFTWARE_INTERRUPT = 4,
	EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
	EVENT_SOFTWARE_EXCEPTION = 6,
	EVENT_OTHER = 7,
};

/* The privilege level of SS, which is the guest's CPL (SDM, "Guest Register State"). */
#define CPL_OF_ACCESS_RIGHTS(rights) (((rights) >> 5) & 3)

#define INSTRUCTION_BYTES_MAX 15
#define GENERAL_REGISTER_COUNT 16

/* General registers, in the order of instruction encodings. */
enum general_register { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct vm_exit {
	u32 number;    /* of this guest's run, from 0 */
	u32 processor; /* that took it */
	u64 time;      /* host TSC ticks that the guest has run for: VM entries to exits, summed up */

	u32 reason;  /* the whole exit-reason field */
	u32 defined; /* enum exit_field: which of the fields below the architecture defines for this exit */
	u64 qualification;
	u32 instruction_length;
	u32 instruction_information;
	u64 guest_linear_address;
	u64 guest_physical_address;
	u32 interruption_information;
	u32 interruption_error_code;
	u32 idt_vectoring_information;
	u32 idt_vectoring_error_code;

	/* The guest's state as the exit saved it, before any handler ran. */
	u64 rip;
	u64 rflags;
	u16 cs_selector;
	u64 cs_base;
	u32 cs_access_rights;
	u64 cr0;
	u64 cr3;
	u64 cr4;
	u64 efer;
	u32 activity_state;
	u32 interruptibility_state;
	u64 registers[GENERAL_REGISTER_COUNT];
	u8 instruction[INSTRUCTION_BYTES_MAX];
	u32 instruction_size;  /* how many bytes could be read */
	u32 unusable_segments; /* a bit for each number of a segment register; known for string I/O only */
};

static inline unsigned exit_basic_reason(const struct vm_exit *exit)
{
	return exit->reason & EXIT_REASON_BASIC_MASK;
}

/* The reason's name; "unassigned" for a number that the SDM does not assign. */
const char *exit_reason_name(unsigned basic_reason);

/*
 * Which exit-information fields the architecture defines for an exit (enum exit_field), from the fields that
 * decide about the others: reason, qualification, interruption_information, idt_vectoring_information; for INS
 * and OUTS also the guest's mode, the instruction, and unusable_segments.
 * string_information: the processor reports instruction information for INS and OUTS. Pure. SDM, "Basic
 * VM-Exit Information", "Information for VM Exits Due to Instruction Execution".
 */
u32 exit_fields_defined(const struct vm_exit *exit, bool string_information);

/* Calls the handler that exit_reasons.def names; exit_unhandled for a number without a row. */
enum exit_next exit_dispatch(struct vcpu *vcpu, const struct vm_exit *exit);

#endif
