/*
 * EPT (vmx/ept.h) and guest memory behind it (vmx/guest_memory.h): entries bit by bit, changes, walks,
 * exhaustion.
 */
/* sources: tests/unit/fake_pages.c src/vmx/ept.c src/vmx/guest_memory.c src/vmx/capability.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/msr.h"
#include "fake_pages.h"
#include "vmx/guest_memory.h"

#define TYPE_WRITE_BACK (6u << 3)
#define LARGE BIT(7)
#define ADDRESS 0x000ffffffffff000ull
/* What the SDM says that the processor looks at in an entry; bits 62:52 are ignored. */
#define ARCHITECTURAL 0x000fffffffffffffull

static struct ept ept;

bool rdmsr_safe(u32 msr, u64 *value)
{
	(void)msr;
	(void)value;
	return false;
}

bool wrmsr_safe(u32 msr, u64 value)
{
	(void)msr;
	(void)value;
	return false;
}

static void fresh(size_t pages)
{
	fake_pages_reset(pages);
	assert_true(ept_create(&ept));
}

static void done(void)
{
	ept_destroy(&ept);
	assert_null(ept.root);
	assert_int_equal(fake_pages_out, 0);
}

static u64 *table(u64 entry)
{
	assert_int_equal(entry & ~ADDRESS, EPT_ALL);
	return (u64 *)(entry & ADDRESS);
}

/* SDM, "Format of an EPT Page-Table Entry that Maps a 4-KByte Page" and its like. */
static void test_entries_of_each_size(void **state)
{
	u64 guest = 0x7f5555401000;

	(void)state;
	fresh(100);
	assert_true(ept_map(&ept, guest, 0x1234000, EPT_PAGE_4K, EPT_PAGE_4K, EPT_READ | EPT_EXECUTE,
			    EPT_TYPE_WRITE_BACK));
	u64 *pdpt = table(ept.root[guest >> 39 & 511]);
	u64 *pd = table(pdpt[guest >> 30 & 511]);
	u64 *pt = table(pd[guest >> 21 & 511]);

	assert_int_equal(pt[guest >> 12 & 511] & ARCHITECTURAL,
			 0x1234000 | TYPE_WRITE_BACK | EPT_READ | EPT_EXECUTE);
	assert_int_equal(fake_pages_out, 4);

	assert_true(ept_map(&ept, 0x7f5555600000, 0x400000, EPT_PAGE_2M, EPT_PAGE_2M, EPT_ALL,
			    EPT_TYPE_UNCACHEABLE));
	assert_int_equal(pd[0x7f5555600000 >> 21 & 511] & ARCHITECTURAL, 0x400000 | LARGE | EPT_ALL);
	assert_true(ept_map(&ept, 0x7f5580000000, 0x40000000, EPT_PAGE_1G, EPT_PAGE_1G, EPT_ALL,
			    EPT_TYPE_WRITE_BACK));
	assert_int_equal(pdpt[0x7f5580000000 >> 30 & 511] & ARCHITECTURAL,
			 0x40000000 | TYPE_WRITE_BACK | LARGE | EPT_ALL);
	assert_int_equal(fake_pages_out, 4);
	done();
}

static void test_walks(void **state)
{
	static const u64 sizes[] = {EPT_PAGE_4K, EPT_PAGE_2M, EPT_PAGE_1G};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 size = sizes[i];
		struct ept_walk walk;

		fresh(100);
		assert_true(ept_map(&ept, 4 * size, 8 * size, 2 * size, size, EPT_READ, EPT_TYPE_WRITE_BACK));
		walk = ept_walk(&ept, 4 * size);
		assert_true(walk.mapped);
		assert_int_equal(walk.host, 8 * size);
		assert_int_equal(walk.page_size, size);
		assert_int_equal(walk.access, EPT_READ);
		assert_int_equal(ept_walk(&ept, 6 * size - 1).host, 10 * size - 1);
		assert_false(ept_walk(&ept, 4 * size - 1).mapped);
		assert_false(ept_walk(&ept, 6 * size).mapped);
		done();
	}
}

