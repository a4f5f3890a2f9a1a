/*
 * Formatted text into a buffer, for the console, stop details and panic messages: the part of printf that the
 * kernel needs. The compiler checks every call's arguments.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include "lib/types.h"
#include <stdarg.h>

/*
 * Writes at most size bytes to buffer, the terminating NUL included (nothing at all when size is 0), and
 * returns the length that the whole text has, without its NUL: a result of size or more means that it was cut
 * short.
 *
 * Conversions: %s %c %d %u %x %p %%, with length l or z for integers; a width, on the left '0' for zeroes or
 * '-' for alignment to the left; %.*s and %.Ns for at most so many characters of a text. %p is 0x and 16
 * digits. A NULL text is
 * "(null)". Any other conversion is written as it stands.
 */
size_t format(char *buffer, size_t size, const char *fmt, ...) __printf_like(3, 4);
size_t vformat(char *buffer, size_t size, const char *fmt, va_list arguments) __printf_like(3, 0);

#endif
