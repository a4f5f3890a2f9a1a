/*
 * Applies a guest's notes. Each kind of note has a row in `appliers`: in which phase it counts, how long its
 * payload must be, and the function that applies it. Phases run in order over the whole head, so that what a
 * guest needs is known before anything is built, and VMCS fields are written last of all.
 */
#include "guest/setup.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/stop.h"
#include "guest/layout.h"
#include "lib/format.h"
#include "lib/string.h"

#define LARGE_MEMORY_SIZE EPT_PAGE_2M

/* Bits of PASS_MSR's accesses that mean something. */
#define MSR_ACCESSES (MSR_READ | MSR_WRITE)

enum phase {
	PHASE_NEEDS,  /* what the guest is and needs: mode, controls, features */
	PHASE_LAYOUT, /* what its memory looks like, and what passes without an exit */
	PHASE_FIELDS, /* VMCS fields */
	PHASE_COUNT,
	PHASE_HARNESS /* nothing for the kernel */
};

/* What an applier works on. */
struct application {
	struct setup *setup;
	struct vcpu *vcpu;
	const struct guest *guest;
	unsigned processors;
	u64 time_limit;
	bool large_pages;
	bool has_entry;
};

/* A payload, read field by field in the order of notes.def. Its length was checked before. */
struct payload {
	const u8 *at;
};

static u32 take_u32(struct payload *payload)
{
	u32 value;

	memcpy(&value, payload->at, sizeof(value));
	payload->at += sizeof(value);
	return value;
}

static u64 take_u64(struct payload *payload)
{
	u64 value;

	memcpy(&value, payload->at, sizeof(value));
	payload->at += sizeof(value);
	return value;
}

static const char *take_text(struct payload *payload)
{
	return (const char *)payload->at;
}

static enum setup_result say(struct application *a, enum setup_result result, const char *fmt, ...)
	__printf_like(3, 4);

static enum setup_result say(struct application *a, enum setup_result result, const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	vformat(a->setup->detail, sizeof(a->setup->detail), fmt, arguments);
	va_end(arguments);
	return result;
}

typedef enum setup_result apply_note(struct application *a, struct payload payload);

static enum setup_result apply_mode(struct application *a, struct payload payload)
{
	u32 mode = take_u32(&payload);
	u32 ring = take_u32(&payload);
	const char *missing;

	if (mode >= MODE_COUNT)
		return say(a, SETUP_MALFORMED, "MODE %u is not in modes.def", mode);
	if (ring != 0 && ring != 3)
		return say(a, SETUP_MALFORMED, "MODE with ring %u: it must be 0 or 3", ring);
	if (ring == 3 && mode == MODE_REAL16)
		return say(a, SETUP_MALFORMED, "MODE REAL16 has no ring 3");
	a->setup->mode = (enum mode)mode;
	a->setup->ring = ring;
	if (!mode_need_controls(a->setup->mode, a->vcpu, &missing))
		return say(a, SETUP_SKIPPED, "mode %s needs the control \"%s\"", mode_name(a->setup->mode),
			   missing);
	return SETUP_READY;
}

static enum setup_result apply_entry(struct application *a, struct payload payload)
{
	a->setup->entry = take_u64(&payload);
	a->has_entry = true;
	return SETUP_READY;
}

static enum setup_result apply_need_cpuid(struct application *a, struct payload payload)
{
	u32 leaf = take_u32(&payload);
	u32 subleaf = take_u32(&payload);
	u32 number = take_u32(&payload);
	u32 bit = take_u32(&payload);
	struct cpuid_result result = cpuid(leaf, subleaf);
	const u32 registers[4] = {result.eax, result.ebx, result.ecx, result.edx};

	if (number >= ARRAY_SIZE(registers) || bit >= 32)
		return say(a, SETUP_MALFORMED, "NEED of CPUID register %u bit %u: there is no such bit",
			   number, bit);
	/* A leaf above the highest one of its range answers with another leaf's values. */
	if (cpuid(leaf & 0x80000000, 0).eax < leaf || !(registers[number] & BIT(bit)))
		return say(a, SETUP_SKIPPED, "the processor lacks %s (CPUID 0x%x.%u)", take_text(&payload),
			   leaf, subleaf);
	return SETUP_READY;
}

