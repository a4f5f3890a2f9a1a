/*
 * A CBOR writer (RFC 8949) for what records are made of: maps with integer keys, unsigned integers in their
 * shortest form, byte and text strings. Maps have indefinite length, so that fields can be written as they
 * come.
 */
#ifndef TRACE_CBOR_H
#define TRACE_CBOR_H

#include "trace/wire.h"

void cbor_uint(struct wire *wire, u64 value);
void cbor_text(struct wire *wire, const char *text);
void cbor_bytes(struct wire *wire, const void *data, size_t size);
void cbor_map_begin(struct wire *wire);
void cbor_map_end(struct wire *wire);

#endif
