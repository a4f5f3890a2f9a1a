/*
 * The recorder (trace/recorder.h): each kind of record byte by byte, as record.def and RFC 8949 have it.
 */
/* sources: tests/unit/frames.c src/trace/recorder.c src/trace/wire.c src/trace/cbor.c src/lib/crc32.c */
#include "frames.h"
#include "arch/x86_64/traps.h"
#include "trace/recorder.h"

static void start(void)
{
	frames_clear();
	recorder_start(frames_receive);
}

static void test_nothing_before_the_start(void **state)
{
	static const struct record_header header;
	static const struct vm_exit exit;
	static const struct controls controls;
	static const struct panic_info panic;

	(void)state;
	frames_clear();
	record_header(&header);
	record_catalogue(0, "a", 0);
	record_guest_begin(0, "a", &controls, 0);
	record_exit(&exit, EXIT_RESUME_HERE);
	record_guest_end(0, OUTCOME_EXIT_PORT, 0, 0, NULL);
	record_log("a");
	record_panic(&panic);
	record_end(STOP_DONE, "a", 0);
	assert_int_equal(frames_size, 0);
}

static void test_header(void **state)
{
	static const struct vmx_capability capability = {
		.feature_control = 5,
		.msr = {[0] = 0x1d, [1] = 7, [VMX_MSR_COUNT - 1] = 2},
		.present = 1 | BIT(VMX_MSR_COUNT - 1),
	};
	static const struct record_header header = {
		.build = "b",
		.command_line = "c",
		.loader = "l",
		.hypervisor = "",
		.vendor = "v",
		.brand = "m",
		.signature = 0x806c0,
		.processors = 2,
		.capability = &capability,
		.guests = 40,
		.selected = 3,
	};

	(void)state;
	start();
	record_header(&header);
	/* The MSRs that the processor lacks are left out; 3AH, 480H and 493H are there. */
	assert_item_bytes(0xbf, 0x00, 0x01, 0x01, 0x00, 0x02, 0x01, 0x03, 0x61, 'b', 0x04, 0x61, 'c', 0x05,
			  0x61, 'l', 0x06, 0x60, 0x07, 0x61, 'v', 0x08, 0x61, 'm', 0x09, 0x1a, 0x00, 0x08,
			  0x06, 0xc0, 0x0a, 0x02, 0x0b, 0xbf, 0x18, 0x3a, 0x05, 0x19, 0x04, 0x80, 0x18, 0x1d,
			  0x19, 0x04, 0x93, 0x02, 0xff, 0x0c, 0x18, 0x28, 0x0d, 0x03, 0xff);
}

static void test_catalogue(void **state)
{
	(void)state;
	start();
	record_catalogue(7, "io.b", 0xc0dbc0db);
	assert_item_bytes(0xbf, 0x00, 0x02, 0x01, 0x00, 0x02, 0x07, 0x03, 0x64, 'i', 'o', '.', 'b', 0x04,
			  0x1a, 0xc0, 0xdb, 0xc0, 0xdb, 0xff);
}

/* The controls are a map by their order in controls.def; a word that is 0 is left out. */
static void test_guest_begin(void **state)
{
	struct controls controls = {{0}};

	(void)state;
	controls.value[CONTROL_WORD_PIN] = 0x16;
	controls.value[CONTROL_WORD_TERTIARY] = 1;
	controls.value[CONTROL_WORD_ENTRY] = 0x11fb;
	start();
	record_guest_begin(1, "g", &controls, 0);
	assert_item_bytes(0xbf, 0x00, 0x03, 0x01, 0x00, 0x02, 0x01, 0x03, 0x61, 'g', 0x04, 0xbf, 0x00, 0x16,
			  0x03, 0x01, 0x05, 0x19, 0x11, 0xfb, 0xff, 0xff);
	controls = (struct controls){{0}};
	record_guest_begin(1, "g", &controls, 0x40);
	assert_item_bytes(0xbf, 0x00, 0x03, 0x01, 0x01, 0x02, 0x01, 0x03, 0x61, 'g', 0x04, 0xbf, 0xff, 0x05,
			  0x18, 0x40, 0xff);
}

/* What is always there is there when it is 0, too; nothing else is. */
static void test_the_least_exit(void **state)
{
	static const struct vm_exit exit;

	(void)state;
	start();
	record_exit(&exit, EXIT_RESUME_PAST);
	assert_item_bytes(0xbf, 0x00, 0x04, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x0d, 0x00, 0x0e, 0x00, 0x11,
			  0x00, 0x18, 0x18, 0xbf, 0xff, 0x18, 0x1a, 0x00, 0xff);
}

static void test_the_most_exit(void **state)
{
	static const struct vm_exit exit = {
		.number = 1,
		.processor = 2,
		.time = 3,
		.reason = 0x8000000a,
		.defined = 0xff,
		.qualification = 4,
		.instruction_length = 5,
		.instruction_information = 6,
		.guest_linear_address = 7,
		.guest_physical_address = 8,
		.interruption_information = 9,
		.interruption_error_code = 10,
		.idt_vectoring_information = 11,
		.idt_vectoring_error_code = 12,
		.rip = 13,
		.rflags = 2,
		.cs_selector = 15,
		.cs_base = 16,
		.cs_access_rights = 17,
		.cr0 = 18,
		.cr3 = 19,
		.cr4 = 20,
		.efer = 21,
		.activity_state = 1,
		.interruptibility_state = 2,
		.registers = {[RAX] = 3, [R15] = ~0ull},
		.instruction = {0x0f, 0xa2},
		.instruction_size = 2,
	};

	(void)state;
	start();
	record_exit(&exit, EXIT_UNHANDLED);
	assert_item_bytes(0xbf, 0x00, 0x04, 0x01, 0x00, 0x02, 0x01, 0x03, 0x1a, 0x80, 0x00, 0x00, 0x0a, 0x04,
			  0x04, 0x05, 0x05, 0x06, 0x06, 0x07, 0x07, 0x08, 0x08, 0x09, 0x09, 0x0a, 0x0a, 0x0b,
			  0x0b, 0x0c, 0x0c, 0x0d, 0x0d, 0x0e, 0x02, 0x0f, 0x0f, 0x10, 0x10, 0x11, 0x11, 0x12,
			  0x12, 0x13, 0x13, 0x14, 0x14, 0x15, 0x15, 0x16, 0x01, 0x17, 0x02, 0x18, 0x18, 0xbf,
			  0x00, 0x03, 0x0f, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x18,
			  0x19, 0x42, 0x0f, 0xa2, 0x18, 0x1a, 0x03, 0x18, 0x1b, 0x04, 0x18, 0x1c, 0x02, 0xff);
}