static enum setup_result apply_need_capability(struct application *a, struct payload payload)
{
	u32 msr = take_u32(&payload);
	u32 bit = take_u32(&payload);

	if (bit >= 64)
		return say(a, SETUP_MALFORMED, "NEED of bit %u of MSR 0x%x: there is no such bit", bit, msr);
	if (!(vmx_capability_msr(a->vcpu->capability, msr) & BIT(bit)))
		return say(a, SETUP_SKIPPED, "the processor lacks %s (MSR 0x%x bit %u)", take_text(&payload),
			   msr, bit);
	return SETUP_READY;
}

static enum setup_result apply_need_processors(struct application *a, struct payload payload)
{
	u32 count = take_u32(&payload);

	if (a->processors < count)
		return say(a, SETUP_SKIPPED, "it needs %u processors, there are %u", count, a->processors);
	return SETUP_READY;
}

static enum setup_result apply_control(struct application *a, struct payload payload)
{
	u32 word = take_u32(&payload);
	u32 bit = take_u32(&payload);
	u32 value = take_u32(&payload);

	if (word >= CONTROL_WORD_COUNT || bit >= 64 || value > 1)
		return say(a, SETUP_MALFORMED, "CONTROL word %u, bit %u, value %u: out of range", word, bit,
			   value);

	enum control control = CONTROL_AT(word, bit);

	if (!control_change(&a->vcpu->controls, a->vcpu->capability, control, value))
		return say(a, SETUP_SKIPPED,
			   "the processor does not allow the control \"%s\" (%s, bit %u) to be %u",
			   control_name(control), control_word_name(control_word(control)), bit, value);
	if (control == CONTROL_ACTIVATE_PREEMPTION_TIMER)
		a->setup->owns_timer = true;
	return SETUP_READY;
}

static enum setup_result apply_large_ept_pages(struct application *a, struct payload payload)
{
	(void)payload;
	if (!vmx_capable(a->vcpu->capability, CAPABILITY_EPT_2M))
		return say(a, SETUP_SKIPPED, "the processor lacks 2 MiB EPT pages");
	a->large_pages = true;
	return SETUP_READY;
}

static enum setup_result apply_pass_ports(struct application *a, struct payload payload)
{
	u32 first = take_u32(&payload);
	u32 last = take_u32(&payload);

	if (first > last || last > 0xffff)
		return say(a, SETUP_MALFORMED, "PASS_PORTS 0x%x to 0x%x: not a range of ports", first, last);
	io_bitmaps_pass(a->vcpu->io_bitmaps, first, last);
	return SETUP_READY;
}

/* The hypervisor lives by its local APIC: a guest that wrote these would leave it without a watchdog. */
static bool is_host_apic_msr(u32 msr)
{
	return msr == IA32_APIC_BASE || (msr >= IA32_X2APIC_FIRST && msr <= IA32_X2APIC_LAST);
}

static enum setup_result apply_pass_msr(struct application *a, struct payload payload)
{
	u32 msr = take_u32(&payload);
	u32 accesses = take_u32(&payload);

	if (accesses == 0 || (accesses & ~MSR_ACCESSES))
		return say(a, SETUP_MALFORMED, "PASS_MSR 0x%x with accesses %u: 1 read, 2 write, 3 both", msr,
			   accesses);
	if ((accesses & MSR_WRITE) && is_host_apic_msr(msr))
		return say(a, SETUP_MALFORMED, "PASS_MSR 0x%x for writing: the hypervisor's own local APIC",
			   msr);
	if (!msr_bitmap_pass(a->vcpu->msr_bitmap, msr, accesses))
		return say(a, SETUP_MALFORMED, "PASS_MSR 0x%x: outside the MSR bitmap, it always exits", msr);
	if (!vcpu_own_msr(a->vcpu, msr))
		return say(a, SETUP_SKIPPED, "the processor has no MSR 0x%x", msr);
	return SETUP_READY;
}

