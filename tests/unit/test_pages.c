/*
 * The page allocator's core (arch/x86_64/page_pool.h): what the memory map gives and takes away, alignment,
 * runs, exhaustion, wrong frees, and a long random run against a plain array.
 */
/* sources: src/arch/x86_64/page_pool.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/page_pool.h"

#define LIMIT 1024

static u64 free_map[LIMIT / 64];
static u64 pool_map[LIMIT / 64];
static struct page_pool pool;

static void fresh(u64 base, u64 length)
{
	page_pool_init(&pool, free_map, pool_map, LIMIT);
	page_pool_add(&pool, base, length);
}

static void test_empty_pool(void **state)
{
	(void)state;
	page_pool_init(&pool, free_map, pool_map, LIMIT);
	assert_int_equal(pool.free, 0);
	assert_true(page_pool_take(&pool, 1, 1) == NO_PAGE);
	assert_false(page_pool_give(&pool, 5, 1));
}

static void test_only_whole_pages_are_added(void **state)
{
	(void)state;
	fresh(0x1001, 0x1ffe);
	assert_int_equal(pool.free, 0);
	fresh(0x1001, 0x1fff);
	assert_int_equal(pool.free, 1);
	assert_int_equal(page_pool_take(&pool, 1, 1), 2);
	fresh(0x800, 0x800);
	assert_int_equal(pool.free, 0);
}

static void test_every_touched_page_is_removed(void **state)
{
	(void)state;
	fresh(0, 8 * PAGE_SIZE);
	page_pool_remove(&pool, 2 * PAGE_SIZE - 1, 2);
	assert_int_equal(pool.free, 6);
	page_pool_remove(&pool, 2 * PAGE_SIZE - 1, 2);
	assert_int_equal(pool.free, 6);
	page_pool_remove(&pool, 5 * PAGE_SIZE + 1, 0);
	assert_int_equal(pool.free, 6);
	assert_int_equal(page_pool_take(&pool, 2, 1), 3);
}

static void test_adding_twice_counts_once(void **state)
{
	(void)state;
	fresh(0, 8 * PAGE_SIZE);
	page_pool_add(&pool, 4 * PAGE_SIZE, 8 * PAGE_SIZE);
	assert_int_equal(pool.free, 12);
}

/* A memory map can say anything: past the limit, round the end of the address space, nothing. */
static void test_ranges_that_cannot_be(void **state)
{
	(void)state;
	fresh(0, UINT64_MAX);
	assert_int_equal(pool.free, LIMIT);
	fresh(UINT64_MAX, UINT64_MAX);
	assert_int_equal(pool.free, 0);
	fresh((u64)(LIMIT - 1) * PAGE_SIZE, UINT64_MAX);
	assert_int_equal(pool.free, 1);
	fresh(0, 0);
	assert_int_equal(pool.free, 0);
	fresh(0, UINT64_MAX);
	page_pool_remove(&pool, UINT64_MAX - 1, UINT64_MAX);
	assert_int_equal(pool.free, LIMIT);
	page_pool_remove(&pool, PAGE_SIZE, UINT64_MAX);
	assert_int_equal(pool.free, 1);
}

static void test_alignment(void **state)
{
	(void)state;
	fresh(PAGE_SIZE, (LIMIT - 1) * (u64)PAGE_SIZE);
	assert_int_equal(page_pool_take(&pool, 1, 512), 512);
	assert_true(page_pool_take(&pool, 1, 1024) == NO_PAGE);
	assert_true(page_pool_take(&pool, 1, 512) == NO_PAGE);
	assert_int_equal(page_pool_take(&pool, 3, 4) % 4, 0);
}

