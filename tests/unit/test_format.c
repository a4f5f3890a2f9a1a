/*
 * The formatter (lib/format.h): every conversion is held against the C library's own, and the limits of the
 * buffer are tried one by one.
 */
/* sources: src/lib/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

/* Formats with both and wants the same text and the same length. */
#define ASSERT_LIKE_LIBRARY(...)                                                                             \
	do {                                                                                                 \
		char ours[256];                                                                              \
		char theirs[256];                                                                            \
		size_t length = format(ours, sizeof(ours), __VA_ARGS__);                                     \
		int expected = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                \
                                                                                                             \
		assert_string_equal(ours, theirs);                                                           \
		assert_int_equal(length, expected);                                                          \
	} while (0)

static void test_plain_text(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBRARY("no conversion");
	ASSERT_LIKE_LIBRARY("100%% of %s", "it");
	ASSERT_LIKE_LIBRARY("%c%c%c", 'a', ' ', 'z');
}

static void test_texts(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBRARY("[%s] [%10s] [%-10s] [%2s]", "text", "right", "left", "longer");
	ASSERT_LIKE_LIBRARY("[%.3s] [%.*s] [%.9s] [%8.2s]", "abcdef", 2, "abcdef", "abc", "abc");
}

static void test_precision_reads_no_further(void **state)
{
	char unterminated[3] = {'a', 'b', 'c'};
	char text[8];

	(void)state;
	assert_int_equal(format(text, sizeof(text), "%.3s", unterminated), 3);
	assert_string_equal(text, "abc");
}

static void test_null_text(void **state)
{
	const char *volatile nothing = NULL;
	char text[16];

	(void)state;
	format(text, sizeof(text), "%s", nothing);
	assert_string_equal(text, "(null)");
}

static void test_integers(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBRARY("%d %d %d %d", 0, 1, -1, 2147483647);
	ASSERT_LIKE_LIBRARY("%d", -2147483647 - 1);
	ASSERT_LIKE_LIBRARY("%ld %ld", INT64_MAX, INT64_MIN);
	ASSERT_LIKE_LIBRARY("%u %u", 0u, UINT32_MAX);
	ASSERT_LIKE_LIBRARY("%lu %lu", (u64)0, UINT64_MAX);
	ASSERT_LIKE_LIBRARY("%x %x %lx", 0u, UINT32_MAX, (u64)0x0123456789abcdef);
	ASSERT_LIKE_LIBRARY("%zu %zx", sizeof(u64), sizeof(u64));
}

static void test_padding(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBRARY("[%5d] [%05d] [%-5d] [%1d]", 42, 42, 42, 12345);
	ASSERT_LIKE_LIBRARY("[%5d] [%05d] [%-5d]", -42, -42, -42);
	ASSERT_LIKE_LIBRARY("[%016lx] [%8x] [%-8x] [%20lu]", (u64)0xabc, 0xabcu, 0xabcu, UINT64_MAX);
	ASSERT_LIKE_LIBRARY("[%3c] [%-3c]", 'x', 'x');
}

static void test_pointer(void **state)
{
	char text[32];

	(void)state;
	format(text, sizeof(text), "%p", (void *)0xfee00000);
	assert_string_equal(text, "0x00000000fee00000");
}

/* Not literals, because the compiler refuses them where it can see them. */
static void test_unknown_conversions_stand_as_they_are(void **state)
{
	const char *volatile unknown = "a %q b %5! c %";
	char text[32];

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	assert_int_equal(format(text, sizeof(text), unknown), 14);
#pragma GCC diagnostic pop
	assert_string_equal(text, "a %q b %5! c %");
}

/* The buffers come from the heap, so that the sanitizer sees every byte too many. */
static void test_every_size_of_buffer(void **state)
{
	const char *whole = "value -7 of name";

	(void)state;
	for (size_t size = 0; size <= 20; size++) {
		char *text = test_malloc(size ? size : 1);
		size_t fits = size ? size - 1 : 0;

		text[0] = '#';
		assert_int_equal(format(text, size, "value %d of %s", -7, "name"), strlen(whole));
		if (size == 0)
			assert_int_equal(text[0], '#');
		else
			assert_int_equal(strlen(text), fits < strlen(whole) ? fits : strlen(whole));
		if (size > 0)
			assert_memory_equal(text, whole, strlen(text));
		test_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_precision_reads_no_further),
		cmocka_unit_test(test_null_text),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_unknown_conversions_stand_as_they_are),
		cmocka_unit_test(test_every_size_of_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
