/*
 * Reads an `ar` archive: a magic line, then members, each a header of text fields and its data, padded to
 * even offsets. The catalogue calls it once over the whole module.
 */
#include "guest/archive.h"
#include "lib/string.h"

#define MAGIC "!<arch>\n"
#define MAGIC_SIZE 8
#define HEADER_END "`\n"

struct header {
	char name[16]; /* "cpuid.elf/", or "/123": an offset into the table of long names */
	char date[12];
	char user[6];
	char group[6];
	char mode[8];
	char size[10]; /* decimal, padded with spaces */
	char end[2];
};

_Static_assert(sizeof(struct header) == 60, "an ar header has 60 bytes");

bool archive_open(struct archive *archive, const void *data, size_t size, const char **why)
{
	if (size < MAGIC_SIZE || memcmp(data, MAGIC, MAGIC_SIZE) != 0) {
		*why = "it does not start with \"!<arch>\": it is no ar archive";
		return false;
	}
	*archive = (struct archive){.data = data, .size = size, .next = MAGIC_SIZE};
	return true;
}

/* A decimal number that ends at the first byte that is no digit, or at the end of the field. */
static bool parse_decimal(const char *text, size_t length, size_t *value)
{
	size_t i = 0;

	*value = 0;
	for (; i < length && text[i] >= '0' && text[i] <= '9'; i++)
		*value = *value * 10 + (size_t)(text[i] - '0');
	return i > 0;
}

/* Copies a name that ends at '/' (GNU's mark); false when it does not fit or does not end. */
static bool copy_name(char *to, const char *from, size_t limit)
{
	for (size_t i = 0; i < limit && i < ARCHIVE_NAME_MAX; i++) {
		if (from[i] == '/') {
			to[i] = '\0';
			return i > 0;
		}
		to[i] = from[i];
	}
	return false;
}

static bool find_name(const struct archive *archive, const struct header *header, char *name)
{
	size_t offset;

	if (header->name[0] != '/')
		return copy_name(name, header->name, sizeof(header->name));
	if (!parse_decimal(header->name + 1, sizeof(header->name) - 1, &offset) ||
	    offset >= archive->names_size)
		return false;
	return copy_name(name, archive->names + offset, archive->names_size - offset);
}

static bool is_special(const struct header *header, const char *name)
{
	return memcmp(header->name, name, strlen(name)) == 0 && header->name[strlen(name)] == ' ';
}

enum archive_result archive_next(struct archive *archive, struct archive_member *member, const char **why)
{
	while (archive->next < archive->size) {
		size_t left = archive->size - archive->next;
		const struct header *header = (const void *)(archive->data + archive->next);

		if (left < sizeof(*header) || memcmp(header->end, HEADER_END, sizeof(header->end)) != 0 ||
		    !parse_decimal(header->size, sizeof(header->size), &member->size)) {
			*why = "a member's header is cut short or malformed";
			return ARCHIVE_DAMAGED;
		}
		if (member->size > left - sizeof(*header)) {
			*why = "a member is longer than the archive";
			return ARCHIVE_DAMAGED;
		}
		member->data = archive->data + archive->next + sizeof(*header);
		archive->next += sizeof(*header) + ((member->size + 1) & ~(size_t)1);
		if (is_special(header, "//")) {
			archive->names = (const char *)member->data;
			archive->names_size = member->size;
		} else if (!is_special(header, "/")) {
			if (find_name(archive, header, member->name))
				return ARCHIVE_MEMBER;
			*why = "a member's name is malformed or too long";
			return ARCHIVE_DAMAGED;
		}
	}
	return ARCHIVE_END;
}
