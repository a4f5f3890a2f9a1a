/*
 * The VGA text screen, 80 by 25: what a person at a real machine sees. The console writes here.
 */
#ifndef ARCH_SCREEN_H
#define ARCH_SCREEN_H

#define SCREEN_MEMORY 0xb8000
#define SCREEN_COLUMNS 80
#define SCREEN_ROWS 25
#define SCREEN_ATTRIBUTE 0x07 /* light grey on black */

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* Clears the screen. */
void screen_init(void);

/* '\n' begins a new line, '\r' goes back to the start of this one; the text scrolls up at the bottom. */
void screen_write(const char *text, size_t length);

#endif

#endif
