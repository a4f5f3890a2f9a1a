/*
 * Memory and string functions and pattern_match (lib/string.h). The functions of the C library's names are
 * compiled into this file under other names, so that the test program keeps its own.
 */
/* sources: src/lib/pattern.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp

#define AREA 64

static void fill(u8 *area)
{
	for (unsigned i = 0; i < AREA; i++)
		area[i] = (u8)(i * 37 + 11);
}

static void test_memcpy_all_sizes_and_alignments(void **state)
{
	u8 source[AREA];
	u8 ours[AREA];
	u8 theirs[AREA];

	(void)state;
	fill(source);
	for (size_t from = 0; from < 9; from++) {
		for (size_t size = 0; size + 17 < AREA; size++) {
			memset(ours, 0, AREA);
			memset(theirs, 0, AREA);
			assert_ptr_equal(kernel_memcpy(ours + 8, source + from, size), ours + 8);
			memcpy(theirs + 8, source + from, size);
			assert_memory_equal(ours, theirs, AREA);
		}
	}
}

static void test_memmove_every_overlap(void **state)
{
	u8 ours[AREA];
	u8 theirs[AREA];

	(void)state;
	for (size_t to = 0; to < 24; to++) {
		for (size_t from = 0; from < 24; from++) {
			for (size_t size = 0; size < 40; size++) {
				fill(ours);
				fill(theirs);
				assert_ptr_equal(kernel_memmove(ours + to, ours + from, size), ours + to);
				memmove(theirs + to, theirs + from, size);
				assert_memory_equal(ours, theirs, AREA);
			}
		}
	}
}

static void test_memset(void **state)
{
	u8 ours[AREA];
	u8 theirs[AREA];

	(void)state;
	for (size_t size = 0; size < AREA - 8; size++) {
		fill(ours);
		fill(theirs);
		assert_ptr_equal(kernel_memset(ours + 3, 0x1a5, size), ours + 3);
		memset(theirs + 3, 0x1a5, size);
		assert_memory_equal(ours, theirs, AREA);
	}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void test_comparisons(void **state)
{
	static const char *const texts[] = {"", "a", "ab", "abc", "abd", "b", "\x7f", "\x80", "\xff"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(kernel_strlen(texts[i]), strlen(texts[i]));
		for (unsigned j = 0; j < ARRAY_SIZE(texts); j++) {
			assert_int_equal(sign(kernel_strcmp(texts[i], texts[j])),
					 sign(strcmp(texts[i], texts[j])));
			for (size_t size = 0; size < 5; size++)
				assert_int_equal(sign(kernel_strncmp(texts[i], texts[j], size)),
						 sign(strncmp(texts[i], texts[j], size)));
		}
	}
	assert_int_equal(sign(kernel_memcmp("a\0b", "a\0c", 3)), -1);
	assert_int_equal(kernel_memcmp("a\0b", "a\0c", 2), 0);
	assert_int_equal(kernel_memcmp("x", "y", 0), 0);
}

static void test_patterns_that_match(void **state)
{
	(void)state;
	assert_true(pattern_match("", ""));
	assert_true(pattern_match("cpuid", "cpuid"));
	assert_true(pattern_match("*", ""));
	assert_true(pattern_match("*", "anything.at.all"));
	assert_true(pattern_match("cr*", "cr_read.cr3"));
	assert_true(pattern_match("*.cr3", "cr_read.cr3"));
	assert_true(pattern_match("c?uid", "cpuid"));
	assert_true(pattern_match("*a*b*", "xxaxxaxxbxx"));
	assert_true(pattern_match("*ab", "aab"));
	assert_true(pattern_match("**?**", "x"));
	assert_true(pattern_match("a*?c", "abbbc"));
}

static void test_patterns_that_do_not(void **state)
{
	(void)state;
	assert_false(pattern_match("", "x"));
	assert_false(pattern_match("x", ""));
	assert_false(pattern_match("?", ""));
	assert_false(pattern_match("cpuid", "cpuid2"));
	assert_false(pattern_match("cpuid2", "cpuid"));
	assert_false(pattern_match("*.cr3", "cr_read.cr4"));
	assert_false(pattern_match("a*b", "ac"));
	assert_false(pattern_match("*?", ""));
}

/* A matcher that tries every split would never come back from this one. */
static void test_pattern_takes_bounded_time(void **state)
{
	char text[4001];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(pattern_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy_all_sizes_and_alignments),
		cmocka_unit_test(test_memmove_every_overlap),
		cmocka_unit_test(test_memset),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_patterns_that_match),
		cmocka_unit_test(test_patterns_that_do_not),
		cmocka_unit_test(test_pattern_takes_bounded_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
