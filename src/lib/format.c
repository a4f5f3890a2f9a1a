/*
 * The formatter: one pass over the format string; each conversion is read into a struct conversion and
 * written with its padding.
 */
#include "lib/format.h"
#include "lib/string.h"

/* A 64-bit number in decimal has 20 digits; the sign is written apart. */
#define DIGITS_MAX 20
#define POINTER_DIGITS 16

struct output {
	char *buffer;
	size_t size;
	size_t length; /* of the whole text, also what did not fit */
};

struct conversion {
	bool zeroes;
	bool left;
	bool wide; /* the argument has 64 bits */
	size_t width;
	size_t precision;
};

static void put(struct output *output, char character)
{
	if (output->length + 1 < output->size)
		output->buffer[output->length] = character;
	output->length++;
}

static void put_repeated(struct output *output, char character, size_t count)
{
	while (count-- > 0)
		put(output, character);
}

/* Writes prefix and text, padded to the width; zeroes go between the two, spaces outside. */
static void put_padded(struct output *output, const struct conversion *conversion, const char *prefix,
		       const char *text, size_t length)
{
	size_t used = strlen(prefix) + length;
	size_t padding = conversion->width > used ? conversion->width - used : 0;
	bool zeroes = conversion->zeroes && !conversion->left;

	if (!zeroes && !conversion->left)
		put_repeated(output, ' ', padding);
	while (*prefix)
		put(output, *prefix++);
	if (zeroes)
		put_repeated(output, '0', padding);
	while (length-- > 0)
		put(output, *text++);
	if (conversion->left)
		put_repeated(output, ' ', padding);
}

static void put_number(struct output *output, const struct conversion *conversion, const char *prefix,
		       u64 value, unsigned base)
{
	char digits[DIGITS_MAX];
	size_t first = DIGITS_MAX;

	do {
		digits[--first] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_padded(output, conversion, prefix, digits + first, DIGITS_MAX - first);
}

static void put_signed(struct output *output, const struct conversion *conversion, s64 value)
{
	u64 magnitude = value < 0 ? -(u64)value : (u64)value;

	put_number(output, conversion, value < 0 ? "-" : "", magnitude, 10);
}

static void put_text(struct output *output, struct conversion *conversion, const char *text)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	while (length < conversion->precision && text[length])
		length++;
	conversion->zeroes = false;
	put_padded(output, conversion, "", text, length);
}

static size_t read_decimal(const char **fmt)
{
	size_t value = 0;

	while (**fmt >= '0' && **fmt <= '9')
		value = value * 10 + (size_t)(*(*fmt)++ - '0');
	return value;
}

/* Reads what stands between '%' and the conversion's letter; *fmt then points at the letter. */
static struct conversion read_conversion(const char **fmt, va_list *arguments)
{
	struct conversion conversion = {.precision = (size_t)-1};

	for (;; (*fmt)++) {
		if (**fmt == '0')
			conversion.zeroes = true;
		else if (**fmt == '-')
			conversion.left = true;
		else
			break;
	}
	conversion.width = read_decimal(fmt);
	if (**fmt == '.') {
		(*fmt)++;
		if (**fmt == '*') {
			int precision = va_arg(*arguments, int);

			(*fmt)++;
			if (precision >= 0)
				conversion.precision = (size_t)precision;
		} else {
			conversion.precision = read_decimal(fmt);
		}
	}
	while (**fmt == 'l' || **fmt == 'z') {
		conversion.wide = true;
		(*fmt)++;
	}
	return conversion;
}

static u64 unsigned_argument(const struct conversion *conversion, va_list *arguments)
{
	return conversion->wide ? va_arg(*arguments, u64) : va_arg(*arguments, unsigned);
}

static s64 signed_argument(const struct conversion *conversion, va_list *arguments)
{
	return conversion->wide ? va_arg(*arguments, s64) : va_arg(*arguments, int);
}

/* Writes one conversion, whose text in the format string is from `start` on; where the format string goes on.
 */
static const char *convert(struct output *output, const char *start, va_list *arguments)
{
	const char *fmt = start + 1;
	struct conversion conversion = read_conversion(&fmt, arguments);

	switch (*fmt) {
	case 's':
		put_text(output, &conversion, va_arg(*arguments, const char *));
		break;
	case 'c':
		conversion.zeroes = false;
		put_padded(output, &conversion, "", (char[]){(char)va_arg(*arguments, int)}, 1);
		break;
	case 'd':
		put_signed(output, &conversion, signed_argument(&conversion, arguments));
		break;
	case 'u':
		put_number(output, &conversion, "", unsigned_argument(&conversion, arguments), 10);
		break;
	case 'x':
		put_number(output, &conversion, "", unsigned_argument(&conversion, arguments), 16);
		break;
	case 'p':
		conversion.zeroes = true;
		conversion.width = sizeof("0x") - 1 + POINTER_DIGITS;
		put_number(output, &conversion, "0x", (u64)va_arg(*arguments, void *), 16);
		break;
	case '%':
		put(output, '%');
		break;
	default:
		while (start < fmt)
			put(output, *start++);
		return fmt;
	}
	return fmt + 1;
}

size_t vformat(char *buffer, size_t size, const char *fmt, va_list arguments)
{
	struct output output = {.buffer = buffer, .size = size};
	va_list list;

	/* A copy, because a va_list that is a parameter has no address of its own type. */
	va_copy(list, arguments);
	while (*fmt) {
		if (*fmt == '%')
			fmt = convert(&output, fmt, &list);
		else
			put(&output, *fmt++);
	}
	va_end(list);
	if (size > 0)
		buffer[output.length < size ? output.length : size - 1] = '\0';
	return output.length;
}

size_t format(char *buffer, size_t size, const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	size_t length = vformat(buffer, size, fmt, arguments);
	va_end(arguments);
	return length;
}
