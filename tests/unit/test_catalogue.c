/*
 * The catalogue (guest/catalogue.h): guests and variants in their order, malformed files named, memory given
 * out.
 */
/* sources: tests/unit/guest_files.c tests/unit/fake_pages.c src/guest/catalogue.c src/guest/archive.c */
/* sources: src/guest/elf.c src/lib/crc32.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_pages.h"
#include "guest/catalogue.h"
#include "guest_files.h"
#include "lib/crc32.h"

#define OWNER "Exitscope"

static struct file archive;
static struct catalogue catalogue;

static bool read_catalogue(const char **why)
{
	*why = NULL;
	return catalogue_read(&catalogue, archive.bytes, archive.size, why);
}

static void release(void)
{
	if (catalogue.guests)
		pages_free(catalogue.guests, fake_pages_out);
	catalogue.guests = NULL;
}

static void put_guest(struct file *notes, const char *name)
{
	file_put_note(notes, OWNER, NOTE_GUEST, name, (u32)strlen(name) + 1);
	file_put_note(notes, OWNER, NOTE_ENTRY, "\0\x80\0\0\0\0\0\0", 8);
}

static void test_guests_and_variants(void **state)
{
	struct file one = {.size = 0};
	struct file two = {.size = 0};
	struct elf_note note;
	const char *why;

	(void)state;
	fake_pages_reset(100);
	put_guest(&one, "cpuid");
	put_guest(&two, "io.in");
	put_guest(&two, "io.out");
	file_put_note(&two, OWNER, NOTE_MOVES, "", 0);

	struct file first = elf_file(&one);
	struct file second = elf_file(&two);

	archive_begin(&archive);
	archive_put(&archive, "cpuid.elf/", first.bytes, first.size);
	archive_put(&archive, "io.elf/", second.bytes, second.size);
	assert_true(read_catalogue(&why));
	assert_int_equal(catalogue.count, 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(catalogue.guests[i].index, i);
		assert_null(catalogue.guests[i].malformed);
	}
	assert_string_equal(catalogue.guests[0].name, "cpuid");
	assert_string_equal(catalogue.guests[1].name, "io.in");
	assert_string_equal(catalogue.guests[2].name, "io.out");
	assert_int_equal(catalogue.guests[0].digest, crc32(first.bytes, first.size));
	assert_int_equal(catalogue.guests[2].digest, crc32(second.bytes, second.size));

	/* A guest's notes end where the next guest's begin. */
	struct elf_notes notes = catalogue.guests[1].notes;

	assert_true(guest_note_next(&notes, &note));
	assert_int_equal(note.type, NOTE_ENTRY);
	assert_false(guest_note_next(&notes, &note));
	notes = catalogue.guests[2].notes;
	assert_true(guest_note_next(&notes, &note));
	assert_true(guest_note_next(&notes, &note));
	assert_int_equal(note.type, NOTE_MOVES);
	assert_false(guest_note_next(&notes, &note));
	release();
}

/* What stands before the first head belongs to nobody. */
static void test_notes_before_the_head(void **state)
{
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	fake_pages_reset(100);
	file_put_note(&notes, OWNER, NOTE_MOVES, "", 0);
	put_guest(&notes, "a");

	struct file elf = elf_file(&notes);

	archive_begin(&archive);
	archive_put(&archive, "a.elf/", elf.bytes, elf.size);
	assert_true(read_catalogue(&why));
	assert_int_equal(catalogue.count, 1);
	release();
}

