/*
 * CRC-32 (lib/crc32.h): published check values, pieces, and a bit-by-bit reference.
 */
/* sources: src/lib/crc32.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/crc32.h"

static u32 crc_of_text(const char *text)
{
	return crc32(text, strlen(text));
}

static void test_published_values(void **state)
{
	(void)state;
	assert_int_equal(crc_of_text(""), 0);
	assert_int_equal(crc_of_text("a"), 0xe8b7be43);
	assert_int_equal(crc_of_text("123456789"), 0xcbf43926);
	assert_int_equal(crc_of_text("The quick brown fox jumps over the lazy dog"), 0x414fa339);
	assert_int_equal(crc32("\0\0\0\0", 4), 0x2144df1c);
	assert_int_equal(crc32("\xff\xff\xff\xff", 4), 0xffffffff);
}

/* One bit at a time, by the reflected polynomial. */
static u32 reference(const u8 *data, size_t size)
{
	u32 crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void test_against_the_reference_and_in_pieces(void **state)
{
	u8 data[300];

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)rand();
	for (size_t size = 0; size <= sizeof(data); size++) {
		u32 whole = reference(data, size);

		assert_int_equal(crc32(data, size), whole);
		assert_int_equal(crc32_update(crc32(data, size / 3), data + size / 3, size - size / 3),
				 whole);
	}
}

static void test_every_byte_value(void **state)
{
	(void)state;
	for (unsigned value = 0; value < 256; value++) {
		u8 byte = (u8)value;

		assert_int_equal(crc32(&byte, 1), reference(&byte, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_values),
		cmocka_unit_test(test_against_the_reference_and_in_pieces),
		cmocka_unit_test(test_every_byte_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
