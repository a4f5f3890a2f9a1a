/*
 * The wire (trace/wire.h, trace/cbor.h): frames byte by byte as RFC 1055 has them, items as the examples of
 * RFC 8949.
 */
/* sources: tests/unit/frames.c src/trace/wire.c src/trace/cbor.c src/lib/crc32.c */
#include <stdlib.h>

#include "frames.h"
#include "trace/cbor.h"

static struct wire wire = {.send = frames_receive};

static void send_frame(const void *data, size_t size)
{
	wire_frame_begin(&wire);
	wire_put(&wire, data, size);
	wire_frame_end(&wire);
}

static void assert_sent(const u8 *bytes, size_t size)
{
	assert_int_equal(frames_size, size);
	assert_memory_equal(frames_bytes, bytes, size);
	frames_clear();
}

static void test_frames_byte_by_byte(void **state)
{
	static const u8 empty[] = {0xc0, 0, 0, 0, 0, 0xc0};
	static const u8 digits[] = {0xc0, '1', '2',  '3',  '4',	 '5',  '6', '7',
				    '8',  '9', 0x26, 0x39, 0xf4, 0xcb, 0xc0};
	static const u8 item[] = {0xc0, 0xdb, 0xdc, 0xdd};
	static const u8 escaped[] = {0xc0, 0xdb, 0xdc, 0xdb, 0xdd, 0xdc, 0xdd, 0xb1, 0xcf, 0x3a, 0x03, 0xc0};

	(void)state;
	frames_clear();
	send_frame("", 0);
	assert_sent(empty, sizeof(empty));
	send_frame("123456789", 9);
	assert_sent(digits, sizeof(digits));
	send_frame(item, sizeof(item));
	assert_sent(escaped, sizeof(escaped));
}

/* The CRC's own bytes are escaped, too: items of two bytes whose CRCs have END or ESC somewhere. */
static void test_escapes_in_the_crc(void **state)
{
	unsigned escaped = 0;

	(void)state;
	frames_clear();
	for (unsigned value = 0; value < 0x10000; value += 7) {
		u8 item[2] = {(u8)(value & 0x3f), (u8)(value >> 8 & 0x7f)};

		send_frame(item, sizeof(item));
		escaped += frames_size > 8;
		assert_item(item, sizeof(item));
	}
	assert_in_range(escaped, 50, 5000);
}

/* Around the buffer's end every escape falls apart differently. */
static void test_frames_of_every_length(void **state)
{
	static u8 item[3 * WIRE_BUFFER_BYTES];

	(void)state;
	frames_clear();
	srand(2);
	for (size_t i = 0; i < sizeof(item); i++)
		item[i] = rand() % 3 == 0 ? SLIP_END : rand() % 2 ? SLIP_ESC : (u8)rand();
	for (size_t size = 0; size < sizeof(item); size += 1 + size / 200) {
		send_frame(item, size);
		assert_item(item, size);
	}
	memset(item, SLIP_END, sizeof(item));
	send_frame(item, sizeof(item));
	assert_item(item, sizeof(item));
}

static void test_pieces_make_the_same_frame(void **state)
{
	static const u8 item[] = {1, 0xc0, 2, 0xdb, 3};

	(void)state;
	frames_clear();
	wire_frame_begin(&wire);
	for (unsigned i = 0; i < sizeof(item); i++)
		wire_put(&wire, item + i, 1);
	wire_put(&wire, item, 0);
	wire_frame_end(&wire);
	assert_item(item, sizeof(item));
}

/* A panic may come in the middle of a frame: the next one begins with an END of its own, and is whole. */
static void test_a_frame_that_was_never_ended(void **state)
{
	static u8 long_item[2 * WIRE_BUFFER_BYTES];

	(void)state;
	frames_clear();
	wire_frame_begin(&wire);
	wire_put(&wire, long_item, sizeof(long_item));
	size_t sent = frames_size;

	send_frame("new", 3);
	memmove(frames_bytes, frames_bytes + sent, frames_size - sent);
	frames_size -= sent;
	assert_item_bytes('n', 'e', 'w');
}

