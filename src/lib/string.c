/*
 * Memory and string functions of the C library. The compiler calls memcpy, memmove, memset and memcmp by
 * itself, also in freestanding code. The string instructions keep it from recognising a loop here as a call
 * of the very function.
 */
#include "lib/string.h"

#define WORD_SIZE sizeof(u64)
#define EVERY_BYTE 0x0101010101010101ull

/* Words first and the rest in bytes: an emulated processor takes as long for one byte as for one word. */
void *memcpy(void *destination, const void *source, size_t size)
{
	void *to = destination;
	size_t words = size / WORD_SIZE;
	size_t bytes = size % WORD_SIZE;

	asm volatile("rep movsq" : "+D"(to), "+S"(source), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(bytes) : : "memory");
	return destination;
}

void *memmove(void *destination, const void *source, size_t size)
{
	u8 *to = destination;
	const u8 *from = source;

	/* The difference is unsigned: small only when the start of destination lies inside source. */
	if ((uptr)to - (uptr)from >= size)
		return memcpy(destination, source, size);
	to += size - 1;
	from += size - 1;
	asm volatile("std\n\t"
		     "rep movsb\n\t"
		     "cld"
		     : "+D"(to), "+S"(from), "+c"(size)
		     :
		     : "cc", "memory");
	return destination;
}

void *memset(void *destination, int value, size_t size)
{
	void *to = destination;
	size_t words = size / WORD_SIZE;
	size_t bytes = size % WORD_SIZE;
	u64 word = EVERY_BYTE * (u8)value;

	asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
	asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(word) : "memory");
	return destination;
}

int memcmp(const void *left, const void *right, size_t size)
{
	const u8 *l = left;
	const u8 *r = right;

	for (size_t i = 0; i < size; i++) {
		if (l[i] != r[i])
			return l[i] - r[i];
	}
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length]) {
		length++;
		asm volatile(""); /* as it stands, the loop is a call of strlen to the compiler */
	}
	return length;
}

int strcmp(const char *left, const char *right)
{
	return strncmp(left, right, (size_t)-1);
}

int strncmp(const char *left, const char *right, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		u8 l = left[i];
		u8 r = right[i];

		if (l != r || !l)
			return l - r;
	}
	return 0;
}
