/*
 * The table of exit reasons (vmx/exit.h): names, handlers, and which exit-information fields are defined.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"

#define EVENT(type, vector) (EVENT_VALID | (u32)EVENT_##type << EVENT_TYPE_SHIFT | (vector))
#define WITH_CODE(event) ((event) | EVENT_HAS_ERROR_CODE)

static bool is_assigned(unsigned reason)
{
	static const unsigned unassigned[] = {35, 38, 42, 71, 82, 83};

	for (unsigned i = 0; i < ARRAY_SIZE(unassigned); i++) {
		if (unassigned[i] == reason)
			return false;
	}
	return reason <= 85;
}

static void test_names(void **state)
{
	unsigned assigned = 0;

	(void)state;
	for (unsigned reason = 0; reason < 0x10000; reason++) {
		bool named = strcmp(exit_reason_name(reason), "unassigned") != 0;

		assert_int_equal(named, is_assigned(reason));
		assigned += named;
	}
	assert_int_equal(assigned, 80);
	assert_string_equal(exit_reason_name(0), "EXCEPTION_NMI");
	assert_string_equal(exit_reason_name(10), "CPUID");
	assert_string_equal(exit_reason_name(28), "CR_ACCESS");
	assert_string_equal(exit_reason_name(33), "ENTRY_FAIL_GUEST_STATE");
	assert_string_equal(exit_reason_name(55), "XSETBV");
	assert_string_equal(exit_reason_name(~0u), "unassigned");
}

/* Every reason without a handler of its own, and every number without a row, ends the guest and touches
 * nothing. */
static void test_reasons_that_end_the_guest(void **state)
{
	static const u8 handled[] = {1, 10, 12, 16, 18, 28, 29, 30, 31, 32, 48, 51, 55};

	(void)state;
	for (unsigned reason = 0; reason < 0x100; reason++) {
		struct vm_exit exit;
		struct vcpu *vcpu = fake_vcpu(FAKE_LONG64, &exit, reason, 0, 0);

		if (!memchr(handled, (int)reason, sizeof(handled)))
			assert_unhandled(vcpu, exit_dispatch(vcpu, &exit));
	}
}

/* The basic reason decides, not the flags above it. */
static void test_flags_above_the_basic_reason(void **state)
{
	struct vm_exit exit;
	struct vcpu *vcpu = fake_vcpu(FAKE_LONG64, &exit, EXIT_REASON_HLT | BIT(27) | BIT(29), 0, 1);

	(void)state;
	assert_int_equal(exit_basic_reason(&exit), EXIT_REASON_HLT);
	assert_int_equal(exit_dispatch(vcpu, &exit), EXIT_HALT);
}

static u32 defined(u32 reason, u64 qualification, u32 event, u32 vectoring)
{
	struct vm_exit exit = {
		.reason = reason,
		.qualification = qualification,
		.interruption_information = event,
		.idt_vectoring_information = vectoring,
	};

	assert_int_equal(exit_fields_defined(&exit, true) & ~(u32)EXIT_FIELD_INFORMATION,
			 exit_fields_defined(&exit, false) & ~(u32)EXIT_FIELD_INFORMATION);
	return exit_fields_defined(&exit, true);
}

/* SDM, "Information for VM Exits Due to Vectored Events": the length for INT1, INT3 and INTO, not for faults.
 */
