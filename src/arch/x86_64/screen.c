/*
 * The VGA text screen: a buffer of cells, character below and attribute above.
 */
#include "arch/x86_64/screen.h"
#include "lib/string.h"

#define CELL(character) (SCREEN_ATTRIBUTE << 8 | (u8)(character))

static u16 (*const screen)[SCREEN_COLUMNS] = (void *)SCREEN_MEMORY;
static unsigned row;
static unsigned column;

static void clear_row(unsigned number)
{
	for (unsigned i = 0; i < SCREEN_COLUMNS; i++)
		screen[number][i] = CELL(' ');
}

static void next_row(void)
{
	column = 0;
	if (++row < SCREEN_ROWS)
		return;
	row = SCREEN_ROWS - 1;
	memmove(screen[0], screen[1], sizeof(screen[0]) * (SCREEN_ROWS - 1));
	clear_row(row);
}

void screen_init(void)
{
	for (row = SCREEN_ROWS; row > 0; row--)
		clear_row(row - 1);
	column = 0;
}

void screen_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n') {
			next_row();
			continue;
		}
		if (text[i] == '\r') {
			column = 0;
			continue;
		}
		if (column == SCREEN_COLUMNS)
			next_row();
		screen[row][column++] = CELL(text[i]);
	}
}
