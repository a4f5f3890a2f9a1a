/*
 * ELF as far as a micro-guest needs it: header, program headers, notes (System V ABI, "Object Files",
 * "Program Loading"). The catalogue checks each file once; the set-up loads segments and walks notes.
 */
#include "guest/elf.h"
#include "lib/string.h"

#define MAGIC "\177ELF"
#define CLASS_64 2
#define DATA_LITTLE_ENDIAN 1
#define TYPE_EXECUTABLE 2
#define MACHINE_X86_64 62
#define SEGMENT_LOAD 1
#define SEGMENT_NOTE 4

#define NOTE_OWNER "Exitscope"

struct elf_header {
	u8 magic[4];
	u8 class;
	u8 data;
	u8 ident[10];
	u16 type;
	u16 machine;
	u32 version;
	u64 entry;
	u64 segments_offset;
	u64 sections_offset;
	u32 flags;
	u16 header_size;
	u16 segment_size;
	u16 segment_count;
	u16 section_size;
	u16 section_count;
	u16 section_names;
};

struct program_header {
	u32 type;
	u32 flags;
	u64 offset;
	u64 virtual_address;
	u64 physical_address;
	u64 file_size;
	u64 memory_size;
	u64 alignment;
};

struct note_header {
	u32 owner_size;
	u32 payload_size;
	u32 type;
};

static size_t aligned4(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static struct program_header program_header(const struct elf *elf, unsigned index)
{
	struct program_header header;

	/* Archive members lie at even offsets only: copy, so as not to depend on alignment. */
	memcpy(&header, elf->data + elf->segments_offset + index * sizeof(header), sizeof(header));
	return header;
}

static bool segment_is_sound(const struct elf *elf, const struct program_header *header)
{
	if (header->offset > elf->size || header->file_size > elf->size - header->offset)
		return false;
	return header->type != SEGMENT_LOAD || header->file_size <= header->memory_size;
}

bool elf_open(struct elf *elf, const void *data, size_t size, const char **why)
{
	struct elf_header header;

	if (size < sizeof(header) || memcmp(data, MAGIC, sizeof(header.magic)) != 0) {
		*why = "it is no ELF file";
		return false;
	}
	memcpy(&header, data, sizeof(header));
	if (header.class != CLASS_64 || header.data != DATA_LITTLE_ENDIAN ||
	    header.machine != MACHINE_X86_64 || header.type != TYPE_EXECUTABLE) {
		*why = "it is no 64-bit x86-64 executable";
		return false;
	}
	if (header.segment_size != sizeof(struct program_header) || header.segments_offset > size ||
	    header.segment_count > (size - header.segments_offset) / sizeof(struct program_header)) {
		*why = "its program headers lie outside the file";
		return false;
	}
	*elf = (struct elf){
		.data = data,
		.size = size,
		.segments_offset = header.segments_offset,
		.segment_count = header.segment_count,
	};
	for (unsigned i = 0; i < elf->segment_count; i++) {
		struct program_header segment = program_header(elf, i);

		if (!segment_is_sound(elf, &segment)) {
			*why = "a segment lies outside the file";
			return false;
		}
	}
	return true;
}

bool elf_segment(const struct elf *elf, unsigned index, struct elf_segment *segment)
{
	struct program_header header = program_header(elf, index);

	if (header.type != SEGMENT_LOAD)
		return false;
	*segment = (struct elf_segment){
		.address = header.physical_address,
		.data = elf->data + header.offset,
		.file_size = header.file_size,
		.memory_size = header.memory_size,
	};
	return true;
}

struct elf_notes elf_notes(const struct elf *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		struct program_header header = program_header(elf, i);

		if (header.type == SEGMENT_NOTE)
			return (struct elf_notes){.at = elf->data + header.offset,
						  .end = elf->data + header.offset + header.file_size};
	}
	return (struct elf_notes){0};
}

bool elf_note_next(struct elf_notes *notes, struct elf_note *note)
{
	struct note_header header;

	while ((size_t)(notes->end - notes->at) >= sizeof(header)) {
		size_t left = (size_t)(notes->end - notes->at) - sizeof(header);
		const u8 *owner = notes->at + sizeof(header);

		memcpy(&header, notes->at, sizeof(header));
		/* Sizes are 32-bit, sums of two of them fit into 64 bits. */
		if (aligned4(header.owner_size) + (size_t)header.payload_size > left)
			return false;
		note->type = header.type;
		note->payload = owner + aligned4(header.owner_size);
		note->size = header.payload_size;

		size_t step = aligned4(header.owner_size) + aligned4(header.payload_size);

		notes->at = owner + (step < left ? step : left);
		if (header.owner_size == sizeof(NOTE_OWNER) &&
		    memcmp(owner, NOTE_OWNER, sizeof(NOTE_OWNER)) == 0)
			return true;
	}
	return false;
}