static void test_exceptions(void **state)
{
	static const struct {
		u32 event;
		u32 fields;
	} cases[] = {
		{EVENT(HARDWARE_EXCEPTION, 6), EXIT_FIELD_INTERRUPTION},
		{WITH_CODE(EVENT(HARDWARE_EXCEPTION, 14)),
		 EXIT_FIELD_INTERRUPTION | EXIT_FIELD_INTERRUPTION_ERROR},
		{EVENT(NMI, 2), EXIT_FIELD_INTERRUPTION},
		{EVENT(SOFTWARE_EXCEPTION, 3), EXIT_FIELD_INTERRUPTION | EXIT_FIELD_LENGTH},
		{EVENT(PRIVILEGED_SOFTWARE_EXCEPTION, 1), EXIT_FIELD_INTERRUPTION | EXIT_FIELD_LENGTH},
		{0x300 | EVENT_HAS_ERROR_CODE, EXIT_FIELD_INTERRUPTION}, /* not valid */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(defined(EXIT_REASON_EXCEPTION_NMI, 0, cases[i].event, 0), cases[i].fields);
	/* The event bits mean nothing to other reasons. */
	assert_int_equal(defined(EXIT_REASON_CPUID, 0, EVENT(SOFTWARE_EXCEPTION, 3), 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_EXTERNAL_INTERRUPT, 0, EVENT(EXTERNAL_INTERRUPT, 0x31), 0),
			 EXIT_FIELD_INTERRUPTION);
}

/* SDM, "Information for VM Exits That Occur During Event Delivery". */
static void test_event_delivery(void **state)
{
	u32 base = EXIT_FIELD_PHYSICAL | EXIT_FIELD_IDT_VECTORING;

	(void)state;
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, 0, 0, EVENT(EXTERNAL_INTERRUPT, 0x20)), base);
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, 0, 0, WITH_CODE(EVENT(HARDWARE_EXCEPTION, 13))),
			 base | EXIT_FIELD_IDT_VECTORING_ERROR);
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, 0, 0, EVENT(SOFTWARE_INTERRUPT, 0x80)),
			 base | EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, 0, 0, EVENT(SOFTWARE_EXCEPTION, 3)),
			 base | EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, 0, 0, 0x480), EXIT_FIELD_PHYSICAL);
	assert_int_equal(defined(EXIT_REASON_EXCEPTION_NMI, 0, EVENT(HARDWARE_EXCEPTION, 8),
				 EVENT(SOFTWARE_INTERRUPT, 9)),
			 EXIT_FIELD_INTERRUPTION | EXIT_FIELD_IDT_VECTORING | EXIT_FIELD_LENGTH);
	/* An unassigned number has vectoring information all the same. */
	assert_int_equal(defined(0xfff, 0, EVENT(NMI, 2), EVENT(NMI, 2)), EXIT_FIELD_IDT_VECTORING);
}

/* The length at a task switch: not through a task gate, but for a software event. */
static void test_task_switches(void **state)
{
	static const u32 call = 0, iret = 1, jmp = 2, gate = 3;
	u32 software = EVENT(SOFTWARE_INTERRUPT, 0x40);
	u32 hardware = EVENT(HARDWARE_EXCEPTION, 6);

	(void)state;
	assert_int_equal(defined(EXIT_REASON_TASK_SWITCH, (u64)call << 30, 0, 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_TASK_SWITCH, (u64)iret << 30, 0, 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_TASK_SWITCH, (u64)jmp << 30, 0, 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_TASK_SWITCH, (u64)gate << 30, 0, hardware),
			 EXIT_FIELD_IDT_VECTORING);
	assert_int_equal(defined(EXIT_REASON_TASK_SWITCH, (u64)gate << 30, 0, software),
			 EXIT_FIELD_IDT_VECTORING | EXIT_FIELD_LENGTH);
}

/* An access to the APIC page has no linear address, and a length only where a software event was delivered.
 */
static void test_apic_accesses(void **state)
{
	static const u64 linear_read = 0, linear_delivery = 3 << 12, physical_delivery = 10 << 12;
	u32 software = EVENT(SOFTWARE_INTERRUPT, 0x40);
	u32 hardware = EVENT(HARDWARE_EXCEPTION, 6);

	(void)state;
	assert_int_equal(defined(EXIT_REASON_APIC_ACCESS, linear_read, 0, 0), 0);
	assert_int_equal(defined(EXIT_REASON_APIC_ACCESS, linear_delivery, 0, hardware),
			 EXIT_FIELD_IDT_VECTORING);
	assert_int_equal(defined(EXIT_REASON_APIC_ACCESS, linear_delivery, 0, software),
			 EXIT_FIELD_IDT_VECTORING | EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_APIC_ACCESS, physical_delivery, 0, software),
			 EXIT_FIELD_IDT_VECTORING);
}

/* SDM, "VM-Entry Failures During or After Loading Guest State": only reason and qualification are written. */
static void test_entry_failures(void **state)
{
	static const u32 reasons[] = {EXIT_REASON_ENTRY_FAIL_GUEST_STATE, EXIT_REASON_ENTRY_FAIL_MSR_LOAD,
				      EXIT_REASON_ENTRY_FAIL_MCE, 0xfff};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
		assert_int_equal(defined(reasons[i] | EXIT_REASON_ENTRY_FAILURE, 0, EVENT(NMI, 2),
					 WITH_CODE(EVENT(HARDWARE_EXCEPTION, 13))),
				 0);
}

