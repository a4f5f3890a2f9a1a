/*
 * Reception of frames, written from RFC 1055 and not from the code under test.
 */
#include "frames.h"
#include "lib/crc32.h"

u8 frames_bytes[FRAMES_MAX];
size_t frames_size;

void frames_clear(void)
{
	frames_size = 0;
}

void frames_receive(const void *data, size_t size)
{
	assert_in_range(size, 1, FRAMES_MAX - frames_size);
	memcpy(frames_bytes + frames_size, data, size);
	frames_size += size;
}

static u8 unescaped(u8 byte)
{
	assert_true(byte == 0334 || byte == 0335);
	return byte == 0334 ? 0300 : 0333;
}

const u8 *frames_take_item(size_t *size)
{
	static u8 item[FRAMES_MAX];
	u32 crc = 0;

	*size = 0;
	assert_in_range(frames_size, 6, FRAMES_MAX);
	assert_int_equal(frames_bytes[0], 0300);
	assert_int_equal(frames_bytes[frames_size - 1], 0300);
	for (size_t i = 1; i < frames_size - 1; i++) {
		assert_int_not_equal(frames_bytes[i], 0300);
		if (frames_bytes[i] == 0333)
			item[(*size)++] = unescaped(frames_bytes[++i]);
		else
			item[(*size)++] = frames_bytes[i];
	}
	assert_in_range(*size, 4, FRAMES_MAX);
	*size -= 4;
	for (unsigned i = 0; i < 4; i++)
		crc |= (u32)item[*size + i] << (8 * i);
	assert_int_equal(crc, crc32(item, *size));
	frames_clear();
	return item;
}

void assert_item(const u8 *item, size_t size)
{
	size_t taken_size;
	const u8 *taken = frames_take_item(&taken_size);

	assert_int_equal(taken_size, size);
	assert_memory_equal(taken, item, size);
}
