/*
 * Two passes over the archive: the first counts guests, the second fills the list.
 */
#include "guest/catalogue.h"
#include "arch/x86_64/pages.h"
#include "guest/archive.h"
#include "lib/crc32.h"
#include "lib/string.h"

/* What is done with each guest that a pass finds. */
typedef void visit_guest(struct catalogue *catalogue, const struct guest *guest);

static void copy_text(char *to, const u8 *from, size_t from_size)
{
	size_t i = 0;

	for (; i < from_size && i < GUEST_NAME_MAX - 1 && from[i] != '\0'; i++)
		to[i] = (char)from[i];
	to[i] = '\0';
}

static void visit_member(struct catalogue *catalogue, const struct archive_member *member, visit_guest *visit)
{
	/* The first pass, which only counts, has no use for the digest. */
	struct guest guest = {.digest = catalogue->guests ? crc32(member->data, member->size) : 0};
	struct elf_note note;
	bool found = false;

	copy_text(guest.name, (const u8 *)member->name, strlen(member->name));
	if (!elf_open(&guest.elf, member->data, member->size, &guest.malformed)) {
		visit(catalogue, &guest);
		return;
	}
	guest.notes = elf_notes(&guest.elf);
	while (elf_note_next(&guest.notes, &note)) {
		if (note.type != NOTE_GUEST)
			continue;
		found = true;
		copy_text(guest.name, note.payload, note.size);
		visit(catalogue, &guest);
	}
	if (!found) {
		guest.malformed = "it has no head: no GUEST note";
		visit(catalogue, &guest);
	}
}

static bool visit_all(struct catalogue *catalogue, const void *data, size_t size, visit_guest *visit,
		      const char **why)
{
	struct archive archive;
	struct archive_member member;
	enum archive_result result;

	if (!archive_open(&archive, data, size, why))
		return false;
	while ((result = archive_next(&archive, &member, why)) == ARCHIVE_MEMBER)
		visit_member(catalogue, &member, visit);
	return result == ARCHIVE_END;
}

static void count_guest(struct catalogue *catalogue, const struct guest *guest)
{
	(void)guest;
	catalogue->count++;
}

static void add_guest(struct catalogue *catalogue, const struct guest *guest)
{
	struct guest *to = &catalogue->guests[catalogue->count];

	*to = *guest;
	to->index = catalogue->count++;
}

bool catalogue_read(struct catalogue *catalogue, const void *data, size_t size, const char **why)
{
	*catalogue = (struct catalogue){0};
	if (!visit_all(catalogue, data, size, count_guest, why))
		return false;
	if (catalogue->count == 0) {
		*why = "it holds no guests";
		return false;
	}
	catalogue->guests =
		pages_alloc((catalogue->count * sizeof(struct guest) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
	if (!catalogue->guests) {
		*why = "there is no memory for the list of its guests";
		return false;
	}
	catalogue->count = 0;
	return visit_all(catalogue, data, size, add_guest, why);
}

bool guest_note_next(struct elf_notes *notes, struct elf_note *note)
{
	return elf_note_next(notes, note) && note->type != NOTE_GUEST;
}
