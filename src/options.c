/*
 * Words of the command line, selection by pattern, and the order of the run.
 */
#include "options.h"
#include "arch/x86_64/processor.h"
#include "lib/format.h"
#include "lib/string.h"

_Static_assert(PROCESSOR_LIMIT == 16, "the message below says so");

/* One word of the command line, not NUL-terminated. */
struct word {
	const char *text;
	size_t length;
};

static bool next_word(const char **at, struct word *word)
{
	while (**at == ' ')
		(*at)++;
	word->text = *at;
	while (**at != '\0' && **at != ' ')
		(*at)++;
	word->length = (size_t)(*at - word->text);
	return word->length > 0;
}

/* If the word is key=value, makes the word the value. */
static bool take_key(struct word *word, const char *key)
{
	size_t length = strlen(key);

	if (word->length <= length || strncmp(word->text, key, length) != 0 || word->text[length] != '=')
		return false;
	word->text += length + 1;
	word->length -= length + 1;
	return true;
}

static bool equals(const struct word *word, const char *text)
{
	return word->length == strlen(text) && strncmp(word->text, text, word->length) == 0;
}

static bool fail(struct options *options, const struct word *word, const char *why)
{
	char shown[64];
	size_t length = word->length < sizeof(shown) - 1 ? word->length : sizeof(shown) - 1;

	memcpy(shown, word->text, length);
	shown[length] = '\0';
	format(options->error, sizeof(options->error), "\"%s\": %s", shown, why);
	return false;
}

static bool copy_value(struct options *options, char *to, const struct word *word)
{
	if (word->length == 0)
		return fail(options, word, "a value is missing after '='");
	if (word->length >= OPTION_TEXT_MAX)
		return fail(options, word, "too long");
	memcpy(to, word->text, word->length);
	to[word->length] = '\0';
	return true;
}

static bool parse_number(const struct word *word, u64 limit, u64 *value)
{
	*value = 0;
	for (size_t i = 0; i < word->length; i++) {
		u64 digit = (u64)(word->text[i] - '0');

		if (digit > 9 || *value > (limit - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return word->length > 0;
}

static bool parse_order(struct options *options, struct word *word)
{
	static const char shuffle[] = "shuffle:";
	struct word seed = {word->text + strlen(shuffle), word->length - strlen(shuffle)};

	if (equals(word, "forward")) {
		options->order = ORDER_FORWARD;
	} else if (equals(word, "reverse")) {
		options->order = ORDER_REVERSE;
	} else if (word->length > strlen(shuffle) && strncmp(word->text, shuffle, strlen(shuffle)) == 0 &&
		   parse_number(&seed, ~0ull, &options->seed)) {
		options->order = ORDER_SHUFFLE;
	} else {
		return fail(options, word, "order is forward, reverse or shuffle:NUMBER");
	}
	return true;
}

static bool parse_word(struct options *options, struct word *word)
{
	u64 number;

	if (take_key(word, "guests"))
		return copy_value(options, options->guests, word);
	if (take_key(word, "from"))
		return copy_value(options, options->from, word);
	if (take_key(word, "order"))
		return parse_order(options, word);
	if (take_key(word, "processors")) {
		if (!parse_number(word, PROCESSOR_LIMIT, &number) || number == 0)
			return fail(options, word, "processors is a number from 1 to 16");
		options->processors = (unsigned)number;
		return true;
	}
	if (equals(word, "verbose")) {
		options->verbose = true;
		return true;
	}
	return fail(options, word,
		    "not a word of the command line: guests= from= order= processors= verbose");
}

bool options_parse(struct options *options, const char *command_line)
{
	struct word word;
	const char *at = command_line;

	memset(options, 0, sizeof(*options));
	for (bool first = true; next_word(&at, &word); first = false) {
		if (first && word.text[0] == '/')
			continue;
		if (!parse_word(options, &word))
			return false;
	}
	return true;
}

/* The name up to its first dot. */
static void base_name(char *to, size_t size, const char *name)
{
	size_t i = 0;

	for (; i < size - 1 && name[i] != '\0' && name[i] != '.'; i++)
		to[i] = name[i];
	to[i] = '\0';
}

static bool matches(const char *pattern, const char *name)
{
	char base[OPTION_ERROR_MAX];

	if (pattern_match(pattern, name))
		return true;
	for (const char *at = pattern; *at != '\0'; at++) {
		if (*at == '.')
			return false;
	}
	base_name(base, sizeof(base), name);
	return pattern_match(pattern, base);
}

bool options_select(const struct options *options, const char *name)
{
	const char *at = options->guests;

	if (*at == '\0')
		return true;
	while (*at != '\0') {
		char pattern[OPTION_TEXT_MAX];
		size_t length = 0;

		while (at[length] != '\0' && at[length] != ',')
			length++;
		memcpy(pattern, at, length);
		pattern[length] = '\0';
		if (matches(pattern, name))
			return true;
		at += length + (at[length] == ',');
	}
	return false;
}

/* Steele, Lea and Flood's SplitMix64: any seed is a good one. */
static u64 next_random(u64 *state)
{
	u64 value = *state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static void swap(u32 *a, u32 *b)
{
	u32 kept = *a;

	*a = *b;
	*b = kept;
}

void options_arrange(const struct options *options, u32 *numbers, u32 count)
{
	u64 state = options->seed;

	for (u32 i = 0; i < count; i++)
		numbers[i] = options->order == ORDER_REVERSE ? count - 1 - i : i;
	for (u32 i = count; options->order == ORDER_SHUFFLE && i > 1; i--)
		swap(&numbers[i - 1], &numbers[next_random(&state) % i]);
}
