/*
 * The builders: written from the formats, with nothing of the readers.
 */
#include "guest_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void file_put(struct file *file, const void *data, size_t size)
{
	if (size > FILE_BYTES_MAX - file->size)
		abort();
	memcpy(file->bytes + file->size, data, size);
	file->size += size;
}

void file_put_text(struct file *file, const char *text)
{
	file_put(file, text, strlen(text));
}

u8 *file_copy(const struct file *file)
{
	u8 *copy = malloc(file->size ? file->size : 1);

	memcpy(copy, file->bytes, file->size);
	return copy;
}

void file_set(struct file *file, size_t offset, u64 value, size_t size)
{
	memcpy(file->bytes + offset, &value, size);
}

static void pad(struct file *file, size_t alignment)
{
	while (file->size % alignment)
		file_put(file, "", 1);
}

void file_put_note(struct file *file, const char *owner, u32 type, const void *payload, u32 size)
{
	u32 header[3] = {(u32)strlen(owner) + 1, size, type};

	file_put(file, header, sizeof(header));
	file_put(file, owner, header[0]);
	pad(file, 4);
	file_put(file, payload, size);
	pad(file, 4);
}

static void put_segment(struct file *file, u32 type, u64 address, size_t offset, size_t file_size,
			u64 memory_size)
{
	size_t at = file->size;
	static const u8 empty[SEGMENT_HEADER_SIZE];

	file_put(file, empty, sizeof(empty));
	file_set(file, at + SEGMENT_TYPE, type, 4);
	file_set(file, at + SEGMENT_OFFSET, offset, 8);
	file_set(file, at + SEGMENT_PHYSICAL, address, 8);
	file_set(file, at + SEGMENT_FILE_SIZE, file_size, 8);
	file_set(file, at + SEGMENT_MEMORY_SIZE, memory_size, 8);
}

struct file elf_file(const struct file *notes)
{
	static const u8 code[4] = {0x0f, 0xa2, 0x0f, 0xa2};
	static const u8 empty[ELF_HEADER_SIZE];
	size_t code_at = ELF_HEADER_SIZE + 2 * SEGMENT_HEADER_SIZE;
	struct file file = {.size = 0};

	file_put(&file, empty, sizeof(empty));
	memcpy(file.bytes, "\177ELF\2\1\1", 7);
	file_set(&file, ELF_TYPE, 2, 2);
	file_set(&file, ELF_MACHINE, 62, 2);
	file_set(&file, ELF_SEGMENTS_OFFSET, ELF_HEADER_SIZE, 8);
	file_set(&file, ELF_SEGMENT_SIZE, SEGMENT_HEADER_SIZE, 2);
	file_set(&file, ELF_SEGMENT_COUNT, 2, 2);
	put_segment(&file, 1, 0x8000, code_at, sizeof(code), 16);
	put_segment(&file, 4, 0, code_at + sizeof(code), notes->size, notes->size);
	file_put(&file, code, sizeof(code));
	file_put(&file, notes->bytes, notes->size);
	return file;
}

void archive_begin(struct file *archive)
{
	archive->size = 0;
	file_put_text(archive, "!<arch>\n");
}

void archive_put(struct file *archive, const char *name_field, const void *data, size_t size)
{
	char header[61];

	snprintf(header, sizeof(header), "%-16.16s%-12s%-6s%-6s%-8s%-10zu`\n", name_field, "0", "0", "0",
		 "644", size);
	file_put(archive, header, 60);
	file_put(archive, data, size);
	if (size % 2)
		file_put(archive, "\n", 1);
}
