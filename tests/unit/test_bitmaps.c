/*
 * I/O and MSR bitmaps (vmx/bitmaps.h): the place of each bit, and the edges of the ranges.
 */
/* sources: src/vmx/bitmaps.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmx/bitmaps.h"

/* The bits of a page that are 0: how many, and the first one's number. */
static unsigned zeroes(const u8 *page, unsigned *first)
{
	unsigned count = 0;

	for (unsigned bit = 8 * BITMAP_BYTES; bit-- > 0;) {
		if (!(page[bit / 8] & 1 << bit % 8)) {
			*first = bit;
			count++;
		}
	}
	return count;
}

/* SDM, "I/O-Bitmap Addresses": A has ports 0000H to 7FFFH, B has 8000H to FFFFH. */
static void test_ports(void **state)
{
	static const struct {
		u32 first;
		u32 last;
		unsigned in_a;
		unsigned first_in_a;
		unsigned in_b;
		unsigned first_in_b;
	} cases[] = {
		{0, 0, 1, 0, 0, 0},
		{0x80, 0x80, 1, 0x80, 0, 0},
		{0x7fff, 0x7fff, 1, 0x7fff, 0, 0},
		{0x8000, 0x8000, 0, 0, 1, 0},
		{0xffff, 0xffff, 0, 0, 1, 0x7fff},
		{0x7ffe, 0x8002, 2, 0x7ffe, 3, 0},
		{0x3f8, 0x3ff, 8, 0x3f8, 0, 0},
		{0, 0xffff, 0x8000, 0, 0x8000, 0},
	};
	static struct io_bitmaps bitmaps;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned first_in_a = 0;
		unsigned first_in_b = 0;

		io_bitmaps_intercept_all(&bitmaps);
		io_bitmaps_pass(&bitmaps, cases[i].first, cases[i].last);
		assert_int_equal(zeroes(bitmaps.a, &first_in_a), cases[i].in_a);
		assert_int_equal(zeroes(bitmaps.b, &first_in_b), cases[i].in_b);
		assert_int_equal(first_in_a, cases[i].first_in_a);
		assert_int_equal(first_in_b, cases[i].first_in_b);
	}
}

/* SDM, "MSR-Bitmap Address": low and high reads, then low and high writes, 1 KiB each. */
static void test_msrs(void **state)
{
	static const struct {
		u32 msr;
		unsigned read_bit;
	} cases[] = {
		{0, 0},
		{0x10, 0x10},
		{0x1fff, 0x1fff},
		{0xc0000000, 0x2000},
		{0xc0000080, 0x2080},
		{0xc0001fff, 0x3fff},
	};
	static struct msr_bitmap bitmap;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned first = 0;

		msr_bitmap_intercept_all(&bitmap);
		assert_true(msr_bitmap_pass(&bitmap, cases[i].msr, 0));
		assert_int_equal(zeroes(bitmap.bits, &first), 0);
		assert_true(msr_bitmap_pass(&bitmap, cases[i].msr, MSR_READ));
		assert_int_equal(zeroes(bitmap.bits, &first), 1);
		assert_int_equal(first, cases[i].read_bit);

		msr_bitmap_intercept_all(&bitmap);
		assert_true(msr_bitmap_pass(&bitmap, cases[i].msr, MSR_WRITE));
		assert_int_equal(zeroes(bitmap.bits, &first), 1);
		assert_int_equal(first, cases[i].read_bit + 0x4000);
		assert_true(msr_bitmap_pass(&bitmap, cases[i].msr, MSR_READ | MSR_WRITE));
		assert_int_equal(zeroes(bitmap.bits, &first), 2);
	}
}

static void test_msrs_outside_both_ranges(void **state)
{
	static const u32 outside[] = {0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xffffffff};
	static struct msr_bitmap bitmap;
	unsigned first;

	(void)state;
	msr_bitmap_intercept_all(&bitmap);
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
		assert_false(msr_bitmap_pass(&bitmap, outside[i], MSR_READ | MSR_WRITE));
	assert_int_equal(zeroes(bitmap.bits, &first), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_msrs),
		cmocka_unit_test(test_msrs_outside_both_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
