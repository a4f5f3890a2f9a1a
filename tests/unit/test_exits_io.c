/*
 * I/O instructions (vmx/exits/io.c): merges into RAX, the exit port, and string instructions in every address
 * size.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "vmx/exit_fields.h"
#include "vmx/exit_port.h"

#define OUT (VALUE_IO_DIRECTION_out << 3)
#define IN (VALUE_IO_DIRECTION_in << 3)
#define STRING BIT(4)
#define REP BIT(5)
#define PORT(number) ((u64)(number) << 16)
#define HIGH_HALF 0xdeadbeef00000000ull
#define ELEMENTS_MAX 4096 /* that one exit does */
#define EXPAND_DOWN 0xc097
#define CODE_EXECUTE_ONLY 0xc099
#define DATA_READ_ONLY 0xc091
#define UNUSABLE BIT(16)
#define PENDING_DEBUG_BS BIT(14)

static struct vm_exit exit_;

static struct vcpu *at(enum fake_mode mode, u64 qualification)
{
	struct vcpu *vcpu = fake_vcpu(mode, &exit_, EXIT_REASON_IO_INSTRUCTION, qualification, 2);

	memset(vcpu->memory, 0x55, sizeof(vcpu->memory));
	return vcpu;
}

static void set_instruction(const u8 *bytes, unsigned size)
{
	memcpy(exit_.instruction, bytes, size);
	exit_.instruction_size = exit_.instruction_length = size;
}

/* Plain IN and OUT. */

/* SDM, "General-Purpose Registers in 64-Bit Mode": a 32-bit result clears the upper half, smaller ones keep
 * the rest. */
static void test_in_merges_into_rax(void **state)
{
	static const u64 expected[] = {0x11223344556677ff, 0x112233445566ffff, 0, 0x00000000ffffffff};

	(void)state;
	for (unsigned size = 0; size < 4; size++) {
		struct vcpu *vcpu = at(FAKE_LONG64, IN | size | PORT(0x80));

		if (size == 2)
			continue;
		vcpu->registers[RAX] = 0x1122334455667788;
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
		assert_int_equal(vcpu->registers[RAX], expected[size]);
	}
}

static void test_out_goes_nowhere(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		struct vcpu *vcpu = at(mode, OUT | PORT(0xffff));

		vcpu->registers[RAX] = 0x1122334455667788;
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
		assert_int_equal(vcpu->registers[RAX], 0x1122334455667788);
	}
}

static void test_exit_port(void **state)
{
	static const struct {
		u64 qualification;
		u64 value;
		bool ends;
	} cases[] = {
		{OUT | VALUE_IO_SIZE_2 | PORT(EXIT_PORT), HIGH_HALF | 0x2000, true},
		{OUT | VALUE_IO_SIZE_2 | PORT(EXIT_PORT), 0x12000, true}, /* 16 bits count */
		{OUT | VALUE_IO_SIZE_2 | PORT(EXIT_PORT), 0x2001, false},
		{OUT | VALUE_IO_SIZE_1 | PORT(EXIT_PORT), 0x2000, false},
		{OUT | VALUE_IO_SIZE_4 | PORT(EXIT_PORT), 0x2000, false},
		{OUT | VALUE_IO_SIZE_2 | PORT(EXIT_PORT + 1), 0x2000, false},
		{IN | VALUE_IO_SIZE_2 | PORT(EXIT_PORT), 0x2000, false},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *vcpu = at(FAKE_REAL16, cases[i].qualification);

		vcpu->registers[RAX] = cases[i].value;
		assert_int_equal(fake_run(vcpu, &exit_), cases[i].ends ? EXIT_POWER_OFF : EXIT_RESUME_PAST);
	}
}

/* String instructions. */

#define INSB 0x6c
#define OUTSB 0x6e

/* A string instruction without prefixes, with the index register's value and the base of its segment. */
static struct vcpu *string(enum fake_mode mode, u64 qualification, u64 index, u64 segment_base)
{
	static const u8 insb[] = {INSB};
	struct vcpu *vcpu = at(mode, qualification | STRING);

	set_instruction(insb, sizeof(insb));
	vcpu->registers[qualification & IN ? RDI : RSI] = index;
	vcpu->vmcs[qualification & IN ? VMCS_GUEST_ES_BASE : VMCS_GUEST_DS_BASE] = segment_base;
	return vcpu;
}

static void assert_written(const struct vcpu *vcpu, unsigned first, unsigned size)
{
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof(vcpu->memory); i++)
		count += vcpu->memory[i] == 0xff;
	for (unsigned i = first; i < first + size; i++)
		assert_int_equal(vcpu->memory[i], 0xff);
	assert_int_equal(count, size);
}

