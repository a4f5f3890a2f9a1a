/*
 * The kernel's command line (options.h): words, selection by pattern, run order; and any text at all.
 */
/* sources: src/options.c src/lib/format.c src/lib/pattern.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

static struct options options;

static void test_nothing(void **state)
{
	static const char *const lines[] = {"", "   ", "/boot/kernel.elf", "  /boot/kernel.elf  "};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		memset(&options, 0xff, sizeof(options));
		assert_true(options_parse(&options, lines[i]));
		assert_string_equal(options.guests, "");
		assert_string_equal(options.from, "");
		assert_int_equal(options.order, ORDER_FORWARD);
		assert_int_equal(options.processors, 0);
		assert_false(options.verbose);
		assert_true(options_select(&options, "cpuid"));
	}
}

static void test_every_word(void **state)
{
	(void)state;
	assert_true(options_parse(
		&options, "/kernel guests=cpuid,io* from=io.out order=shuffle:7  processors=2 verbose "));
	assert_string_equal(options.guests, "cpuid,io*");
	assert_string_equal(options.from, "io.out");
	assert_int_equal(options.order, ORDER_SHUFFLE);
	assert_int_equal(options.seed, 7);
	assert_int_equal(options.processors, 2);
	assert_true(options.verbose);
	assert_true(options_parse(&options, "order=reverse"));
	assert_int_equal(options.order, ORDER_REVERSE);
	assert_true(options_parse(&options, "order=reverse order=forward")); /* the last one counts */
	assert_int_equal(options.order, ORDER_FORWARD);
	assert_true(options_parse(&options, "processors=16 order=shuffle:18446744073709551615"));
	assert_int_equal(options.seed, UINT64_MAX);
}

static void test_malformed_words(void **state)
{
	static const char *const lines[] = {
		"guest=cpuid",
		"guests",
		"guests=",
		"from=",
		"order=",
		"order=backward",
		"order=shuffle",
		"order=shuffle:",
		"order=shuffle:x",
		"order=shuffle:1x",
		"order=shuffle:-1",
		"order=shuffle:18446744073709551616",
		"order=reversed",
		"processors=0",
		"processors=17",
		"processors=",
		"processors=two",
		"processors=99999999999999999999999",
		"verbose=1",
		"verbos",
		"verbosee",
		"quiet",
		"=",
		"verbose /boot/kernel.elf", /* a path stands first or not at all */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_false(options_parse(&options, lines[i]));
		assert_int_not_equal(strlen(options.error), 0);
	}
	options_parse(&options, "verbose nonsense");
	assert_non_null(strstr(options.error, "\"nonsense\""));
}

static void test_values_that_are_too_long(void **state)
{
	static char line[OPTION_TEXT_MAX + 64];

	(void)state;
	strcpy(line, "guests=");
	memset(line + 7, 'x', OPTION_TEXT_MAX - 1);
	assert_true(options_parse(&options, line));
	assert_int_equal(strlen(options.guests), OPTION_TEXT_MAX - 1);
	line[7 + OPTION_TEXT_MAX - 1] = 'x';
	assert_false(options_parse(&options, line));
	assert_in_range(strlen(options.error), 1, OPTION_ERROR_MAX - 1);
}

static bool selected(const char *patterns, const char *name)
{
	strcpy(options.guests, patterns);
	return options_select(&options, name);
}

static void test_selection(void **state)
{
	(void)state;
	assert_true(selected("cpuid", "cpuid"));
	assert_false(selected("cpuid", "cpuid2"));
	assert_false(selected("cpui", "cpuid"));
	assert_true(selected("io,cpuid", "cpuid"));
	assert_true(selected("io*", "io_out"));
	assert_true(selected("?puid", "cpuid"));
	assert_false(selected("?cpuid", "cpuid"));
	/* A pattern without a dot takes every variant; one with a dot takes what it says. */
	assert_true(selected("io", "io.out8"));
	assert_true(selected("i?", "io.out8"));
	assert_true(selected("*", "io.out8"));
	assert_false(selected("io.in8", "io.out8"));
	assert_true(selected("io.*", "io.out8"));
	assert_false(selected("io.*", "io"));
	assert_false(selected("out8", "io.out8"));
	assert_true(selected("*out8", "io.out8"));
	/* Empty patterns match nothing. */
	assert_false(selected(",", "cpuid"));
	assert_true(selected(",,cpuid,", "cpuid"));
}

static void arrange(const char *line, u32 *numbers, u32 count)
{
	assert_true(options_parse(&options, line));
	options_arrange(&options, numbers, count);
}

static void assert_each_once(const u32 *numbers, u32 count)
{
	u8 seen[256] = {0};

	for (u32 i = 0; i < count; i++) {
		assert_in_range(numbers[i], 0, count - 1);
		assert_int_equal(seen[numbers[i]]++, 0);
	}
}

static void test_orders(void **state)
{
	u32 numbers[200];
	u32 again[200];

	(void)state;
	arrange("", numbers, 3);
	assert_true(numbers[0] == 0 && numbers[1] == 1 && numbers[2] == 2);
	arrange("order=reverse", numbers, 3);
	assert_true(numbers[0] == 2 && numbers[1] == 1 && numbers[2] == 0);
	for (u32 count = 0; count <= ARRAY_SIZE(numbers); count++) {
		arrange("order=shuffle:42", numbers, count);
		assert_each_once(numbers, count);
	}
	/* The seed alone decides. */
	arrange("order=shuffle:42", again, ARRAY_SIZE(again));
	assert_memory_equal(numbers, again, sizeof(numbers));
	arrange("order=shuffle:43", again, ARRAY_SIZE(again));
	assert_memory_not_equal(numbers, again, sizeof(numbers));
}

/* Every number comes first about as often as any other. */
static void test_the_shuffle_is_fair(void **state)
{
	unsigned first[8] = {0};

	(void)state;
	options.order = ORDER_SHUFFLE;
	for (options.seed = 0; options.seed < 8000; options.seed++) {
		u32 numbers[8];

		options_arrange(&options, numbers, 8);
		first[numbers[0]]++;
	}
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(first[i], 850, 1150);
}

static void test_any_text(void **state)
{
	static const char *const pieces[] = {
		"guests=", "from=", "order=",  "shuffle:", "processors=", "verbose", " ",
		"/",	   "=",	    "forward", "9",	   "\xff",	  "*",	     ","};

	(void)state;
	srand(3);
	for (unsigned i = 0; i < 3000; i++) {
		char line[200] = "";

		for (int count = rand() % 10; count > 0; count--)
			strcat(line, pieces[(unsigned)rand() % ARRAY_SIZE(pieces)]);
		if (options_parse(&options, line))
			options_select(&options, "io.out8");
		else
			assert_in_range(strlen(options.error), 1, OPTION_ERROR_MAX - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_every_word),
		cmocka_unit_test(test_malformed_words),
		cmocka_unit_test(test_values_that_are_too_long),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_the_shuffle_is_fair),
		cmocka_unit_test(test_any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
