/*
 * Console text to both of its places.
 */
#include "arch/x86_64/console.h"
#include "arch/x86_64/screen.h"
#include "arch/x86_64/serial.h"
#include "lib/format.h"
#include "lib/string.h"

/* A terminal on the serial port needs the carriage moved back as well as the paper. */
static void write_lines(const char *text, size_t length)
{
	while (length > 0) {
		size_t line = 0;

		while (line < length && text[line] != '\n')
			line++;
		serial_write(text, line);
		if (line < length) {
			serial_write("\r\n", 2);
			line++;
		}
		text += line;
		length -= line;
	}
}

void vprint(const char *fmt, va_list arguments)
{
	char text[CONSOLE_TEXT_MAX];
	size_t length;

	vformat(text, sizeof(text), fmt, arguments);
	length = strlen(text);
	screen_write(text, length);
	write_lines(text, length);
}

void print(const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	vprint(fmt, arguments);
	va_end(arguments);
}
