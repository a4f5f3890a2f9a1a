/*
 * The catalogue: every micro-guest of the module, in the order of the archive and, within a file, of its
 * heads. main.c reads it once at boot.
 */
#ifndef GUEST_CATALOGUE_H
#define GUEST_CATALOGUE_H

#include "guest/elf.h"
#include "lib/types.h"

#define GUEST_NAME_MAX 64

enum note_type {
#define NOTE(type, name, layout, meaning) NOTE_##name = type,
#include "guest/notes.def"
#undef NOTE
};

struct guest {
	char name[GUEST_NAME_MAX];
	u32 index;
	u32 digest; /* CRC-32 of the ELF file */
	struct elf elf;
	struct elf_notes notes; /* from behind its GUEST note on; ends at the next GUEST note */
	const char *malformed;	/* what is wrong with the file, NULL when nothing is */
};

struct catalogue {
	struct guest *guests;
	u32 count;
};

/*
 * Reads the archive at [data, data+size). A damaged archive is false, with *why a sentence for people; a
 * malformed file in a sound archive becomes a guest of the file's name whose `malformed` says what is wrong.
 * The module must stay where it is.
 */
bool catalogue_read(struct catalogue *catalogue, const void *data, size_t size, const char **why);

/* The next note of a guest; false at the end of its head. */
bool guest_note_next(struct elf_notes *notes, struct elf_note *note);

#endif