static enum setup_result apply_ept_access(struct application *a, struct payload payload)
{
	u64 address = take_u64(&payload);
	u64 length = take_u64(&payload);
	u32 access = take_u32(&payload);

	if (!a->vcpu->memory.has_ept)
		return say(a, SETUP_SKIPPED, "the processor lacks EPT");
	if (access & ~EPT_ALL)
		return say(a, SETUP_MALFORMED, "EPT_ACCESS with access 0x%x: 1 read, 2 write, 4 execute",
			   access);
	if (!ept_protect(&a->vcpu->memory.ept, address, length, access))
		return say(a, SETUP_MALFORMED, "EPT_ACCESS 0x%lx, length 0x%lx: outside the guest's memory",
			   address, length);
	return SETUP_READY;
}

static enum setup_result apply_page(struct application *a, struct payload payload)
{
	u64 address = take_u64(&payload);
	u64 length = take_u64(&payload);
	u64 set = take_u64(&payload);
	u64 clear = take_u64(&payload);

	u64 mapped = mode_mapped_bytes(a->setup->mode, a->vcpu);

	if (address >= mapped || length > mapped - address)
		return say(a, SETUP_MALFORMED,
			   "PAGE 0x%lx, length 0x%lx: the guest's page tables map 0x%lx bytes", address,
			   length, mapped);
	mode_change_pages(a->setup->mode, a->vcpu, address, length, set, clear);
	return SETUP_READY;
}

static enum setup_result apply_gate(struct application *a, struct payload payload)
{
	u32 vector = take_u32(&payload);
	u64 handler = take_u64(&payload);

	if (vector > 255)
		return say(a, SETUP_MALFORMED, "GATE %u: vectors go from 0 to 255", vector);
	mode_set_gate(a->setup->mode, a->vcpu, vector, handler);
	return SETUP_READY;
}

static enum setup_result apply_register(struct application *a, struct payload payload)
{
	u32 number = take_u32(&payload);
	u64 value = take_u64(&payload);

	if (number >= GENERAL_REGISTER_COUNT || number == RSP)
		return say(a, SETUP_MALFORMED, "REGISTER %u: 0 to 15, and RSP by VMCS GUEST_RSP", number);
	a->vcpu->registers[number] = value;
	return SETUP_READY;
}

static enum setup_result apply_pending_interrupt(struct application *a, struct payload payload)
{
	u32 vector = take_u32(&payload);

	if (vector < 32 || vector > 255)
		return say(a, SETUP_MALFORMED, "PENDING_INTERRUPT %u: vectors go from 32 to 255", vector);
	a->setup->pending_interrupt = (int)vector;
	return SETUP_READY;
}

static enum setup_result apply_moves(struct application *a, struct payload payload)
{
	(void)payload;
	if (a->processors < 2)
		return say(a, SETUP_SKIPPED, "it needs 2 processors to move between, there is 1");
	a->setup->moves = true;
	return SETUP_READY;
}

static enum setup_result apply_vmcs(struct application *a, struct payload payload)
{
	u32 encoding = take_u32(&payload);
	u64 value = take_u64(&payload);
	u32 error;

	if (encoding == VMCS_PREEMPTION_TIMER_VALUE && a->setup->timer_is_watchdog)
		return say(a, SETUP_MALFORMED,
			   "VMCS PREEMPTION_TIMER_VALUE without CONTROL ACTIVATE_PREEMPTION_TIMER: until a "
			   "guest takes the timer, it is the watchdog's");
	if (!vmcs_try_write(encoding, value, &error))
		return say(a, SETUP_SKIPPED, "the processor has no VMCS field %s (0x%x) to write: %s",
			   vmcs_field_name(encoding), encoding, vm_instruction_error_meaning(error));
	return SETUP_READY;
}

#define NO_TEXT false
#define HAS_TEXT true