static void test_requests_that_cannot_be(void **state)
{
	(void)state;
	fresh(0, LIMIT * (u64)PAGE_SIZE);
	assert_true(page_pool_take(&pool, 0, 1) == NO_PAGE);
	assert_true(page_pool_take(&pool, 1, 0) == NO_PAGE);
	assert_true(page_pool_take(&pool, 1, 3) == NO_PAGE);
	assert_true(page_pool_take(&pool, LIMIT + 1, 1) == NO_PAGE);
	assert_true(page_pool_take(&pool, (size_t)-1, 1) == NO_PAGE);
	assert_int_equal(pool.free, LIMIT);
}

static void test_no_run_where_pages_are_scattered(void **state)
{
	(void)state;
	fresh(0, LIMIT * (u64)PAGE_SIZE);
	for (size_t page = 0; page < LIMIT; page += 2)
		page_pool_remove(&pool, page * PAGE_SIZE, 1);
	assert_int_equal(pool.free, LIMIT / 2);
	assert_true(page_pool_take(&pool, 2, 1) == NO_PAGE);
	assert_int_equal(page_pool_take(&pool, 1, 1), 1);
}

static void test_exhaustion_and_return(void **state)
{
	(void)state;
	fresh(0, LIMIT * (u64)PAGE_SIZE);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < LIMIT / 4; i++)
			assert_true(page_pool_take(&pool, 4, 1) != NO_PAGE);
		assert_int_equal(pool.free, 0);
		assert_true(page_pool_take(&pool, 1, 1) == NO_PAGE);
		assert_true(page_pool_give(&pool, 0, LIMIT));
		assert_int_equal(pool.free, LIMIT);
	}
	assert_int_equal(page_pool_take(&pool, LIMIT, 1), 0);
}

static void test_wrong_frees(void **state)
{
	(void)state;
	fresh(8 * PAGE_SIZE, 8 * PAGE_SIZE);
	assert_int_equal(page_pool_take(&pool, 4, 1), 8);
	assert_false(page_pool_give(&pool, 8, 5));   /* the last one is free */
	assert_false(page_pool_give(&pool, 7, 2));   /* the first one was never in the pool */
	assert_false(page_pool_give(&pool, 100, 1)); /* nor was this one */
	assert_false(page_pool_give(&pool, LIMIT, 1));
	assert_false(page_pool_give(&pool, 8, (size_t)-1));
	assert_int_equal(pool.free, 4);
	assert_true(page_pool_give(&pool, 8, 4));
	assert_false(page_pool_give(&pool, 8, 4));
	assert_int_equal(pool.free, 8);
}

static void test_random_run(void **state)
{
	u8 taken[LIMIT] = {0};
	struct {
		size_t page;
		size_t count;
	} held[64] = {0};

	(void)state;
	srand(1);
	fresh(0, LIMIT * (u64)PAGE_SIZE);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned slot = (unsigned)rand() % ARRAY_SIZE(held);

		if (held[slot].count) {
			memset(taken + held[slot].page, 0, held[slot].count);
			assert_true(page_pool_give(&pool, held[slot].page, held[slot].count));
			held[slot].count = 0;
			continue;
		}

		size_t count = 1 + (size_t)rand() % 40;
		size_t alignment = (size_t)1 << (rand() % 6);
		size_t page = page_pool_take(&pool, count, alignment);

		if (page == NO_PAGE)
			continue;
		assert_int_equal(page % alignment, 0);
		for (size_t j = page; j < page + count; j++) {
			assert_in_range(j, 0, LIMIT - 1);
			assert_int_equal(taken[j]++, 0);
		}
		held[slot].page = page;
		held[slot].count = count;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_pool),
		cmocka_unit_test(test_only_whole_pages_are_added),
		cmocka_unit_test(test_every_touched_page_is_removed),
		cmocka_unit_test(test_adding_twice_counts_once),
		cmocka_unit_test(test_ranges_that_cannot_be),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_requests_that_cannot_be),
		cmocka_unit_test(test_no_run_where_pages_are_scattered),
		cmocka_unit_test(test_exhaustion_and_return),
		cmocka_unit_test(test_wrong_frees),
		cmocka_unit_test(test_random_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
