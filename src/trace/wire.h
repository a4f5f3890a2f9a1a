/*
 * The wire: a record on its way becomes a frame, END bytes around a CBOR item and its CRC-32, escaped as SLIP
 * does it (RFC 1055). The recorder writes records through it; docs/wire.md describes it for readers.
 */
#ifndef TRACE_WIRE_H
#define TRACE_WIRE_H

#include "lib/types.h"

#define SLIP_END 0xc0
#define SLIP_ESC 0xdb
#define SLIP_ESC_END 0xdc
#define SLIP_ESC_ESC 0xdd

#define WIRE_BUFFER_BYTES 512

struct wire {
	void (*send)(const void *data, size_t size); /* where the bytes go: the serial port */
	u32 crc;
	size_t used;
	u8 buffer[WIRE_BUFFER_BYTES];
};

void wire_frame_begin(struct wire *wire);
/* Bytes of the frame's item, in pieces of any size. */
void wire_put(struct wire *wire, const void *data, size_t size);
/* Adds the CRC, ends the frame and sends what is left of it. */
void wire_frame_end(struct wire *wire);

#endif
