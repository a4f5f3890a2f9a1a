/*
 * The reader of ar archives (guest/archive.h): GNU's format, and memory that holds anything.
 */
/* sources: tests/unit/guest_files.c src/guest/archive.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/archive.h"
#include "guest_files.h"

#define SIZE_FIELD 48 /* in a member's header */

static struct file file;

/* Reads the whole archive from the heap; how it ended, and the members' names with commas behind them. */
static enum archive_result read_all(char *names)
{
	u8 *data = file_copy(&file);
	struct archive archive;
	struct archive_member member;
	enum archive_result result = ARCHIVE_DAMAGED;
	const char *why = NULL;
	unsigned sum = 0;

	names[0] = '\0';
	if (archive_open(&archive, data, file.size, &why)) {
		while ((result = archive_next(&archive, &member, &why)) == ARCHIVE_MEMBER) {
			strcat(strcat(names, member.name), ",");
			for (size_t i = 0; i < member.size; i++)
				sum += member.data[i];
		}
	}
	assert_int_equal(why != NULL, result == ARCHIVE_DAMAGED);
	assert_true(sum < ~0u);
	free(data);
	return result;
}

static void assert_archive(enum archive_result expected, const char *expected_names)
{
	static char names[FILE_BYTES_MAX];

	assert_int_equal(read_all(names), expected);
	assert_string_equal(names, expected_names);
}

static void test_no_archive(void **state)
{
	(void)state;
	file.size = 0;
	assert_archive(ARCHIVE_DAMAGED, "");
	file_put_text(&file, "!<arch>");
	assert_archive(ARCHIVE_DAMAGED, "");
	file_put_text(&file, "\n");
	assert_archive(ARCHIVE_END, "");
	file.bytes[7] = ' ';
	assert_archive(ARCHIVE_DAMAGED, "");
}

static void test_members(void **state)
{
	struct archive archive;
	struct archive_member member;
	const char *why;

	(void)state;
	archive_begin(&file);
	archive_put(&file, "cpuid.elf/", "abc", 3);
	archive_put(&file, "empty.elf/", "", 0);
	archive_put(&file, "io.elf/", "12", 2);
	assert_archive(ARCHIVE_END, "cpuid.elf,empty.elf,io.elf,");
	assert_true(archive_open(&archive, file.bytes, file.size, &why));
	assert_int_equal(archive_next(&archive, &member, &why), ARCHIVE_MEMBER);
	assert_string_equal(member.name, "cpuid.elf");
	assert_int_equal(member.size, 3);
	assert_memory_equal(member.data, "abc", 3);
}

/* The last member's padding may be missing. */
static void test_odd_end(void **state)
{
	(void)state;
	archive_begin(&file);
	archive_put(&file, "a/", "x", 1);
	file.size--;
	assert_archive(ARCHIVE_END, "a,");
}

static void test_long_names(void **state)
{
	static const char table[] = "external_interrupt.elf/\nanother_long_name.elf/\n";

	(void)state;
	archive_begin(&file);
	archive_put(&file, "/", "symbols", 7);
	archive_put(&file, "//", table, strlen(table));
	archive_put(&file, "/24", "b", 1);
	archive_put(&file, "/0", "a", 1);
	archive_put(&file, "short.elf/", "c", 1);
	assert_archive(ARCHIVE_END, "another_long_name.elf,external_interrupt.elf,short.elf,");
}

static void test_bad_names(void **state)
{
	static const char table[] = "long_name.elf/\nunended";
	static const char *const fields[] = {
		"/47", "/22", "/15", "/x", "/-1", "/999999999999999", "abcdefghijklmnop", "name "};
	static char longest[2 * ARCHIVE_NAME_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		archive_begin(&file);
		archive_put(&file, "//", table, strlen(table));
		archive_put(&file, "good/", "", 0);
		archive_put(&file, fields[i], "", 0);
		assert_archive(ARCHIVE_DAMAGED, "good,");
	}
	/* A long name before the table, or without one. */
	archive_begin(&file);
	archive_put(&file, "/0", "", 0);
	archive_put(&file, "//", table, strlen(table));
	assert_archive(ARCHIVE_DAMAGED, "");
	/* One byte too long, and just right. */
	for (size_t length = ARCHIVE_NAME_MAX - 1; length <= ARCHIVE_NAME_MAX; length++) {
		memset(longest, 'n', length);
		longest[length] = '/';
		archive_begin(&file);
		archive_put(&file, "//", longest, length + 1);
		archive_put(&file, "/0", "", 0);
		longest[length] = ',';
		longest[length + 1] = '\0';
		assert_archive(length < ARCHIVE_NAME_MAX ? ARCHIVE_END : ARCHIVE_DAMAGED,
			       length < ARCHIVE_NAME_MAX ? longest : "");
	}
}

static void test_bad_sizes(void **state)
{
	static const char *const sizes[] = {"4         ", "9999999999", "          ", "x         ",
					    "-1        "};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		archive_begin(&file);
		archive_put(&file, "a/", "123", 3);
		file.size--; /* without the padding there are just 3 bytes */
		memcpy(file.bytes + 8 + SIZE_FIELD, sizes[i], 10);
		assert_archive(ARCHIVE_DAMAGED, "");
	}
}

static void test_bad_header_end(void **state)
{
	(void)state;
	archive_begin(&file);
	archive_put(&file, "a/", "", 0);
	file.bytes[8 + 58] = '!';
	assert_archive(ARCHIVE_DAMAGED, "");
}

/* Cut anywhere: the members before the cut are read, and nothing beyond it. */
static void test_every_truncation(void **state)
{
	static char names[FILE_BYTES_MAX];
	size_t whole;

	(void)state;
	archive_begin(&file);
	archive_put(&file, "//", "a_rather_long_name.elf/\n", 24);
	archive_put(&file, "/0", "abcde", 5);
	archive_put(&file, "b/", "fg", 2);
	whole = file.size;
	for (file.size = 0; file.size < whole; file.size++) {
		enum archive_result result = read_all(names);
		bool at_a_border = file.size == 8 || file.size == 8 + 84 || file.size == 8 + 84 + 65 ||
				   file.size == 8 + 84 + 66;

		assert_int_equal(result, at_a_border ? ARCHIVE_END : ARCHIVE_DAMAGED);
	}
}

static void test_damaged_bytes(void **state)
{
	static char names[FILE_BYTES_MAX];
	struct file sound = {.size = 0};

	(void)state;
	archive_begin(&sound);
	archive_put(&sound, "//", "a_rather_long_name.elf/\n", 24);
	archive_put(&sound, "/0", "abcde", 5);
	archive_put(&sound, "b/", "fg", 2);
	srand(4);
	for (unsigned i = 0; i < 5000; i++) {
		file = sound;
		for (int changes = 1 + rand() % 4; changes > 0; changes--)
			file.bytes[8 + (size_t)rand() % (file.size - 8)] =
				(u8)(rand() % 3 ? '0' + rand() % 10 : rand());
		read_all(names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_archive),     cmocka_unit_test(test_members),
		cmocka_unit_test(test_odd_end),	       cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_bad_names),      cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_bad_header_end), cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
