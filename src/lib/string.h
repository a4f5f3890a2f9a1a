/*
 * Memory and string functions: the ones of the C library that the kernel uses (and that the compiler calls on
 * its own), and pattern_match for names of guests. The compiler's calls are why these keep the C library's
 * exact contracts.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

/* As in the C library. memcpy's areas must not overlap. */
void *memcpy(void *destination, const void *source, size_t size);
void *memmove(void *destination, const void *source, size_t size);
void *memset(void *destination, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t size);

/*
 * Whether the whole of text matches the pattern: '*' stands for any characters (also none), '?' for exactly
 * one, every other character for itself. Takes at most strlen(pattern) * strlen(text) steps.
 */
bool pattern_match(const char *pattern, const char *text);

#endif
