/*
 * The reader of a micro-guest's ELF file (guest/elf.h): what it loads, its notes, and memory that holds
 * anything.
 */
/* sources: tests/unit/guest_files.c src/guest/elf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/elf.h"
#include "guest_files.h"

#define OWNER "Exitscope"
#define FIRST_SEGMENT ELF_HEADER_SIZE
#define SECOND_SEGMENT (ELF_HEADER_SIZE + SEGMENT_HEADER_SIZE)

static struct file file;

static void make(void)
{
	struct file notes = {.size = 0};

	file_put_note(&notes, OWNER, 1, "cpuid", 6);
	file_put_note(&notes, "GNU", 3, "build", 5);
	file_put_note(&notes, OWNER, 16, "", 0);
	file_put_note(&notes, OWNER, 3, "12345678", 8);
	file = elf_file(&notes);
}

static bool opens(void)
{
	u8 *data = file_copy(&file);
	struct elf elf;
	const char *why = NULL;
	bool opened = elf_open(&elf, data, file.size, &why);

	assert_int_equal(why == NULL, opened);
	free(data);
	return opened;
}

static void test_segments(void **state)
{
	struct elf elf;
	struct elf_segment segment;
	const char *why;

	(void)state;
	make();
	assert_true(elf_open(&elf, file.bytes, file.size, &why));
	assert_int_equal(elf.segment_count, 2);
	assert_true(elf_segment(&elf, 0, &segment));
	assert_int_equal(segment.address, 0x8000);
	assert_int_equal(segment.file_size, 4);
	assert_int_equal(segment.memory_size, 16);
	assert_memory_equal(segment.data, "\x0f\xa2\x0f\xa2", 4);
	assert_false(elf_segment(&elf, 1, &segment)); /* the notes */
}

/* A member of an archive lies at any even address. */
static void test_misaligned(void **state)
{
	static u8 place[FILE_BYTES_MAX + 2];
	struct elf elf;
	struct elf_note note;
	const char *why;

	(void)state;
	make();
	memcpy(place + 1, file.bytes, file.size);
	assert_true(elf_open(&elf, place + 1, file.size, &why));
	struct elf_notes notes = elf_notes(&elf);

	assert_true(elf_note_next(&notes, &note));
	assert_int_equal(note.type, 1);
}

static void test_notes(void **state)
{
	struct elf elf;
	struct elf_note note;
	const char *why;

	(void)state;
	make();
	assert_true(elf_open(&elf, file.bytes, file.size, &why));
	struct elf_notes notes = elf_notes(&elf);

	assert_true(elf_note_next(&notes, &note));
	assert_int_equal(note.type, 1);
	assert_int_equal(note.size, 6);
	assert_string_equal((const char *)note.payload, "cpuid");
	/* Another owner's note is passed over; a payload may be empty. */
	assert_true(elf_note_next(&notes, &note));
	assert_int_equal(note.type, 16);
	assert_int_equal(note.size, 0);
	assert_true(elf_note_next(&notes, &note));
	assert_int_equal(note.type, 3);
	assert_memory_equal(note.payload, "12345678", 8);
	assert_false(elf_note_next(&notes, &note));
	assert_false(elf_note_next(&notes, &note));
}

static void test_without_notes(void **state)
{
	struct elf elf;
	struct elf_note note;
	const char *why;

	(void)state;
	make();
	file_set(&file, ELF_SEGMENT_COUNT, 1, 2);
	assert_true(elf_open(&elf, file.bytes, file.size, &why));
	struct elf_notes notes = elf_notes(&elf);

	assert_false(elf_note_next(&notes, &note));
	file_set(&file, ELF_SEGMENT_COUNT, 0, 2);
	assert_true(opens());
}

/* How many notes a segment of these bytes holds. */
static unsigned count_notes(const void *bytes, size_t size)
{
	struct file notes = {.size = 0};
	struct elf elf;
	struct elf_note note;
	const char *why;
	unsigned count = 0;
	unsigned sum = 0;

	file_put(&notes, bytes, size);
	file = elf_file(&notes);

	u8 *data = file_copy(&file);

	assert_true(elf_open(&elf, data, file.size, &why));
	struct elf_notes at = elf_notes(&elf);

	while (elf_note_next(&at, &note)) {
		count++;
		for (size_t i = 0; i < note.size; i++)
			sum += note.payload[i];
	}
	assert_true(sum < ~0u);
	free(data);
	return count;
}

