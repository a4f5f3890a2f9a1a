/*
 * The far end of the wire, for tests of what the kernel sends: keeps the bytes, and takes frames apart by RFC
 * 1055.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/types.h"

#define FRAMES_MAX 0x40000

/* Everything that frames_receive got since frames_clear. */
extern u8 frames_bytes[FRAMES_MAX];
extern size_t frames_size;

void frames_clear(void);
void frames_receive(const void *data, size_t size);

/*
 * Takes apart the one frame that has been received, checks its CRC, forgets it, and returns its item, valid
 * until the next call. Fails the test when the bytes are not exactly one right frame.
 */
const u8 *frames_take_item(size_t *size);

/* The one frame that has been received holds just this item. */
void assert_item(const u8 *item, size_t size);
#define assert_item_bytes(...) assert_item((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

#endif