static void test_one_element(void **state)
{
	static const unsigned sizes[] = {VALUE_IO_SIZE_1, VALUE_IO_SIZE_2, VALUE_IO_SIZE_4};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		unsigned size = sizes[i / 2];
		bool down = i % 2;
		struct vcpu *vcpu = string(FAKE_LONG64, IN | size, 0x1000, 0);
		u64 step = down ? -(u64)(size + 1) : size + 1;

		exit_.rflags |= down ? RFLAGS_DF : 0;
		vcpu->registers[RCX] = 7;
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
		assert_written(vcpu, 0x1000, size + 1);
		assert_int_equal(vcpu->registers[RDI], 0x1000 + step);
		assert_int_equal(vcpu->registers[RCX], 7);

		vcpu = string(FAKE_LONG64, OUT | size, 0x1000, 0);
		exit_.rflags |= down ? RFLAGS_DF : 0;
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
		assert_written(vcpu, 0, 0);
		assert_int_equal(vcpu->registers[RSI], 0x1000 + step);
	}
}

static void test_repeated(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | REP | VALUE_IO_SIZE_2, 0x1000, 0);

	(void)state;
	vcpu->registers[RCX] = 10;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000, 20);
	assert_int_equal(vcpu->registers[RDI], 0x1014);
	assert_int_equal(vcpu->registers[RCX], 0);

	vcpu = string(FAKE_LONG64, IN | REP | VALUE_IO_SIZE_2, 0x1000, 0);
	exit_.rflags |= RFLAGS_DF;
	vcpu->registers[RCX] = 10;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000 - 18, 20);
	assert_int_equal(vcpu->registers[RDI], 0x1000 - 20);
}

static void test_repeated_no_times(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | REP, 0x1000, 0);

	(void)state;
	vcpu->pages[1] = FAKE_ABSENT;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0, 0);
	assert_int_equal(vcpu->registers[RDI], 0x1000);
}

/* A long REP is done in parts, so that no guest holds the hypervisor. */
static void test_repeated_in_parts(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | REP, 0, 0);

	(void)state;
	vcpu->registers[RCX] = ELEMENTS_MAX + 3;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RIP], FAKE_RIP);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RFLAGS], RFLAGS_FIXED | RFLAGS_RF);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS], 0);
	assert_int_equal(vcpu->registers[RCX], 3);
	assert_int_equal(vcpu->registers[RDI], ELEMENTS_MAX);
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0, ELEMENTS_MAX + 3);
}

/* SDM, "Single-Step Exception Condition", "REP": a trap after each iteration, with RF set before the last. */
static void test_single_step(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | REP, 0x1000, 0);

	(void)state;
	exit_.rflags |= RFLAGS_TF;
	exit_.interruptibility_state = BIT(0); /* blocking by STI ends */
	vcpu->registers[RCX] = 2;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_written(vcpu, 0x1000, 1);
	assert_int_equal(vcpu->registers[RCX], 1);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RIP], FAKE_RIP);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RFLAGS], RFLAGS_FIXED | RFLAGS_TF | RFLAGS_RF);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], 0);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS], PENDING_DEBUG_BS);

	exit_.rflags = vcpu->vmcs[VMCS_GUEST_RFLAGS];
	exit_.interruptibility_state = 0;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000, 2);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RFLAGS], RFLAGS_FIXED | RFLAGS_TF);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS], PENDING_DEBUG_BS);
}

/* 64-bit mode ignores the bases of ES, CS, SS and DS. */
static void test_bases_of_64_bit_mode(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN, 0x1000, 0x2000);

	(void)state;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000, 1);
}

/* Which bits of RCX and RDI take part, and what becomes of the others (SDM, "INS", "REP"). */
static void test_address_sizes(void **state)
{
	static const u8 plain[] = {INSB};
	static const u8 prefixed[] = {0xf3, 0x66, 0x67, INSB};
	static const struct {
		enum fake_mode mode;
		bool prefix;
		u64 mask;
	} cases[] = {
		{FAKE_REAL16, false, 0xffff},	    {FAKE_REAL16, true, 0xffffffff},
		{FAKE_PROT32, false, 0xffffffff},   {FAKE_PROT32, true, 0xffff},
		{FAKE_COMPAT32, false, 0xffffffff}, {FAKE_COMPAT32, true, 0xffff},
		{FAKE_LONG64, false, ~0ull},	    {FAKE_LONG64, true, 0xffffffff},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 mask = cases[i].mask;
		/* The unused bits hold something, and the used ones wrap where they end. */
		u64 rest = mask == 0xffffffff ? 0 : 0x1122334455667788 & ~mask;
		struct vcpu *vcpu =
			string(cases[i].mode, IN | REP, (0x1122334455667788 & ~mask) | 0xffe, 0x1000);

		if (cases[i].prefix)
			set_instruction(prefixed, sizeof(prefixed));
		else
			set_instruction(plain, sizeof(plain));
		vcpu->registers[RCX] = (0x1122334455667788 & ~mask) | 4;
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
		assert_written(vcpu, cases[i].mode == FAKE_LONG64 ? 0xffe : 0x1ffe, 4);
		assert_int_equal(vcpu->registers[RDI], rest | 0x1002);
		assert_int_equal(vcpu->registers[RCX], rest);
	}
}

