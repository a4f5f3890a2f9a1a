/*
 * Heads of CBOR items and the little around them.
 */
#include "trace/cbor.h"
#include "lib/string.h"

/* Major types, in the upper three bits of an item's first byte. */
enum major { MAJOR_UINT = 0 << 5, MAJOR_BYTES = 2 << 5, MAJOR_TEXT = 3 << 5 };

#define MAP_INDEFINITE 0xbf
#define BREAK 0xff

/* Arguments below 24 stand in the first byte; these say that 1, 2, 4 or 8 bytes follow, most significant
 * first. */
#define ARGUMENT_1_BYTE 24
#define DIRECT_LIMIT 24

static void put_head(struct wire *wire, enum major major, u64 argument)
{
	u8 head[9];
	unsigned width_log2 = argument <= 0xff ? 0 : argument <= 0xffff ? 1 : argument <= 0xffffffff ? 2 : 3;
	unsigned width = 1u << width_log2;

	if (argument < DIRECT_LIMIT) {
		head[0] = (u8)(major | argument);
		wire_put(wire, head, 1);
		return;
	}
	head[0] = (u8)(major | (ARGUMENT_1_BYTE + width_log2));
	for (unsigned i = 0; i < width; i++)
		head[1 + i] = (u8)(argument >> (8 * (width - 1 - i)));
	wire_put(wire, head, 1 + width);
}

void cbor_uint(struct wire *wire, u64 value)
{
	put_head(wire, MAJOR_UINT, value);
}

void cbor_text(struct wire *wire, const char *text)
{
	size_t size = strlen(text);

	put_head(wire, MAJOR_TEXT, size);
	wire_put(wire, text, size);
}

void cbor_bytes(struct wire *wire, const void *data, size_t size)
{
	put_head(wire, MAJOR_BYTES, size);
	wire_put(wire, data, size);
}

void cbor_map_begin(struct wire *wire)
{
	static const u8 head = MAP_INDEFINITE;

	wire_put(wire, &head, 1);
}

void cbor_map_end(struct wire *wire)
{
	static const u8 end = BREAK;

	wire_put(wire, &end, 1);
}
