/* What prefixes say about a memory operand (vmx/prefixes.c), by the SDM's "Instruction Prefixes". */
/* sources: src/vmx/prefixes.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "vmx/exit_fields.h"
#include "vmx/prefixes.h"

static struct prefixes read(const char *bytes, bool is_64_bit)
{
	struct vm_exit exit = {.instruction_size = (u32)strlen(bytes)};

	memcpy(exit.instruction, bytes, exit.instruction_size);
	return read_prefixes(&exit, is_64_bit, VALUE_SEGMENT_REGISTER_DS);
}

static void test_no_prefix(void **state)
{
	(void)state;
	assert_int_equal(read("\x6e", false).segment, VALUE_SEGMENT_REGISTER_DS);
	assert_false(read("\x6e\x67", false).address_size); /* behind the opcode there are no prefixes */
	assert_int_equal(read("", true).segment, VALUE_SEGMENT_REGISTER_DS);
}

static void test_segments(void **state)
{
	(void)state;
	assert_int_equal(read("\x26\x6e", false).segment, VALUE_SEGMENT_REGISTER_ES);
	assert_int_equal(read("\x2e\x6e", false).segment, VALUE_SEGMENT_REGISTER_CS);
	assert_int_equal(read("\x36\x6e", false).segment, VALUE_SEGMENT_REGISTER_SS);
	assert_int_equal(read("\x3e\x6e", false).segment, VALUE_SEGMENT_REGISTER_DS);
	assert_int_equal(read("\x64\x36\x6e", false).segment, VALUE_SEGMENT_REGISTER_SS);
	assert_int_equal(read("\xf3\x65\x66\x6f", false).segment, VALUE_SEGMENT_REGISTER_GS);
}

static void test_64_bit_mode_ignores_four_segments(void **state)
{
	(void)state;
	assert_int_equal(read("\x36\x6e", true).segment, VALUE_SEGMENT_REGISTER_DS);
	assert_int_equal(read("\x64\x36\x6e", true).segment, VALUE_SEGMENT_REGISTER_FS);
	assert_int_equal(read("\x65\x2e\x6e", true).segment, VALUE_SEGMENT_REGISTER_GS);
}

static void test_address_size(void **state)
{
	(void)state;
	assert_true(read("\x67\xf3\x6e", true).address_size);
	assert_true(read("\xf3\x67\x6e", false).address_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_prefix),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_64_bit_mode_ignores_four_segments),
		cmocka_unit_test(test_address_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
