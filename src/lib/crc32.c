/*
 * CRC-32, four bits at a time: the table of 16 words stays in the cache, and the serial line is slower
 * anyway.
 */
#include "lib/crc32.h"

/* The CRC of each value of four bits. */
static const u32 table[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

u32 crc32_update(u32 crc, const void *data, size_t size)
{
	const u8 *byte = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= byte[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

u32 crc32(const void *data, size_t size)
{
	return crc32_update(0, data, size);
}
