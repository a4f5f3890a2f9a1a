/*
 * CRC-32 as zlib, PNG and Ethernet have it (polynomial EDB88320H reflected, starting from and inverted by
 * FFFFFFFFH). Frames on the wire end in it, and the catalogue identifies guests by it.
 */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H

#include "lib/types.h"

/* The CRC of a whole block. */
u32 crc32(const void *data, size_t size);

/* The same piece by piece: start with 0, and give each call the result of the one before. */
u32 crc32_update(u32 crc, const void *data, size_t size);

#endif