static void test_malformed_notes(void **state)
{
	struct file good = {.size = 0};
	struct file bad;

	(void)state;
	file_put_note(&good, OWNER, 1, "abc", 3);
	assert_int_equal(count_notes(good.bytes, good.size), 1);
	assert_int_equal(count_notes(good.bytes, good.size - 1), 1); /* only padding is missing */
	assert_int_equal(count_notes(good.bytes, good.size - 2), 0);
	for (size_t size = 0; size < good.size - 1; size++)
		assert_int_equal(count_notes(good.bytes, size), 0);
	/* Sizes whose sums would wrap in 32 bits. */
	static const u32 sizes[][2] = {
		{0xffffffff, 3}, {10, 0xffffffff},	   {0xfffffff0, 0x20},
		{0xfffffffd, 0}, {0x80000000, 0x80000000}, {11, 3},
		{0, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		bad = good;
		file_set(&bad, 0, sizes[i][0], 4);
		file_set(&bad, 4, sizes[i][1], 4);
		assert_int_equal(count_notes(bad.bytes, bad.size), 0);
	}
	/* The owner must be equal, its NUL included. */
	bad = good;
	bad.bytes[12 + 9] = 'x';
	assert_int_equal(count_notes(bad.bytes, bad.size), 0);
}

static void test_malformed_headers(void **state)
{
	static const struct {
		size_t offset;
		u64 value;
		size_t size;
	} changes[] = {
		{0, 0, 1},
		{3, 'f', 1},
		{ELF_CLASS, 1, 1},
		{ELF_DATA, 2, 1},
		{ELF_TYPE, 1, 2}, /* an object */
		{ELF_TYPE, 3, 2}, /* position-independent */
		{ELF_MACHINE, 3, 2},
		{ELF_SEGMENTS_OFFSET, ~0ull, 8},
		{ELF_SEGMENTS_OFFSET, ~0ull - SEGMENT_HEADER_SIZE, 8},
		{ELF_SEGMENTS_OFFSET, 1ull << 63, 8},
		{ELF_SEGMENT_SIZE, 0, 2},
		{ELF_SEGMENT_SIZE, SEGMENT_HEADER_SIZE + 1, 2},
		{ELF_SEGMENT_COUNT, 0xffff, 2},
		{FIRST_SEGMENT + SEGMENT_OFFSET, ~0ull, 8},
		{FIRST_SEGMENT + SEGMENT_OFFSET, ~0ull - 3, 8},
		{FIRST_SEGMENT + SEGMENT_FILE_SIZE, ~0ull, 8},
		{FIRST_SEGMENT + SEGMENT_FILE_SIZE, 17, 8}, /* more than in memory */
		{FIRST_SEGMENT + SEGMENT_MEMORY_SIZE, 3, 8},
		{SECOND_SEGMENT + SEGMENT_OFFSET, FILE_BYTES_MAX, 8},
		{SECOND_SEGMENT + SEGMENT_FILE_SIZE, ~0ull >> 1, 8},
	};

	(void)state;
	make();
	assert_true(opens());
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		make();
		file_set(&file, changes[i].offset, changes[i].value, changes[i].size);
		assert_false(opens());
	}
}

/* Segments up to the very end of the file, and one byte beyond. */
static void test_segments_at_the_end(void **state)
{
	(void)state;
	make();
	file_set(&file, FIRST_SEGMENT + SEGMENT_OFFSET, file.size - 4, 8);
	assert_true(opens());
	file_set(&file, FIRST_SEGMENT + SEGMENT_OFFSET, file.size - 3, 8);
	assert_false(opens());
	file_set(&file, FIRST_SEGMENT + SEGMENT_FILE_SIZE, 0, 8);
	file_set(&file, FIRST_SEGMENT + SEGMENT_OFFSET, file.size, 8);
	assert_true(opens());
	file_set(&file, FIRST_SEGMENT + SEGMENT_OFFSET, file.size + 1, 8);
	assert_false(opens());
	/* The program headers may end the file. */
	make();
	file_set(&file, ELF_SEGMENTS_OFFSET, file.size - SEGMENT_HEADER_SIZE, 8);
	file_set(&file, ELF_SEGMENT_COUNT, 2, 2);
	assert_false(opens());
}

static void test_every_truncation(void **state)
{
	size_t whole;

	(void)state;
	make();
	whole = file.size;
	for (file.size = 0; file.size < whole; file.size++)
		assert_false(opens());
}

/* Reads everything that can be read of a file. */
static void read_all(void)
{
	u8 *data = file_copy(&file);
	struct elf elf;
	const char *why;
	unsigned sum = 0;

	if (elf_open(&elf, data, file.size, &why)) {
		struct elf_notes notes = elf_notes(&elf);
		struct elf_segment segment;
		struct elf_note note;

		for (unsigned i = 0; i < elf.segment_count; i++) {
			if (!elf_segment(&elf, i, &segment))
				continue;
			assert_true(segment.file_size <= segment.memory_size);
			for (size_t j = 0; j < segment.file_size; j++)
				sum += segment.data[j];
		}
		while (elf_note_next(&notes, &note)) {
			for (size_t j = 0; j < note.size; j++)
				sum += note.payload[j];
		}
	}
	assert_true(sum < ~0u);
	free(data);
}

static void test_damaged_bytes(void **state)
{
	(void)state;
	srand(5);
	for (unsigned i = 0; i < 10000; i++) {
		make();
		for (int changes = 1 + rand() % 4; changes > 0; changes--)
			file.bytes[(size_t)rand() % file.size] = (u8)(rand() % 4   ? rand()
								      : rand() % 2 ? 0xff
										   : 0);
		read_all();
	}
}

static void test_random_bytes(void **state)
{
	(void)state;
	srand(6);
	for (unsigned i = 0; i < 2000; i++) {
		make();
		for (size_t j = (size_t)rand() % 2 ? 20 : ELF_HEADER_SIZE; j < file.size; j++)
			file.bytes[j] = (u8)(rand() % 3 ? 0 : rand());
		file.size = (size_t)rand() % (file.size + 1);
		read_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_misaligned),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_without_notes),
		cmocka_unit_test(test_malformed_notes),
		cmocka_unit_test(test_malformed_headers),
		cmocka_unit_test(test_segments_at_the_end),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_damaged_bytes),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
