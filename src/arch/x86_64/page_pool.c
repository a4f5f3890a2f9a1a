/*
 * The page allocator's core: next-fit search over a map of bits, whole words of taken pages skipped at once.
 */
#include "arch/x86_64/page_pool.h"
#include "lib/string.h"

#define WORD_BITS 64

static bool is_set(const u64 *map, size_t page)
{
	return map[page / WORD_BITS] & BIT(page % WORD_BITS);
}

static bool is_free(const struct page_pool *pool, size_t page)
{
	return is_set(pool->free_map, page);
}

static void set_free(struct page_pool *pool, size_t page, bool value)
{
	if (is_free(pool, page) == value)
		return;
	pool->free_map[page / WORD_BITS] ^= BIT(page % WORD_BITS);
	pool->free += value ? 1 : -(size_t)1;
}

void page_pool_init(struct page_pool *pool, u64 *free_map, u64 *pool_map, size_t limit)
{
	*pool = (struct page_pool){.free_map = free_map, .pool_map = pool_map, .limit = limit};
	memset(free_map, 0, limit / WORD_BITS * sizeof(*free_map));
	memset(pool_map, 0, limit / WORD_BITS * sizeof(*pool_map));
}

/* The end of a range of addresses, which must not wrap round: a memory map can say anything. */
static u64 end_of(u64 base, u64 length)
{
	return length > UINT64_MAX - base ? UINT64_MAX : base + length;
}

static size_t clamp(const struct page_pool *pool, u64 page)
{
	return page < pool->limit ? (size_t)page : pool->limit;
}

/* An address rounded up to a page number, also next to the end of the address space. */
static u64 page_after(u64 address)
{
	return address / PAGE_SIZE + (address % PAGE_SIZE != 0);
}

void page_pool_add(struct page_pool *pool, u64 base, u64 length)
{
	size_t first = clamp(pool, page_after(base));
	size_t end = clamp(pool, end_of(base, length) / PAGE_SIZE);

	for (size_t page = first; page < end; page++) {
		set_free(pool, page, true);
		pool->pool_map[page / WORD_BITS] |= BIT(page % WORD_BITS);
	}
}

void page_pool_remove(struct page_pool *pool, u64 base, u64 length)
{
	size_t first = clamp(pool, base / PAGE_SIZE);
	size_t end = clamp(pool, page_after(end_of(base, length)));

	for (size_t page = first; length > 0 && page < end; page++) {
		set_free(pool, page, false);
		pool->pool_map[page / WORD_BITS] &= ~BIT(page % WORD_BITS);
	}
}

/* The first page from `page` on that is free and a multiple of alignment; the limit when there is none. */
static size_t next_candidate(const struct page_pool *pool, size_t page, size_t alignment)
{
	while (page < pool->limit) {
		if (page % WORD_BITS == 0 && pool->free_map[page / WORD_BITS] == 0)
			page += WORD_BITS;
		else if (!is_free(pool, page))
			page++;
		else if (page & (alignment - 1))
			page = (page | (alignment - 1)) + 1;
		else
			return page;
	}
	return pool->limit;
}

/* How many pages from `page` on are free, count at the most. */
static size_t run_length(const struct page_pool *pool, size_t page, size_t count)
{
	size_t length = 0;

	while (length < count && page + length < pool->limit && is_free(pool, page + length))
		length++;
	return length;
}

/* The first fitting run that starts in [from, before). */
static size_t find_run(const struct page_pool *pool, size_t from, size_t before, size_t count,
		       size_t alignment)
{
	size_t page = next_candidate(pool, from, alignment);

	while (page < before) {
		size_t length = run_length(pool, page, count);

		if (length == count)
			return page;
		page = next_candidate(pool, page + length, alignment);
	}
	return NO_PAGE;
}

size_t page_pool_take(struct page_pool *pool, size_t count, size_t alignment)
{
	if (count == 0 || count > pool->free || alignment == 0 || (alignment & (alignment - 1)))
		return NO_PAGE;

	size_t page = find_run(pool, pool->next, pool->limit, count, alignment);

	if (page == NO_PAGE)
		page = find_run(pool, 0, pool->next, count, alignment);
	if (page == NO_PAGE)
		return NO_PAGE;
	for (size_t i = 0; i < count; i++)
		set_free(pool, page + i, false);
	pool->next = page + count;
	return page;
}

bool page_pool_give(struct page_pool *pool, size_t page, size_t count)
{
	if (page >= pool->limit || count > pool->limit - page)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (is_free(pool, page + i) || !is_set(pool->pool_map, page + i))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		set_free(pool, page + i, true);
	return true;
}
