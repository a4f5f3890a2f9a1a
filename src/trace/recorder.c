/*
 * One function a kind of record. Keys are record.def's; the helpers put_* write one field each, and leave out
 * what the schema says may be left out.
 */
#include "trace/recorder.h"
#include "arch/x86_64/traps.h"
#include "trace/cbor.h"

#define RECORD_SCHEMA(version) enum { SCHEMA_VERSION = version };
#include "trace/record.def"
#undef RECORD_SCHEMA

enum record_kind {
#define RECORD(kind, name, meaning) KIND_##name = kind,
#include "trace/record.def"
#undef RECORD
};

enum record_key {
#define RECORD_FIELD(record, key, name, type, presence, meaning) KEY_##record##_##name = key,
#include "trace/record.def"
#undef RECORD_FIELD
};

static struct wire wire;
static u64 sequence;

void recorder_start(void (*send)(const void *data, size_t size))
{
	wire.send = send;
	sequence = 0;
}

static void put_uint(u64 key, u64 value)
{
	cbor_uint(&wire, key);
	cbor_uint(&wire, value);
}

static void put_nonzero(u64 key, u64 value)
{
	if (value)
		put_uint(key, value);
}

static void put_text(u64 key, const char *text)
{
	cbor_uint(&wire, key);
	cbor_text(&wire, text);
}

static void put_nonzero_map(u64 key, const u64 *values, unsigned count)
{
	cbor_uint(&wire, key);
	cbor_map_begin(&wire);
	for (unsigned i = 0; i < count; i++)
		put_nonzero(i, values[i]);
	cbor_map_end(&wire);
}

/* False while nothing listens. */
static bool begin(enum record_kind kind)
{
	if (!wire.send)
		return false;
	wire_frame_begin(&wire);
	cbor_map_begin(&wire);
	put_uint(KEY_ANY_kind, kind);
	put_uint(KEY_ANY_sequence, sequence++);
	return true;
}

static void end(void)
{
	cbor_map_end(&wire);
	wire_frame_end(&wire);
}

void record_header(const struct record_header *header)
{
	if (!begin(KIND_HEADER))
		return;
	put_uint(KEY_HEADER_schema, SCHEMA_VERSION);
	put_text(KEY_HEADER_build, header->build);
	put_text(KEY_HEADER_command_line, header->command_line);
	put_text(KEY_HEADER_loader, header->loader);
	put_text(KEY_HEADER_hypervisor, header->hypervisor);
	put_text(KEY_HEADER_vendor, header->vendor);
	put_text(KEY_HEADER_brand, header->brand);
	put_uint(KEY_HEADER_signature, header->signature);
	put_uint(KEY_HEADER_processors, header->processors);
	cbor_uint(&wire, KEY_HEADER_capabilities);
	cbor_map_begin(&wire);
	put_uint(IA32_FEATURE_CONTROL, header->capability->feature_control);
	for (unsigned i = 0; i < VMX_MSR_COUNT; i++) {
		if (header->capability->present & BIT(i))
			put_uint(VMX_MSR_FIRST + i, header->capability->msr[i]);
	}
	cbor_map_end(&wire);
	put_uint(KEY_HEADER_guests, header->guests);
	put_uint(KEY_HEADER_selected, header->selected);
	end();
}

void record_catalogue(u32 index, const char *name, u32 digest)
{
	if (!begin(KIND_CATALOGUE))
		return;
	put_uint(KEY_CATALOGUE_index, index);
	put_text(KEY_CATALOGUE_name, name);
	put_uint(KEY_CATALOGUE_digest, digest);
	end();
}

void record_guest_begin(u32 index, const char *name, const struct controls *controls, u32 exception_bitmap)
{
	if (!begin(KIND_GUEST_BEGIN))
		return;
	put_uint(KEY_GUEST_BEGIN_index, index);
	put_text(KEY_GUEST_BEGIN_name, name);
	put_nonzero_map(KEY_GUEST_BEGIN_controls, controls->value, CONTROL_WORD_COUNT);
	put_nonzero(KEY_GUEST_BEGIN_exception_bitmap, exception_bitmap);
	end();
}

