/*
 * A micro-guest's ELF file: what its program headers load, and its notes. Pure, over memory that may hold
 * anything: every offset is checked before it is followed.
 */
#ifndef GUEST_ELF_H
#define GUEST_ELF_H

#include "lib/types.h"

struct elf {
	const u8 *data;
	size_t size;
	size_t segments_offset;
	unsigned segment_count;
};

struct elf_segment {
	u64 address; /* guest-physical */
	const u8 *data;
	size_t file_size;
	u64 memory_size; /* at least file_size; the rest is 0 */
};

/* An owner's note; next continues the iteration. */
struct elf_note {
	u32 type;
	const u8 *payload;
	size_t size;
};

struct elf_notes {
	const u8 *at;
	const u8 *end;
};

/* False, with *why a sentence for people, when it is not a 64-bit little-endian x86-64 executable or is
 * damaged. */
bool elf_open(struct elf *elf, const void *data, size_t size, const char **why);

/* The index-th program header, when it is one to load; false otherwise. index is below elf->segment_count. */
bool elf_segment(const struct elf *elf, unsigned index, struct elf_segment *segment);

/* The notes of the first PT_NOTE segment; empty when there is none. */
struct elf_notes elf_notes(const struct elf *elf);

/* The next note of the owner "Exitscope"; others are passed over. False at the end, or when the rest is
 * malformed. */
bool elf_note_next(struct elf_notes *notes, struct elf_note *note);

#endif
