/*
 * Builders of guest files, for the tests of their readers: ELF files with segments and notes, and archives of
 * them.
 */
#ifndef GUEST_FILES_H
#define GUEST_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/types.h"

#define FILE_BYTES_MAX 0x4000

struct file {
	u8 bytes[FILE_BYTES_MAX];
	size_t size;
};

void file_put(struct file *file, const void *data, size_t size);
void file_put_text(struct file *file, const char *text);

/* A copy of the file on the heap, so that one byte too far is seen; the caller frees it. */
u8 *file_copy(const struct file *file);

/* The ELF header's fields and a program header's, at the places where the System V ABI has them. */
enum elf_offset {
	ELF_CLASS = 4,
	ELF_DATA = 5,
	ELF_TYPE = 16,
	ELF_MACHINE = 18,
	ELF_SEGMENTS_OFFSET = 32,
	ELF_SEGMENT_SIZE = 54,
	ELF_SEGMENT_COUNT = 56,
	ELF_HEADER_SIZE = 64,
	SEGMENT_TYPE = 0,
	SEGMENT_OFFSET = 8,
	SEGMENT_PHYSICAL = 24,
	SEGMENT_FILE_SIZE = 32,
	SEGMENT_MEMORY_SIZE = 40,
	SEGMENT_HEADER_SIZE = 56,
};

/* Changes a field of 1, 2, 4 or 8 bytes, little-endian. */
void file_set(struct file *file, size_t offset, u64 value, size_t size);

/* A note of the given owner (its NUL included), padded. */
void file_put_note(struct file *file, const char *owner, u32 type, const void *payload, u32 size);

/*
 * An executable with two segments: one to load at 8000H (file 4 bytes, memory 16), and the given notes. Its
 * program headers begin at ELF_HEADER_SIZE.
 */
struct file elf_file(const struct file *notes);

/* An archive: the magic line, then members; a name longer than 15 bytes goes into the table of long names. */
void archive_begin(struct file *archive);
void archive_put(struct file *archive, const char *name_field, const void *data, size_t size);

#endif