static void put_information(const struct vm_exit *exit)
{
	const struct {
		u32 field;
		enum record_key key;
		u64 value;
	} fields[] = {
		{EXIT_FIELD_LENGTH, KEY_EXIT_instruction_length, exit->instruction_length},
		{EXIT_FIELD_INFORMATION, KEY_EXIT_instruction_information, exit->instruction_information},
		{EXIT_FIELD_LINEAR, KEY_EXIT_guest_linear_address, exit->guest_linear_address},
		{EXIT_FIELD_PHYSICAL, KEY_EXIT_guest_physical_address, exit->guest_physical_address},
		{EXIT_FIELD_INTERRUPTION, KEY_EXIT_interruption_information, exit->interruption_information},
		{EXIT_FIELD_INTERRUPTION_ERROR, KEY_EXIT_interruption_error_code,
		 exit->interruption_error_code},
		{EXIT_FIELD_IDT_VECTORING, KEY_EXIT_idt_vectoring_information,
		 exit->idt_vectoring_information},
		{EXIT_FIELD_IDT_VECTORING_ERROR, KEY_EXIT_idt_vectoring_error_code,
		 exit->idt_vectoring_error_code},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		if (exit->defined & fields[i].field)
			put_uint(fields[i].key, fields[i].value);
	}
}

void record_exit(const struct vm_exit *exit, enum exit_next next)
{
	if (!begin(KIND_EXIT))
		return;
	put_uint(KEY_EXIT_number, exit->number);
	put_uint(KEY_EXIT_reason, exit->reason);
	put_nonzero(KEY_EXIT_qualification, exit->qualification);
	put_information(exit);
	put_uint(KEY_EXIT_rip, exit->rip);
	put_uint(KEY_EXIT_rflags, exit->rflags);
	put_nonzero(KEY_EXIT_cs_selector, exit->cs_selector);
	put_nonzero(KEY_EXIT_cs_base, exit->cs_base);
	put_uint(KEY_EXIT_cs_access_rights, exit->cs_access_rights);
	put_nonzero(KEY_EXIT_cr0, exit->cr0);
	put_nonzero(KEY_EXIT_cr3, exit->cr3);
	put_nonzero(KEY_EXIT_cr4, exit->cr4);
	put_nonzero(KEY_EXIT_efer, exit->efer);
	put_nonzero(KEY_EXIT_activity_state, exit->activity_state);
	put_nonzero(KEY_EXIT_interruptibility_state, exit->interruptibility_state);
	put_nonzero_map(KEY_EXIT_registers, exit->registers, GENERAL_REGISTER_COUNT);
	if (exit->instruction_size) {
		cbor_uint(&wire, KEY_EXIT_instruction);
		cbor_bytes(&wire, exit->instruction, exit->instruction_size);
	}
	put_uint(KEY_EXIT_time, exit->time);
	put_nonzero(KEY_EXIT_next, next);
	put_nonzero(KEY_EXIT_processor, exit->processor);
	end();
}

void record_guest_end(u32 index, enum outcome outcome, u32 exits, u32 instruction_error, const char *detail)
{
	if (!begin(KIND_GUEST_END))
		return;
	put_uint(KEY_GUEST_END_index, index);
	put_uint(KEY_GUEST_END_outcome, outcome);
	put_uint(KEY_GUEST_END_exits, exits);
	put_nonzero(KEY_GUEST_END_instruction_error, instruction_error);
	if (detail)
		put_text(KEY_GUEST_END_detail, detail);
	end();
}

void record_log(const char *message)
{
	if (!begin(KIND_LOG))
		return;
	put_text(KEY_LOG_message, message);
	end();
}

void record_panic(const struct panic_info *info)
{
	if (!begin(KIND_PANIC))
		return;
	put_text(KEY_PANIC_message, info->message);
	if (info->frame) {
		put_uint(KEY_PANIC_vector, info->frame->vector);
		put_uint(KEY_PANIC_error_code, info->frame->error);
		put_uint(KEY_PANIC_rip, info->frame->rip);
		put_uint(KEY_PANIC_rflags, info->frame->rflags);
		put_nonzero_map(KEY_PANIC_registers, info->frame->general, TRAP_REGISTER_COUNT);
	}
	put_uint(KEY_PANIC_cr2, info->cr2);
	put_uint(KEY_PANIC_cr3, info->cr3);
	put_uint(KEY_PANIC_processor, info->processor);
	end();
}

void record_end(enum stop_code stop, const char *detail, u32 guests)
{
	if (!begin(KIND_END))
		return;
	put_uint(KEY_END_stop, stop);
	put_text(KEY_END_detail, detail);
	put_uint(KEY_END_guests, guests);
	end();
	wire.send = NULL;
}