static void test_index_wraps_at_its_size(void **state)
{
	struct vcpu *vcpu = string(FAKE_REAL16, IN | REP, 0xfffe, 0);

	(void)state;
	vcpu->memory_base = 0xf000; /* its first page ends at 64 KiB */
	vcpu->registers[RCX] = 2;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0xffe, 2);
	assert_int_equal(vcpu->registers[RDI], 0);

	vcpu = string(FAKE_REAL16, IN | REP, 0, 0);
	exit_.rflags |= RFLAGS_DF;
	vcpu->registers[RCX] = 1;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RDI], 0xffff);
}

/* SDM, "Linear-Address Wrap": outside 64-bit mode a linear address has 32 bits, in it all 64. */
static void test_linear_addresses(void **state)
{
	static const u8 prefixed[] = {0x64, 0x67, OUTSB};
	struct vcpu *vcpu = string(FAKE_PROT32, IN | REP, 0x20, 0xfffffff0);

	(void)state;
	vcpu->registers[RCX] = 4;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x10, 4);

	/* FS:[ESI] in 64-bit mode: the offset has 32 bits, the base 64. */
	vcpu = string(FAKE_LONG64, OUT, HIGH_HALF | 8, 0);
	vcpu->vmcs[VMCS_GUEST_FS_BASE] = 0xffff888000001000;
	set_instruction(prefixed, sizeof(prefixed));
	vcpu->memory_base = 0xffff888000000000;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RSI], 9);
}

/* What was done before a page fault stays done; the instruction goes on from there. */
static void test_page_fault_midway(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | REP | VALUE_IO_SIZE_4, 0x1ff4, 0);

	(void)state;
	vcpu->pages[2] = FAKE_ABSENT;
	vcpu->user = true;
	vcpu->registers[RCX] = 8;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_PAGE_FAULT, 6);
	assert_int_equal(vcpu->state[VCPU_CR2], 0x2000);
	assert_written(vcpu, 0x1ff4, 12);
	assert_int_equal(vcpu->registers[RDI], 0x2000);
	assert_int_equal(vcpu->registers[RCX], 5);

	vcpu->pages[2] = FAKE_WRITABLE;
	vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION] = 0;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1ff4, 32);
}

static void test_element_across_two_pages(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN | VALUE_IO_SIZE_4, 0x1ffe, 0);

	(void)state;
	vcpu->pages[2] = FAKE_READ_ONLY;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_PAGE_FAULT, 3);
	assert_int_equal(vcpu->state[VCPU_CR2], 0x2000);
	assert_written(vcpu, 0, 0); /* nothing of the element */
	assert_int_equal(vcpu->registers[RDI], 0x1ffe);
	vcpu->pages[2] = FAKE_WRITABLE;
	vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION] = 0;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1ffe, 4);

	/* OUTS reads: a read-only page will do. */
	vcpu = string(FAKE_LONG64, OUT | VALUE_IO_SIZE_4, 0x1ffe, 0);
	vcpu->pages[2] = FAKE_READ_ONLY;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	vcpu = string(FAKE_LONG64, OUT, 0x2000, 0);
	vcpu->pages[2] = FAKE_ABSENT;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_PAGE_FAULT, 0);
}

static void test_translation_without_memory(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN, 0x1000, 0);

	(void)state;
	vcpu->pages[1] = FAKE_NO_MEMORY;
	assert_unhandled(vcpu, fake_run(vcpu, &exit_));
}

static void test_not_canonical(void **state)
{
	struct vcpu *vcpu = string(FAKE_LONG64, IN, 0x0000800000000000, 0);

	(void)state;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	vcpu = string(FAKE_LONG64, IN | VALUE_IO_SIZE_2, 0x00007fffffffffff, 0);
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	/* An SS prefix means nothing in 64-bit mode. */
	vcpu = string(FAKE_LONG64, OUT, 0x0000800000000000, 0);
	set_instruction((const u8[]){0x36, OUTSB}, 2);
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
}

