/*
 * I/O instructions. The guest's bus is empty but for the exit port: IN reads all ones, OUT goes nowhere.
 * String instructions move through guest memory as the hardware would (SDM, "INS/INSB/INSW/INSD",
 * "OUTS/OUTSB/OUTSW/OUTSD").
 */
#include "arch/x86_64/registers.h"
#include "vmx/exit_fields.h"
#include "vmx/exit_port.h"
#include "vmx/exits/exits.h"
#include "vmx/prefixes.h"

/* How many elements of a REP are done in one exit; the rest exits again, so that no guest holds the
 * hypervisor. */
#define STRING_ELEMENTS_MAX 4096

#define CS_ACCESS_RIGHTS_DB BIT(14)

/* Access rights of a segment (SDM, "Format of Access Rights"): the type of data and code, and the rest. */
#define SEGMENT_WRITABLE BIT(1)	   /* of data */
#define SEGMENT_READABLE BIT(1)	   /* of code */
#define SEGMENT_EXPAND_DOWN BIT(2) /* of data */
#define SEGMENT_CODE BIT(3)
#define SEGMENT_DB BIT(14)
#define SEGMENT_UNUSABLE BIT(16)

/* VMCS fields of the segment registers stand in their order. */
#define SEGMENT_FIELD_STEP 2

static u64 size_mask(unsigned bytes)
{
	return bytes == 8 ? ~0ull : BIT(8 * bytes) - 1;
}

/* A write to the low bytes of a register; 32 bits clear the upper half, 8 and 16 leave the rest alone. */
static void write_register_part(struct vcpu *vcpu, enum general_register number, u64 value, unsigned bytes)
{
	u64 mask = size_mask(bytes);
	u64 kept = bytes == 4 ? 0 : vcpu_read_register(vcpu, number) & ~mask;

	vcpu_write_register(vcpu, number, kept | (value & mask));
}

struct string_io {
	enum general_register index; /* RDI for INS, RSI for OUTS */
	unsigned segment;	     /* number of the segment register */
	unsigned address_bytes;
	unsigned element_bytes;
	bool input;
	u64 segment_base;
};

/* Segment and address size, from the instruction: not every processor gives instruction information for them. */
static void find_operand(struct string_io *io, const struct vm_exit *exit)
{
	bool wide = in_64_bit_mode(exit);
	struct prefixes prefixes = read_prefixes(exit, wide, VALUE_SEGMENT_REGISTER_DS);

	io->segment = io->input ? VALUE_SEGMENT_REGISTER_ES : prefixes.segment;
	if (wide)
		io->address_bytes = prefixes.address_size ? 4 : 8;
	else
		io->address_bytes =
			!(exit->cs_access_rights & CS_ACCESS_RIGHTS_DB) == prefixes.address_size ? 4 : 2;
}

/* SDM, "Segment Type Checking"; real and virtual-8086 mode have no types. */
static bool type_allows(const struct vm_exit *exit, const struct string_io *io, u64 rights)
{
	if (!(exit->cr0 & CR0_PE) || (exit->rflags & RFLAGS_VM))
		return true;
	if (io->input)
		return !(rights & SEGMENT_CODE) && (rights & SEGMENT_WRITABLE);
	return !(rights & SEGMENT_CODE) || (rights & SEGMENT_READABLE);
}

/*
 * The exit of a string instruction comes before the checks of its memory operand, so they are made here:
 * segment, limit or, in 64-bit mode, canonical address (SDM, "Relative Priority of Faults and VM Exits").
 */
static bool segment_allows(struct vcpu *vcpu, const struct vm_exit *exit, const struct string_io *io,
			   u64 offset)
{
	u64 last = offset + io->element_bytes - 1;

	if (in_64_bit_mode(exit))
		return is_canonical(io->segment_base + offset) && is_canonical(io->segment_base + last);

	u64 rights = vcpu_read_vmcs(vcpu, VMCS_GUEST_ES_ACCESS_RIGHTS + SEGMENT_FIELD_STEP * io->segment);
	u64 limit = vcpu_read_vmcs(vcpu, VMCS_GUEST_ES_LIMIT + SEGMENT_FIELD_STEP * io->segment);

	if ((rights & SEGMENT_UNUSABLE) || !type_allows(exit, io, rights))
		return false;
	if (!(rights & SEGMENT_CODE) && (rights & SEGMENT_EXPAND_DOWN))
		return offset > limit && last <= (rights & SEGMENT_DB ? 0xffffffff : 0xffff);
	return last <= limit;
}

