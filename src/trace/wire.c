/*
 * Framing, escaping and the checksum. A frame of any length goes through one small buffer.
 */
#include "trace/wire.h"
#include "lib/crc32.h"

static void flush(struct wire *wire)
{
	wire->send(wire->buffer, wire->used);
	wire->used = 0;
}

static void put_raw(struct wire *wire, u8 byte)
{
	if (wire->used == sizeof(wire->buffer))
		flush(wire);
	wire->buffer[wire->used++] = byte;
}

static void put_escaped(struct wire *wire, u8 byte)
{
	if (byte == SLIP_END || byte == SLIP_ESC) {
		put_raw(wire, SLIP_ESC);
		put_raw(wire, byte == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC);
	} else {
		put_raw(wire, byte);
	}
}

void wire_frame_begin(struct wire *wire)
{
	wire->crc = 0;
	wire->used = 0;
	put_raw(wire, SLIP_END);
}

void wire_put(struct wire *wire, const void *data, size_t size)
{
	const u8 *byte = data;

	wire->crc = crc32_update(wire->crc, data, size);
	for (size_t i = 0; i < size; i++)
		put_escaped(wire, byte[i]);
}

void wire_frame_end(struct wire *wire)
{
	u32 crc = wire->crc;

	for (unsigned i = 0; i < sizeof(crc); i++, crc >>= 8)
		put_escaped(wire, (u8)crc);
	put_raw(wire, SLIP_END);
	flush(wire);
}
