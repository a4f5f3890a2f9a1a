/*
 * Which pages are free: the pure core of the page allocator, on maps of bits that the caller provides. A page
 * is named by its number: its physical address divided by PAGE_SIZE.
 */
#ifndef ARCH_PAGE_POOL_H
#define ARCH_PAGE_POOL_H

#include "lib/types.h"

#define PAGE_SIZE 4096
#define NO_PAGE ((size_t)-1)

struct page_pool {
	u64 *free_map; /* bit n of the whole: page n is free */
	u64 *pool_map; /* bit n of the whole: page n belongs to the pool, free or taken */
	size_t limit;  /* pages from here on do not exist; a multiple of 64 */
	size_t free;   /* how many pages are free now */
	size_t next;   /* where the next search begins */
};

/* An empty pool. Each map has limit / 64 words. */
void page_pool_init(struct page_pool *pool, u64 *free_map, u64 *pool_map, size_t limit);

/*
 * Puts into the pool, as free, the pages that lie wholly in [base, base + length), addresses in bytes; what
 * lies past the limit is left out.
 */
void page_pool_add(struct page_pool *pool, u64 base, u64 length);

/* Puts out of the pool every page that [base, base + length) touches. For pages that nobody has taken. */
void page_pool_remove(struct page_pool *pool, u64 base, u64 length);

/*
 * Takes count contiguous pages, the first one's number a multiple of alignment (a power of two); the first's
 * number, or NO_PAGE when there are none, or count is 0, or alignment is no power of two.
 */
size_t page_pool_take(struct page_pool *pool, size_t count, size_t alignment);

/* Gives pages back. False, with nothing changed, when not all of them are pages of the pool that are taken.
 */
bool page_pool_give(struct page_pool *pool, size_t page, size_t count);

#endif