static const struct applier {
	enum phase phase;
	apply_note *apply;
	size_t fixed_size; /* of the payload's numbers, in bytes */
	bool text;	   /* a text follows them */
} appliers[] = {
	[NOTE_MODE] = {PHASE_NEEDS, apply_mode, 8, NO_TEXT},
	[NOTE_ENTRY] = {PHASE_NEEDS, apply_entry, 8, NO_TEXT},
	[NOTE_REASON] = {PHASE_HARNESS, NULL, 4, NO_TEXT},
	[NOTE_SECTION] = {PHASE_HARNESS, NULL, 0, HAS_TEXT},
	[NOTE_EXPECT] = {PHASE_HARNESS, NULL, 12, NO_TEXT},
	[NOTE_EXPECT_VMFAIL] = {PHASE_HARNESS, NULL, 4, NO_TEXT},
	[NOTE_NEED_CPUID] = {PHASE_NEEDS, apply_need_cpuid, 16, HAS_TEXT},
	[NOTE_NEED_CAPABILITY] = {PHASE_NEEDS, apply_need_capability, 8, HAS_TEXT},
	[NOTE_NEED_PROCESSORS] = {PHASE_NEEDS, apply_need_processors, 4, NO_TEXT},
	[NOTE_CONTROL] = {PHASE_NEEDS, apply_control, 12, NO_TEXT},
	[NOTE_LARGE_EPT_PAGES] = {PHASE_NEEDS, apply_large_ept_pages, 0, NO_TEXT},
	[NOTE_PASS_PORTS] = {PHASE_LAYOUT, apply_pass_ports, 8, NO_TEXT},
	[NOTE_PASS_MSR] = {PHASE_LAYOUT, apply_pass_msr, 8, NO_TEXT},
	[NOTE_EPT_ACCESS] = {PHASE_LAYOUT, apply_ept_access, 20, NO_TEXT},
	[NOTE_PAGE] = {PHASE_LAYOUT, apply_page, 32, NO_TEXT},
	[NOTE_GATE] = {PHASE_LAYOUT, apply_gate, 12, NO_TEXT},
	[NOTE_REGISTER] = {PHASE_LAYOUT, apply_register, 12, NO_TEXT},
	[NOTE_PENDING_INTERRUPT] = {PHASE_LAYOUT, apply_pending_interrupt, 4, NO_TEXT},
	[NOTE_MOVES] = {PHASE_LAYOUT, apply_moves, 0, NO_TEXT},
	[NOTE_VMCS] = {PHASE_FIELDS, apply_vmcs, 12, NO_TEXT},
};

static bool payload_is_sound(const struct applier *applier, const struct elf_note *note)
{
	if (!applier->text)
		return note->size == applier->fixed_size;
	return note->size > applier->fixed_size && note->payload[note->size - 1] == '\0';
}

static enum setup_result apply_phase(struct application *a, enum phase phase)
{
	struct elf_notes notes = a->guest->notes;
	struct elf_note note;

	while (guest_note_next(&notes, &note)) {
		const struct applier *applier = note.type < ARRAY_SIZE(appliers) ? &appliers[note.type]
										 : NULL;

		if (!applier || (!applier->apply && applier->phase != PHASE_HARNESS))
			return say(a, SETUP_MALFORMED,
				   "its head has a note of type %u, which notes.def does not name",
				   note.type);
		if (!payload_is_sound(applier, &note))
			return say(a, SETUP_MALFORMED,
				   "its head has a note of type %u with a payload of %lu bytes", note.type,
				   note.size);
		if (applier->phase != phase)
			continue;

		enum setup_result result = applier->apply(a, (struct payload){note.payload});

		if (result != SETUP_READY)
			return result;
	}
	return SETUP_READY;
}

