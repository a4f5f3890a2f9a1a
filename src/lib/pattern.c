/*
 * Shell-style patterns over names, for the kernel's command line.
 */
#include "lib/string.h"

bool pattern_match(const char *pattern, const char *text)
{
	/* Where to go on when the rest does not fit: the last star then takes one more character. */
	const char *after_star = NULL;
	const char *taken = NULL;

	while (*text) {
		if (*pattern == '*') {
			after_star = ++pattern;
			taken = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (after_star) {
			pattern = after_star;
			text = ++taken;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