/* SDM, "Limit Checking": the last byte of the element counts; in real mode the limit is 64 KiB. */
static void test_segment_limits(void **state)
{
	struct vcpu *vcpu = string(FAKE_PROT32, IN | REP | VALUE_IO_SIZE_2, 0xffa, 0x1000);

	(void)state;
	vcpu->vmcs[VMCS_GUEST_ES_LIMIT] = 0xffe;
	vcpu->registers[RCX] = 4;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	assert_written(vcpu, 0x1ffa, 4);
	assert_int_equal(vcpu->registers[RCX], 2);

	vcpu = string(FAKE_REAL16, IN | VALUE_IO_SIZE_2, 0xffff, 0);
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, NO_CODE);

	/* An expand-down segment begins above its limit. */
	vcpu = string(FAKE_PROT32, IN, 0xfff, 0);
	vcpu->vmcs[VMCS_GUEST_ES_ACCESS_RIGHTS] = EXPAND_DOWN;
	vcpu->vmcs[VMCS_GUEST_ES_LIMIT] = 0xfff;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION] = 0;
	vcpu->vmcs[VMCS_GUEST_ES_LIMIT] = 0xffe;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
}

static void assert_segment_fault(bool input, enum vmcs_field field, u64 rights, u8 prefix, int vector)
{
	struct vcpu *vcpu = string(FAKE_PROT32, input ? IN : OUT, 0x1000, 0);

	set_instruction((const u8[]){prefix, input ? INSB : OUTSB}, 2);
	vcpu->vmcs[field] = rights;
	if (vector < 0)
		assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	else
		assert_fault(vcpu, fake_run(vcpu, &exit_), (unsigned)vector, 0);
}

/* INS always writes through ES; OUTS reads through DS or the segment of its prefix. SDM, "Segment Type
 * Checking". */
static void test_segments(void **state)
{
	static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}; /* ES CS SS DS FS GS */

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++) {
		int vector = i == 2 ? VECTOR_STACK_FAULT : VECTOR_GENERAL_PROTECTION;

		for (unsigned segment = 0; segment < ARRAY_SIZE(prefixes); segment++) {
			enum vmcs_field rights = VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment;

			assert_segment_fault(false, rights, UNUSABLE, prefixes[i],
					     segment == i ? vector : -1);
			assert_segment_fault(true, rights, UNUSABLE, prefixes[i],
					     segment == 0 ? VECTOR_GENERAL_PROTECTION : -1);
		}
	}
	assert_segment_fault(false, VMCS_GUEST_DS_ACCESS_RIGHTS, UNUSABLE, 0x66, VECTOR_GENERAL_PROTECTION);
	assert_segment_fault(false, VMCS_GUEST_DS_ACCESS_RIGHTS, CODE_EXECUTE_ONLY, 0x66,
			     VECTOR_GENERAL_PROTECTION);
	assert_segment_fault(false, VMCS_GUEST_DS_ACCESS_RIGHTS, DATA_READ_ONLY, 0x66, -1);
	assert_segment_fault(true, VMCS_GUEST_ES_ACCESS_RIGHTS, DATA_READ_ONLY, 0x66,
			     VECTOR_GENERAL_PROTECTION);
	assert_segment_fault(true, VMCS_GUEST_ES_ACCESS_RIGHTS, CODE_EXECUTE_ONLY | 2, 0x66,
			     VECTOR_GENERAL_PROTECTION);
}

/* The bytes of the instruction may be missing (not readable): the address size is then the segment's. */
static void test_without_instruction_bytes(void **state)
{
	struct vcpu *vcpu = string(FAKE_PROT32, IN, 0x1000, 0);

	(void)state;
	exit_.instruction_size = 0;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000, 1);
	/* Nothing but prefixes. */
	vcpu = string(FAKE_PROT32, IN, 0x1000, 0);
	memset(exit_.instruction, 0x67, INSTRUCTION_BYTES_MAX);
	exit_.instruction_size = INSTRUCTION_BYTES_MAX;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_written(vcpu, 0x1000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_merges_into_rax),
		cmocka_unit_test(test_out_goes_nowhere),
		cmocka_unit_test(test_exit_port),
		cmocka_unit_test(test_one_element),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_repeated_no_times),
		cmocka_unit_test(test_repeated_in_parts),
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_bases_of_64_bit_mode),
		cmocka_unit_test(test_address_sizes),
		cmocka_unit_test(test_index_wraps_at_its_size),
		cmocka_unit_test(test_linear_addresses),
		cmocka_unit_test(test_page_fault_midway),
		cmocka_unit_test(test_element_across_two_pages),
		cmocka_unit_test(test_translation_without_memory),
		cmocka_unit_test(test_not_canonical),
		cmocka_unit_test(test_segment_limits),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_without_instruction_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