static void test_malformed_files_are_guests(void **state)
{
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	fake_pages_reset(100);

	struct file headless = elf_file(&notes);

	put_guest(&notes, "good");

	struct file good = elf_file(&notes);

	archive_begin(&archive);
	archive_put(&archive, "text.elf/", "hello", 5);
	archive_put(&archive, "headless.elf/", headless.bytes, headless.size);
	archive_put(&archive, "good.elf/", good.bytes, good.size);
	assert_true(read_catalogue(&why));
	assert_int_equal(catalogue.count, 3);
	assert_string_equal(catalogue.guests[0].name, "text.elf");
	assert_non_null(catalogue.guests[0].malformed);
	assert_int_equal(catalogue.guests[0].digest, crc32("hello", 5));
	assert_string_equal(catalogue.guests[1].name, "headless.elf");
	assert_non_null(strstr(catalogue.guests[1].malformed, "GUEST"));
	assert_string_equal(catalogue.guests[2].name, "good");
	assert_null(catalogue.guests[2].malformed);
	release();
}

static void test_long_and_unended_names(void **state)
{
	static char name[200];
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	fake_pages_reset(100);
	memset(name, 'n', sizeof(name) - 1);
	file_put_note(&notes, OWNER, NOTE_GUEST, name, sizeof(name));
	file_put_note(&notes, OWNER, NOTE_GUEST, "abc", 3); /* no NUL */
	file_put_note(&notes, OWNER, NOTE_GUEST, "", 0);

	struct file elf = elf_file(&notes);

	archive_begin(&archive);
	archive_put(&archive, "a.elf/", elf.bytes, elf.size);
	assert_true(read_catalogue(&why));
	assert_int_equal(strlen(catalogue.guests[0].name), GUEST_NAME_MAX - 1);
	assert_string_equal(catalogue.guests[1].name, "abc");
	assert_string_equal(catalogue.guests[2].name, "");
	release();
}

static void test_catalogues_that_cannot_be_read(void **state)
{
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	fake_pages_reset(100);
	archive.size = 0;
	assert_false(read_catalogue(&why));
	assert_non_null(why);
	archive_begin(&archive);
	assert_false(read_catalogue(&why));
	assert_non_null(strstr(why, "no guests"));
	put_guest(&notes, "a");

	struct file elf = elf_file(&notes);

	archive_put(&archive, "a.elf/", elf.bytes, elf.size);
	file_put_text(&archive, "rubbish");
	assert_false(read_catalogue(&why));
	assert_non_null(why);
	assert_int_equal(fake_pages_out, 0);
	/* No memory. */
	archive.size -= strlen("rubbish");
	fake_pages_reset(0);
	assert_false(read_catalogue(&why));
	assert_non_null(strstr(why, "memory"));
}

/* More guests than one page can list. */
static void test_many_guests(void **state)
{
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	fake_pages_reset(100);
	for (unsigned i = 0; i < 150; i++)
		put_guest(&notes, "many");

	struct file elf = elf_file(&notes);

	archive_begin(&archive);
	archive_put(&archive, "many.elf/", elf.bytes, elf.size);
	assert_true(read_catalogue(&why));
	assert_int_equal(catalogue.count, 150);
	assert_int_equal(catalogue.guests[149].index, 149);
	release();
}

static void test_damaged_bytes(void **state)
{
	struct file notes = {.size = 0};
	const char *why;

	(void)state;
	put_guest(&notes, "a");
	put_guest(&notes, "b");

	struct file elf = elf_file(&notes);

	srand(7);
	for (unsigned i = 0; i < 3000; i++) {
		fake_pages_reset(100);
		archive_begin(&archive);
		archive_put(&archive, "a.elf/", elf.bytes, elf.size);
		archive_put(&archive, "b.elf/", elf.bytes, elf.size);
		for (int changes = 1 + rand() % 4; changes > 0; changes--)
			archive.bytes[8 + (size_t)rand() % (archive.size - 8)] = (u8)rand();
		if (read_catalogue(&why))
			assert_in_range(catalogue.count, 1, 8);
		else
			assert_non_null(why);
		release();
		assert_int_equal(fake_pages_out, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guests_and_variants),
		cmocka_unit_test(test_notes_before_the_head),
		cmocka_unit_test(test_malformed_files_are_guests),
		cmocka_unit_test(test_long_and_unended_names),
		cmocka_unit_test(test_catalogues_that_cannot_be_read),
		cmocka_unit_test(test_many_guests),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
