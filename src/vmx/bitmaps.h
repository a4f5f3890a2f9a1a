/*
 * I/O bitmaps A and B, and the MSR bitmap (SDM, "I/O-Bitmap Addresses", "MSR-Bitmap Address"): which ports
 * and MSRs exit. Everything exits until a guest's set-up passes it through.
 */
#ifndef VMX_BITMAPS_H
#define VMX_BITMAPS_H

#include "lib/types.h"

#define BITMAP_BYTES 4096

struct io_bitmaps {
	u8 a[BITMAP_BYTES]; /* ports 0000H to 7FFFH */
	u8 b[BITMAP_BYTES]; /* ports 8000H to FFFFH */
};

/* Four bitmaps of 8192 bits: reads of 0 to 1FFFH, reads of C0000000H to C0001FFFH, and writes of both ranges.
 */
struct msr_bitmap {
	u8 bits[BITMAP_BYTES];
};

#define MSR_READ 1u
#define MSR_WRITE 2u

void io_bitmaps_intercept_all(struct io_bitmaps *bitmaps);
/* Lets ports first to last (0 to FFFFH, both included) through without an exit. */
void io_bitmaps_pass(struct io_bitmaps *bitmaps, u32 first, u32 last);

void msr_bitmap_intercept_all(struct msr_bitmap *bitmap);
/* Lets accesses (MSR_READ, MSR_WRITE) of an MSR through. False for an MSR outside both ranges: it always
 * exits. */
bool msr_bitmap_pass(struct msr_bitmap *bitmap, u32 msr, u32 accesses);

#endif
