/*
 * The bits of the I/O and MSR bitmaps. The set-up of a guest calls it; the processor reads the result.
 */
#include "vmx/bitmaps.h"
#include "lib/string.h"

#define PORTS_OF_A 0x8000
#define MSRS_OF_A_RANGE 0x2000
#define HIGH_RANGE_FIRST 0xc0000000

/* Where the four parts of the MSR bitmap begin, in bytes. */
#define READ_LOW 0
#define READ_HIGH 1024
#define WRITE_LOW 2048
#define WRITE_HIGH 3072

void io_bitmaps_intercept_all(struct io_bitmaps *bitmaps)
{
	memset(bitmaps, 0xff, sizeof(*bitmaps));
}

void io_bitmaps_pass(struct io_bitmaps *bitmaps, u32 first, u32 last)
{
	for (u32 port = first; port <= last; port++) {
		u8 *bitmap = port < PORTS_OF_A ? bitmaps->a : bitmaps->b;
		u32 bit = port % PORTS_OF_A;

		bitmap[bit / 8] &= ~(1u << (bit % 8));
	}
}

void msr_bitmap_intercept_all(struct msr_bitmap *bitmap)
{
	memset(bitmap, 0xff, sizeof(*bitmap));
}

bool msr_bitmap_pass(struct msr_bitmap *bitmap, u32 msr, u32 accesses)
{
	bool high = msr - HIGH_RANGE_FIRST < MSRS_OF_A_RANGE;
	u32 bit = high ? msr - HIGH_RANGE_FIRST : msr;
	u8 mask = ~(1u << (bit % 8));

	if (bit >= MSRS_OF_A_RANGE)
		return false;
	if (accesses & MSR_READ)
		bitmap->bits[(high ? READ_HIGH : READ_LOW) + bit / 8] &= mask;
	if (accesses & MSR_WRITE)
		bitmap->bits[(high ? WRITE_HIGH : WRITE_LOW) + bit / 8] &= mask;
	return true;
}
