/*
 * The kernel's command line: which guests to run, in which order, how much to say. main.c parses it once;
 * pure, for unit tests.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "lib/types.h"

#define OPTION_TEXT_MAX 4096
#define OPTION_ERROR_MAX 128

enum order { ORDER_FORWARD, ORDER_REVERSE, ORDER_SHUFFLE };

struct options {
	char guests[OPTION_TEXT_MAX]; /* patterns, separated by commas; empty: all */
	char from[OPTION_TEXT_MAX];   /* the guest to begin with; empty: the first */
	enum order order;
	u64 seed;	     /* of the shuffle */
	unsigned processors; /* start at most so many; 0: all */
	bool verbose;	     /* a console line for each guest */
	char error[OPTION_ERROR_MAX];
};

/*
 * Parses words separated by spaces: guests=PATTERN[,PATTERN...] from=NAME order=forward|reverse|shuffle:SEED
 * processors=N verbose. A first word that starts with '/' is the kernel's own path and is passed
 * over. False, with the error in words in options->error, on anything else.
 */
bool options_parse(struct options *options, const char *command_line);

/*
 * True when a guest's name matches one of the patterns: * and ? as in a shell. A pattern without a dot also
 * matches every variant (name.variant) of the names that it matches.
 */
bool options_select(const struct options *options, const char *name);

/*
 * Puts `count` numbers 0 to count-1 into run order. The shuffle depends on the seed alone.
 */
void options_arrange(const struct options *options, u32 *numbers, u32 count);

#endif
