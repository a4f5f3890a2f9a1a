/*
 * The catalogue module's container: a common `ar` archive in GNU's format, so that any binutils can list it,
 * take it apart and disassemble it. Pure, over memory that may hold anything.
 */
#ifndef GUEST_ARCHIVE_H
#define GUEST_ARCHIVE_H

#include "lib/types.h"

#define ARCHIVE_NAME_MAX 96

struct archive {
	const u8 *data;
	size_t size;
	size_t next;	   /* where the next member's header is */
	const char *names; /* GNU's table of long names, NULL when there is none so far */
	size_t names_size;
};

struct archive_member {
	char name[ARCHIVE_NAME_MAX]; /* NUL-terminated; a longer name is an error */
	const u8 *data;
	size_t size;
};

enum archive_result { ARCHIVE_MEMBER, ARCHIVE_END, ARCHIVE_DAMAGED };

/* False, with *why a sentence for people, when the memory does not start like an archive. */
bool archive_open(struct archive *archive, const void *data, size_t size, const char **why);

/* The next member that is a file (symbol and name tables are passed over). On ARCHIVE_DAMAGED *why says what
 * and how. */
enum archive_result archive_next(struct archive *archive, struct archive_member *member, const char **why);

#endif