/* A field that the architecture defines is there when it is 0; one that it does not define never is. */
static void test_defined_fields(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 8; bit++) {
		struct vm_exit exit = {
			.defined = 1u << bit,
			.instruction_length = 1,
			.instruction_information = 1,
			.guest_linear_address = 1,
			.guest_physical_address = 1,
			.interruption_information = 1,
			.interruption_error_code = 1,
			.idt_vectoring_information = 1,
			.idt_vectoring_error_code = 1,
		};

		start();
		record_exit(&exit, EXIT_RESUME_PAST);
		assert_item_bytes(0xbf, 0x00, 0x04, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, (u8)(5 + bit), 0x01,
				  0x0d, 0x00, 0x0e, 0x00, 0x11, 0x00, 0x18, 0x18, 0xbf, 0xff, 0x18, 0x1a,
				  0x00, 0xff);
	}

	struct vm_exit zero = {.defined = EXIT_FIELD_LINEAR};

	start();
	record_exit(&zero, EXIT_RESUME_PAST);
	assert_item_bytes(0xbf, 0x00, 0x04, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x07, 0x00, 0x0d, 0x00, 0x0e,
			  0x00, 0x11, 0x00, 0x18, 0x18, 0xbf, 0xff, 0x18, 0x1a, 0x00, 0xff);
}

static void test_guest_end(void **state)
{
	(void)state;
	start();
	record_guest_end(1, OUTCOME_EXIT_PORT, 2, 0, NULL);
	assert_item_bytes(0xbf, 0x00, 0x05, 0x01, 0x00, 0x02, 0x01, 0x03, 0x00, 0x04, 0x02, 0xff);
	record_guest_end(1, OUTCOME_VMFAIL, 0, 7, NULL);
	assert_item_bytes(0xbf, 0x00, 0x05, 0x01, 0x01, 0x02, 0x01, 0x03, 0x03, 0x04, 0x00, 0x05, 0x07, 0xff);
	record_guest_end(1, OUTCOME_SKIPPED, 0, 0, "no");
	assert_item_bytes(0xbf, 0x00, 0x05, 0x01, 0x02, 0x02, 0x01, 0x03, 0x06, 0x04, 0x00, 0x06, 0x62, 'n',
			  'o', 0xff);
}

static void test_log(void **state)
{
	(void)state;
	start();
	record_log("hi");
	assert_item_bytes(0xbf, 0x00, 0x06, 0x01, 0x00, 0x02, 0x62, 'h', 'i', 0xff);
}

static void test_panic(void **state)
{
	struct trap_frame frame = {
		.vector = 14, .error = 2, .rip = 0x100000, .rflags = 0x46, .general = {[RCX] = 5}};
	struct panic_info info = {.message = "p", .cr2 = 1, .cr3 = 0x4000, .processor = 1};

	(void)state;
	start();
	record_panic(&info);
	assert_item_bytes(0xbf, 0x00, 0x07, 0x01, 0x00, 0x02, 0x61, 'p', 0x08, 0x01, 0x09, 0x19, 0x40, 0x00,
			  0x0a, 0x01, 0xff);
	info.frame = &frame;
	record_panic(&info);
	assert_item_bytes(0xbf, 0x00, 0x07, 0x01, 0x01, 0x02, 0x61, 'p', 0x03, 0x0e, 0x04, 0x02, 0x05, 0x1a,
			  0x00, 0x10, 0x00, 0x00, 0x06, 0x18, 0x46, 0x07, 0xbf, 0x01, 0x05, 0xff, 0x08, 0x01,
			  0x09, 0x19, 0x40, 0x00, 0x0a, 0x01, 0xff);
}

static void test_end_is_the_last(void **state)
{
	(void)state;
	start();
	record_end(STOP_PANIC, "d", 2);
	assert_item_bytes(0xbf, 0x00, 0x08, 0x01, 0x00, 0x02, 0x0b, 0x03, 0x61, 'd', 0x04, 0x02, 0xff);
	record_log("late");
	record_end(STOP_DONE, "again", 0);
	assert_int_equal(frames_size, 0);
}

/* Sequence numbers count all records, and begin anew with each stream. */
static void test_sequence(void **state)
{
	size_t size;

	(void)state;
	start();
	for (unsigned i = 0; i < 20; i++) {
		record_log("");
		assert_int_equal(frames_take_item(&size)[4], i);
	}
	start();
	record_log("");
	assert_int_equal(frames_take_item(&size)[4], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_before_the_start),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_guest_begin),
		cmocka_unit_test(test_the_least_exit),
		cmocka_unit_test(test_the_most_exit),
		cmocka_unit_test(test_defined_fields),
		cmocka_unit_test(test_guest_end),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_panic),
		cmocka_unit_test(test_end_is_the_last),
		cmocka_unit_test(test_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