/* The linear address: for INS and OUTS, LMSW from memory, and EPT violations that say so. */
static void test_linear_addresses(void **state)
{
	(void)state;
	assert_int_equal(defined(EXIT_REASON_IO_INSTRUCTION, 0, 0, 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_IO_INSTRUCTION, BIT(4), 0, 0),
			 EXIT_FIELD_LENGTH | EXIT_FIELD_LINEAR | EXIT_FIELD_INFORMATION);
	assert_int_equal(defined(EXIT_REASON_IO_SMI, 0, 0, 0), 0);
	assert_int_equal(defined(EXIT_REASON_IO_SMI, BIT(4), 0, 0), EXIT_FIELD_LINEAR);
	assert_int_equal(defined(EXIT_REASON_CR_ACCESS, 0x30, 0, 0), EXIT_FIELD_LENGTH);
	assert_int_equal(defined(EXIT_REASON_CR_ACCESS, 0x70, 0, 0), EXIT_FIELD_LENGTH | EXIT_FIELD_LINEAR);
	assert_int_equal(defined(EXIT_REASON_CR_ACCESS, 0x40, 0, 0),
			 EXIT_FIELD_LENGTH); /* bit 6, but no LMSW */
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, BIT(8), 0, 0), EXIT_FIELD_PHYSICAL);
	assert_int_equal(defined(EXIT_REASON_EPT_VIOLATION, BIT(7), 0, 0),
			 EXIT_FIELD_PHYSICAL | EXIT_FIELD_LINEAR);
	assert_int_equal(defined(EXIT_REASON_EPT_MISCONFIGURATION, BIT(7), 0, 0), EXIT_FIELD_PHYSICAL);
}

/* The linear address of INS and OUTS is undefined where their segment is unusable. */
static void test_unusable_segments(void **state)
{
	enum { ES, CS, SS, DS, FS, GS };
	static const struct {
		u8 instruction[3];
		bool input;
		bool long_mode;
		unsigned segment;
	} cases[] = {
		{{0x6c}, true, false, ES},
		{{0x64, 0x6c}, true, false, ES}, /* INS has no other */
		{{0x6e}, false, false, DS},
		{{0x26, 0x6e}, false, false, ES},
		{{0x36, 0x66, 0x6f}, false, false, SS},
		{{0xf3, 0x65, 0x6e}, false, true, GS},
		{{0x67, 0x64, 0x6e}, false, true, FS},
		{{0x26, 0x6e}, false, true, DS},  /* 64-bit mode ignores the prefix */
		{{0x6e, 0x26}, false, false, DS}, /* the next instruction's */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm_exit exit = {
			.reason = EXIT_REASON_IO_INSTRUCTION,
			.qualification = BIT(4) | (cases[i].input ? BIT(3) : 0),
			.efer = cases[i].long_mode ? BIT(10) : 0,
			.cs_access_rights = cases[i].long_mode ? BIT(13) : 0,
			.instruction_size = sizeof(cases[i].instruction),
		};

		memcpy(exit.instruction, cases[i].instruction, sizeof(cases[i].instruction));
		for (unsigned segment = ES; segment <= GS; segment++) {
			exit.unusable_segments = 1u << segment;
			assert_int_equal(!(exit_fields_defined(&exit, true) & EXIT_FIELD_LINEAR),
					 segment == cases[i].segment);
		}
	}
}

/* Information about INS and OUTS is there where IA32_VMX_BASIC bit 54 says so. */
static void test_instruction_information(void **state)
{
	struct vm_exit string = {.reason = EXIT_REASON_IO_INSTRUCTION, .qualification = BIT(4)};

	(void)state;
	assert_int_equal(exit_fields_defined(&string, true) & EXIT_FIELD_INFORMATION, EXIT_FIELD_INFORMATION);
	assert_int_equal(exit_fields_defined(&string, false) & EXIT_FIELD_INFORMATION, 0);
	assert_int_equal(defined(EXIT_REASON_GDTR_IDTR_ACCESS, 0, 0, 0),
			 EXIT_FIELD_LENGTH | EXIT_FIELD_INFORMATION);
	assert_int_equal(defined(EXIT_REASON_RDRAND, 0, 0, 0), EXIT_FIELD_LENGTH | EXIT_FIELD_INFORMATION);
	assert_int_equal(defined(EXIT_REASON_VMREAD, 0, 0, 0), EXIT_FIELD_LENGTH | EXIT_FIELD_INFORMATION);
}

static void test_exits_without_an_instruction(void **state)
{
	static const u32 reasons[] = {EXIT_REASON_TRIPLE_FAULT,
				      EXIT_REASON_INIT,
				      EXIT_REASON_SIPI,
				      EXIT_REASON_INTERRUPT_WINDOW,
				      EXIT_REASON_PREEMPTION_TIMER,
				      35,
				      0xffff};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
		assert_int_equal(defined(reasons[i], ~0ull, ~0u, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_reasons_that_end_the_guest),
		cmocka_unit_test(test_flags_above_the_basic_reason),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_event_delivery),
		cmocka_unit_test(test_task_switches),
		cmocka_unit_test(test_apic_accesses),
		cmocka_unit_test(test_entry_failures),
		cmocka_unit_test(test_linear_addresses),
		cmocka_unit_test(test_unusable_segments),
		cmocka_unit_test(test_instruction_information),
		cmocka_unit_test(test_exits_without_an_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