/* 64-bit mode ignores the SS prefix. */
static bool uses_stack_fault(const struct vm_exit *exit, const struct string_io *io)
{
	return io->segment == VALUE_SEGMENT_REGISTER_SS && !in_64_bit_mode(exit);
}

/* From the segment register, because the exit gives no linear address where the segment is unusable. */
static u64 segment_base(struct vcpu *vcpu, const struct vm_exit *exit, unsigned segment)
{
	if (in_64_bit_mode(exit) && segment != VALUE_SEGMENT_REGISTER_FS &&
	    segment != VALUE_SEGMENT_REGISTER_GS)
		return 0;
	return vcpu_read_vmcs(vcpu, VMCS_GUEST_ES_BASE + SEGMENT_FIELD_STEP * segment);
}

/* One element; false with *fault filled when guest memory cannot be accessed. */
static bool move_element(struct vcpu *vcpu, const struct vm_exit *exit, const struct string_io *io,
			 u64 offset, struct memory_fault *fault)
{
	static const u8 empty_bus[4] = {0xff, 0xff, 0xff, 0xff};
	u64 linear = io->segment_base + offset;
	u8 discarded[4];

	if (!in_64_bit_mode(exit))
		linear &= 0xffffffff;
	if (io->input)
		return vcpu_write_memory(vcpu, linear, empty_bus, io->element_bytes, fault);
	return vcpu_read_memory(vcpu, linear, discarded, io->element_bytes, fault);
}

static enum exit_next string_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	bool rep = FIELD_IO_INSTRUCTION_rep(exit->qualification);
	struct string_io io = {
		.input = FIELD_IO_INSTRUCTION_direction(exit->qualification) == VALUE_IO_DIRECTION_in,
		.element_bytes = FIELD_IO_INSTRUCTION_size(exit->qualification) + 1,
	};
	u64 step = exit->rflags & RFLAGS_DF ? -(u64)io.element_bytes : io.element_bytes;

	find_operand(&io, exit);
	u64 mask = size_mask(io.address_bytes);

	io.index = io.input ? RDI : RSI;
	io.segment_base = segment_base(vcpu, exit, io.segment);
	for (unsigned done = 0; done < STRING_ELEMENTS_MAX; done++) {
		u64 offset = vcpu_read_register(vcpu, io.index) & mask;
		struct memory_fault fault;

		if (rep && (vcpu_read_register(vcpu, RCX) & mask) == 0)
			return resume_past(vcpu, exit);
		if (!segment_allows(vcpu, exit, &io, offset))
			return inject_exception_with_code(
				vcpu,
				uses_stack_fault(exit, &io) ? VECTOR_STACK_FAULT : VECTOR_GENERAL_PROTECTION,
				0);
		if (!move_element(vcpu, exit, &io, offset, &fault))
			return fault.no_memory ? EXIT_UNHANDLED : inject_page_fault(vcpu, &fault);
		write_register_part(vcpu, io.index, vcpu_read_register(vcpu, io.index) + step,
				    io.address_bytes);
		if (!rep)
			return resume_past(vcpu, exit);
		write_register_part(vcpu, RCX, vcpu_read_register(vcpu, RCX) - 1, io.address_bytes);
		/* A single step traps after each iteration; the last one ends the instruction. */
		if ((exit->rflags & RFLAGS_TF) && (vcpu_read_register(vcpu, RCX) & mask) != 0)
			return resume_between(vcpu, exit);
	}
	return resume_between(vcpu, exit);
}

static bool is_power_off(struct vcpu *vcpu, u64 qualification)
{
	return FIELD_IO_INSTRUCTION_port(qualification) == EXIT_PORT &&
	       FIELD_IO_INSTRUCTION_direction(qualification) == VALUE_IO_DIRECTION_out &&
	       FIELD_IO_INSTRUCTION_size(qualification) == VALUE_IO_SIZE_2 &&
	       (vcpu_read_register(vcpu, RAX) & 0xffff) == EXIT_PORT_VALUE;
}

enum exit_next exit_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 qualification = exit->qualification;

	if (FIELD_IO_INSTRUCTION_string(qualification))
		return string_io(vcpu, exit);
	if (is_power_off(vcpu, qualification))
		return EXIT_POWER_OFF;
	if (FIELD_IO_INSTRUCTION_direction(qualification) == VALUE_IO_DIRECTION_in)
		write_register_part(vcpu, RAX, ~0ull, FIELD_IO_INSTRUCTION_size(qualification) + 1);
	return resume_past(vcpu, exit);
}