/* RFC 8949, Appendix A, "Examples of Encoded CBOR Data Items". */
static void test_unsigned_integers(void **state)
{
	static const struct {
		u64 value;
		u8 size;
		u8 bytes[9];
	} examples[] = {
		{0, 1, {0x00}},
		{1, 1, {0x01}},
		{10, 1, {0x0a}},
		{23, 1, {0x17}},
		{24, 2, {0x18, 0x18}},
		{25, 2, {0x18, 0x19}},
		{100, 2, {0x18, 0x64}},
		{255, 2, {0x18, 0xff}},
		{256, 3, {0x19, 0x01, 0x00}},
		{1000, 3, {0x19, 0x03, 0xe8}},
		{65535, 3, {0x19, 0xff, 0xff}},
		{65536, 5, {0x1a, 0x00, 0x01, 0x00, 0x00}},
		{1000000, 5, {0x1a, 0x00, 0x0f, 0x42, 0x40}},
		{4294967295, 5, {0x1a, 0xff, 0xff, 0xff, 0xff}},
		{4294967296, 9, {0x1b, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00}},
		{1000000000000, 9, {0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00}},
		{18446744073709551615u, 9, {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	};

	(void)state;
	frames_clear();
	for (unsigned i = 0; i < ARRAY_SIZE(examples); i++) {
		wire_frame_begin(&wire);
		cbor_uint(&wire, examples[i].value);
		wire_frame_end(&wire);
		assert_item(examples[i].bytes, examples[i].size);
	}
}

static void send_text(const char *text)
{
	frames_clear();
	wire_frame_begin(&wire);
	cbor_text(&wire, text);
	wire_frame_end(&wire);
}

static void test_texts_and_bytes(void **state)
{
	static const u8 bytes[] = {1, 2, 3, 4};

	(void)state;
	send_text("");
	assert_item_bytes(0x60);
	send_text("a");
	assert_item_bytes(0x61, 0x61);
	send_text("IETF");
	assert_item_bytes(0x64, 0x49, 0x45, 0x54, 0x46);
	send_text("\"\\");
	assert_item_bytes(0x62, 0x22, 0x5c);
	send_text("\xc3\xbc");
	assert_item_bytes(0x62, 0xc3, 0xbc);
	wire_frame_begin(&wire);
	cbor_bytes(&wire, bytes, sizeof(bytes));
	wire_frame_end(&wire);
	assert_item_bytes(0x44, 0x01, 0x02, 0x03, 0x04);
	wire_frame_begin(&wire);
	cbor_bytes(&wire, bytes, 0);
	wire_frame_end(&wire);
	assert_item_bytes(0x40);
}

static void test_a_long_text(void **state)
{
	static char text[70001];
	size_t size;
	const u8 *item;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	send_text(text);
	item = frames_take_item(&size);
	assert_int_equal(size, 5 + 70000);
	assert_memory_equal(item, "\x7a\x00\x01\x11\x70xxx", 8);
}

static void test_maps_of_indefinite_length(void **state)
{
	(void)state;
	frames_clear();
	wire_frame_begin(&wire);
	cbor_map_begin(&wire);
	cbor_uint(&wire, 1);
	cbor_map_begin(&wire);
	cbor_map_end(&wire);
	cbor_map_end(&wire);
	wire_frame_end(&wire);
	assert_item_bytes(0xbf, 0x01, 0xbf, 0xff, 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_byte_by_byte),
		cmocka_unit_test(test_escapes_in_the_crc),
		cmocka_unit_test(test_frames_of_every_length),
		cmocka_unit_test(test_pieces_make_the_same_frame),
		cmocka_unit_test(test_a_frame_that_was_never_ended),
		cmocka_unit_test(test_unsigned_integers),
		cmocka_unit_test(test_texts_and_bytes),
		cmocka_unit_test(test_a_long_text),
		cmocka_unit_test(test_maps_of_indefinite_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
