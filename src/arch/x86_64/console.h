/*
 * Text for people, on the serial port and the screen. On the serial port it stands between records, never
 * inside one.
 */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include "lib/types.h"
#include <stdarg.h>

/* A single call prints at most this many characters; the rest is cut off. */
#define CONSOLE_TEXT_MAX 512

/* format()'s conversions; '\n' becomes "\r\n" on the serial port. */
void print(const char *fmt, ...) __printf_like(1, 2);
void vprint(const char *fmt, va_list arguments) __printf_like(1, 0);

#endif