/* The guest's own zeroed memory, and its own EPT where the processor has one. */
static void create_memory(struct application *a)
{
	struct vcpu *vcpu = a->vcpu;
	struct guest_memory *memory = &vcpu->memory;
	u64 page_size = a->large_pages ? EPT_PAGE_2M : EPT_PAGE_4K;

	memory->size = a->large_pages ? LARGE_MEMORY_SIZE : GUEST_MEMORY_SIZE;
	memory->base = pages_alloc(memory->size / PAGE_SIZE, page_size / PAGE_SIZE);
	if (!memory->base)
		panic("there is no memory for guest %s: %lu bytes", a->guest->name, memory->size);
	memory->has_ept = control_change(&vcpu->controls, vcpu->capability, CONTROL_ENABLE_EPT, true);
	if (!memory->has_ept)
		return;
	if (!ept_create(&memory->ept) || !ept_map(&memory->ept, 0, (u64)memory->base, memory->size, page_size,
						  EPT_ALL, EPT_TYPE_WRITE_BACK))
		panic("there is no memory for the EPT tables of guest %s", a->guest->name);
}

static enum setup_result load_segments(struct application *a)
{
	const struct elf *elf = &a->guest->elf;
	struct guest_memory *memory = &a->vcpu->memory;

	for (unsigned i = 0; i < elf->segment_count; i++) {
		struct elf_segment segment;

		if (!elf_segment(elf, i, &segment))
			continue;
		if (segment.address > memory->size || segment.memory_size > memory->size - segment.address)
			return say(a, SETUP_MALFORMED,
				   "a segment at 0x%lx, 0x%lx bytes long, does not fit its memory",
				   segment.address, segment.memory_size);
		memcpy(memory->base + segment.address, segment.data, segment.file_size);
	}
	return SETUP_READY;
}

/* SDM, "VMX-Preemption Timer": it counts in steps of 2^shift TSC ticks, and in 32 bits. */
static void arm_watchdog(struct application *a)
{
	const struct vmx_capability *capability = a->vcpu->capability;
	u64 count = a->time_limit >> vmx_preemption_timer_shift(capability);

	vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, count < UINT32_MAX ? count : UINT32_MAX);
}

static enum setup_result build(struct application *a)
{
	struct vcpu *vcpu = a->vcpu;

	create_memory(a);
	if (!a->setup->owns_timer)
		a->setup->timer_is_watchdog = control_change(&vcpu->controls, vcpu->capability,
							     CONTROL_ACTIVATE_PREEMPTION_TIMER, true);
	vcpu_apply_controls(vcpu);
	if (a->setup->timer_is_watchdog)
		arm_watchdog(a);
	mode_set_up(a->setup->mode, a->setup->ring, vcpu);
	vmcs_write(VMCS_GUEST_RIP, a->setup->entry);
	return load_segments(a);
}

enum setup_result setup_guest(struct setup *setup, struct vcpu *vcpu, const struct guest *guest,
			      unsigned processors, u64 time_limit)
{
	struct application a = {.setup = setup,
				.vcpu = vcpu,
				.guest = guest,
				.processors = processors,
				.time_limit = time_limit};
	enum setup_result result;

	*setup = (struct setup){.pending_interrupt = -1};
	vcpu->memory = (struct guest_memory){0};
	vcpu->controls = (struct controls){0};
	if (guest->malformed)
		return say(&a, SETUP_MALFORMED, "%s", guest->malformed);
	vcpu_reset(vcpu);
	result = apply_phase(&a, PHASE_NEEDS);
	if (result != SETUP_READY)
		return result;
	if (!a.has_entry)
		return say(&a, SETUP_MALFORMED, "its head has no CODE");
	result = build(&a);
	if (result != SETUP_READY)
		return result;
	result = apply_phase(&a, PHASE_LAYOUT);
	if (result != SETUP_READY)
		return result;
	result = apply_phase(&a, PHASE_FIELDS);
	/* A guest that writes the controls as a field may have switched the timer off. */
	if (!(vmcs_read(VMCS_PIN_BASED_CONTROLS) & control_mask(CONTROL_ACTIVATE_PREEMPTION_TIMER)))
		setup->timer_is_watchdog = false;
	return result;
}

void setup_release(struct vcpu *vcpu)
{
	struct guest_memory *memory = &vcpu->memory;

	if (memory->has_ept)
		ept_destroy(&memory->ept);
	pages_free(memory->base, memory->size / PAGE_SIZE);
	*memory = (struct guest_memory){0};
}