/* Four levels translate 48 bits; an address beyond is a violation, not another name for a lower one. */
static void test_addresses_beyond_48_bits(void **state)
{
	(void)state;
	fresh(100);
	assert_true(ept_map(&ept, 0, 0x1000, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_true(ept_walk(&ept, 0).mapped);
	for (unsigned bit = 48; bit < 64; bit++)
		assert_false(ept_walk(&ept, BIT(bit)).mapped);
	assert_true(ept_map(&ept, BIT(48) - EPT_PAGE_4K, 0x2000, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL,
			    EPT_TYPE_WRITE_BACK));
	assert_int_equal(ept_walk(&ept, BIT(48) - 1).host, 0x2fff);
	done();
}

static void test_protection(void **state)
{
	struct ept_walk walk;

	(void)state;
	fresh(100);
	assert_true(ept_map(&ept, 0x10000, 0x50000, 0x4000, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_true(ept_protect(&ept, 0x11000, 0x2000, EPT_READ));
	assert_int_equal(ept_walk(&ept, 0x10000).access, EPT_ALL);
	assert_int_equal(ept_walk(&ept, 0x11000).access, EPT_READ);
	assert_int_equal(ept_walk(&ept, 0x12fff).access, EPT_READ);
	assert_int_equal(ept_walk(&ept, 0x13000).access, EPT_ALL);
	/* A page that allows nothing is not there, but its address comes back with access. */
	assert_true(ept_protect(&ept, 0x11000, 0x1000, 0));
	walk = ept_walk(&ept, 0x11000);
	assert_false(walk.mapped);
	assert_int_equal(walk.access, 0);
	assert_true(ept_protect(&ept, 0x11000, 0x1000, EPT_ALL));
	walk = ept_walk(&ept, 0x11234);
	assert_int_equal(walk.host, 0x51234);
	assert_int_equal(walk.entry & ARCHITECTURAL, 0x51000 | TYPE_WRITE_BACK | EPT_ALL);
	/* What was never mapped has nothing to give back. */
	assert_false(ept_protect(&ept, 0xf000, 0x1000, EPT_ALL));
	assert_false(ept_protect(&ept, 0x13000, 0x2000, EPT_ALL));
	assert_false(ept_protect(&ept, 0x40000000, 0x1000, EPT_ALL));
	done();
}

static void test_protection_of_large_pages(void **state)
{
	(void)state;
	fresh(100);
	assert_true(ept_map(&ept, 0, 0, EPT_PAGE_2M, EPT_PAGE_2M, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_true(ept_map(&ept, EPT_PAGE_2M, EPT_PAGE_2M, 2 * EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL,
			    EPT_TYPE_WRITE_BACK));
	assert_true(ept_map(&ept, EPT_PAGE_1G, 0, EPT_PAGE_1G, EPT_PAGE_1G, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_true(ept_protect(&ept, 0, EPT_PAGE_2M + 2 * EPT_PAGE_4K, 0)); /* one large, two small */
	assert_false(ept_walk(&ept, 0).mapped);
	assert_false(ept_walk(&ept, EPT_PAGE_2M + EPT_PAGE_4K).mapped);
	assert_true(ept_protect(&ept, 0, EPT_PAGE_2M, EPT_READ));
	assert_int_equal(ept_walk(&ept, EPT_PAGE_2M - 1).access, EPT_READ);
	assert_int_equal(ept_walk(&ept, EPT_PAGE_2M - 1).page_size, EPT_PAGE_2M);
	assert_true(ept_protect(&ept, EPT_PAGE_1G, EPT_PAGE_1G, EPT_WRITE | EPT_READ));
	assert_int_equal(ept_walk(&ept, 2 * EPT_PAGE_1G - 1).access, EPT_WRITE | EPT_READ);
	done();
}

static void test_maps_over_maps(void **state)
{
	(void)state;
	fresh(100);
	assert_true(ept_map(&ept, 0, 0x1000, EPT_PAGE_4K, EPT_PAGE_4K, EPT_READ, EPT_TYPE_WRITE_BACK));
	assert_true(ept_map(&ept, 0, 0x2000, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_int_equal(ept_walk(&ept, 0).host, 0x2000);
	/* No large page where there is a table, no small one inside a large one, even one that allows
	 * nothing. */
	assert_false(ept_map(&ept, 0, 0, EPT_PAGE_2M, EPT_PAGE_2M, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_true(ept_map(&ept, EPT_PAGE_2M, 0, EPT_PAGE_2M, EPT_PAGE_2M, 0, EPT_TYPE_WRITE_BACK));
	assert_false(ept_map(&ept, EPT_PAGE_2M, 0, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_int_equal(ept_walk(&ept, 0).host, 0x2000);
	done();
}

static void test_exhaustion(void **state)
{
	(void)state;
	fake_pages_reset(0);
	assert_false(ept_create(&ept));
	ept_destroy(&ept); /* of nothing */
	for (size_t pages = 1; pages < 4; pages++) {
		fresh(pages);
		assert_false(ept_map(&ept, 0, 0, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
		assert_false(ept_walk(&ept, 0).mapped);
		done();
	}
	fresh(4);
	assert_true(ept_map(&ept, 0, 0, EPT_PAGE_2M, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_false(ept_map(&ept, EPT_PAGE_2M, 0, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	done();
}

/* SDM, "Extended-Page-Table Pointer (EPTP)": type in bits 2:0, walk length minus one in bits 5:3. */
static void test_pointer(void **state)
{
	struct vmx_capability capability = {.present = BIT(IA32_VMX_EPT_VPID_CAP - VMX_MSR_FIRST)};

	(void)state;
	fresh(10);
	assert_int_equal(ept_pointer(&ept, &capability), (u64)ept.root | 0x18);
	capability.msr[IA32_VMX_EPT_VPID_CAP - VMX_MSR_FIRST] = BIT(14);
	assert_int_equal(ept_pointer(&ept, &capability), (u64)ept.root | 0x1e);
	done();
}

static void test_guest_memory(void **state)
{
	struct guest_memory memory = {.size = 4 * EPT_PAGE_4K, .has_ept = true};

	(void)state;
	fresh(100);
	memory.base = pages_alloc(4, 1);
	assert_true(
		ept_map(&ept, 0, (u64)memory.base, memory.size, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	memory.ept = ept;
	assert_ptr_equal(guest_memory_at(&memory, 0, 1), memory.base);
	assert_ptr_equal(guest_memory_at(&memory, 0x3ff8, 8), memory.base + 0x3ff8);
	assert_null(guest_memory_at(&memory, 0x3ff9, 8));
	assert_null(guest_memory_at(&memory, 0x4000, 1));
	assert_null(guest_memory_at(&memory, BIT(48), 1));
	assert_null(guest_memory_at(&memory, ~0ull, 1));
	assert_null(guest_memory_at(&memory, 0, ~0ull));
	assert_int_equal(guest_memory_physical(&memory, 0x1234), 0x1234);
	/* A page that EPT maps elsewhere is not the guest's memory. */
	assert_true(ept_map(&ept, 0x1000, 0, EPT_PAGE_4K, EPT_PAGE_4K, EPT_ALL, EPT_TYPE_WRITE_BACK));
	assert_null(guest_memory_at(&memory, 0x1000, 1));
	assert_true(ept_protect(&ept, 0x2000, EPT_PAGE_4K, 0));
	assert_null(guest_memory_at(&memory, 0x2000, 1));
	/* Without EPT the guest's own tables hold host addresses. */
	memory.has_ept = false;
	assert_null(guest_memory_at(&memory, 0, 1));
	assert_ptr_equal(guest_memory_at(&memory, (u64)memory.base + 0x2000, 8), memory.base + 0x2000);
	assert_null(guest_memory_at(&memory, (u64)memory.base + 0x4000, 1));
	assert_int_equal(guest_memory_physical(&memory, 0x1234), (u64)memory.base + 0x1234);
	pages_free(memory.base, 4);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_of_each_size),
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_addresses_beyond_48_bits),
		cmocka_unit_test(test_protection),
		cmocka_unit_test(test_protection_of_large_pages),
		cmocka_unit_test(test_maps_over_maps),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_guest_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
