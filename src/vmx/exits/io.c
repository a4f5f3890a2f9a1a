/*
 * I/O instructions. The guest's bus is empty but for the exit port: IN reads all ones, OUT goes nowhere.
 * String instructions move through guest memory as the hardware would (SDM, "INS/INSB/INSW/INSD",
 * "OUTS/OUTSB/OUTSW/OUTSD").
 */
#include "arch/x86_64/registers.h"
#include "vmx/exit_fields.h"
#include "vmx/exit_port.h"
#include "vmx/exits/exits.h"

/* How many elements of a REP are done in one exit; the rest exits again, so that no guest holds the
 * hypervisor. */
#define STRING_ELEMENTS_MAX 4096

#define PREFIX_ADDRESS_SIZE 0x67
#define CS_ACCESS_RIGHTS_DB BIT(14)

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

static bool is_prefix(u8 byte)
{
	switch (byte) {
	case 0x26: /* segment overrides */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* operand size */
	case PREFIX_ADDRESS_SIZE:
	case 0xf0: /* LOCK, REPNE, REP */
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

/*
 * The address size of a string instruction, in bytes: the code segment's, changed by a prefix. From the
 * instruction and not from the instruction information, which not every processor gives for INS and OUTS.
 */
static unsigned address_size(const struct vm_exit *exit)
{
	bool prefixed = false;

	for (u32 i = 0; i < exit->instruction_size && is_prefix(exit->instruction[i]); i++)
		prefixed |= exit->instruction[i] == PREFIX_ADDRESS_SIZE;
	if (in_64_bit_mode(exit))
		return prefixed ? 4 : 8;
	return !(exit->cs_access_rights & CS_ACCESS_RIGHTS_DB) == prefixed ? 4 : 2;
}

struct string_io {
	enum general_register index; /* RDI for INS, RSI for OUTS */
	unsigned address_bytes;
	unsigned element_bytes;
	bool input;
	u64 segment_base;
};

/* One element; false with *fault filled when guest memory cannot be accessed. */
static bool move_element(struct vcpu *vcpu, const struct string_io *io, struct memory_fault *fault)
{
	static const u8 empty_bus[4] = {0xff, 0xff, 0xff, 0xff};
	u64 linear = io->segment_base + (vcpu_read_register(vcpu, io->index) & size_mask(io->address_bytes));
	u8 discarded[4];

	if (io->address_bytes != 8)
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
		.address_bytes = address_size(exit),
	};
	u64 mask = size_mask(io.address_bytes);
	u64 step = exit->rflags & RFLAGS_DF ? -(u64)io.element_bytes : io.element_bytes;

	io.index = io.input ? RDI : RSI;
	io.segment_base = exit->guest_linear_address - (vcpu_read_register(vcpu, io.index) & mask);
	for (unsigned done = 0; done < STRING_ELEMENTS_MAX; done++) {
		struct memory_fault fault;

		if (rep && (vcpu_read_register(vcpu, RCX) & mask) == 0)
			return resume_past(vcpu, exit);
		if (!move_element(vcpu, &io, &fault))
			return fault.no_memory ? EXIT_UNHANDLED : inject_page_fault(vcpu, &fault);
		write_register_part(vcpu, io.index, vcpu_read_register(vcpu, io.index) + step,
				    io.address_bytes);
		if (!rep)
			return resume_past(vcpu, exit);
		write_register_part(vcpu, RCX, vcpu_read_register(vcpu, RCX) - 1, io.address_bytes);
	}
	return EXIT_RESUME_HERE;
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
