/*
 * Pages from the C library's heap, so that the address sanitizer watches every one of them.
 */
#include "fake_pages.h"
#include <stdlib.h>
#include <string.h>

size_t fake_pages_out;
size_t fake_pages_left;

void fake_pages_reset(size_t count)
{
	fake_pages_out = 0;
	fake_pages_left = count;
}

void *pages_alloc(size_t count, size_t alignment_in_pages)
{
	void *pages;

	if (count > fake_pages_left)
		return NULL;
	pages = aligned_alloc(alignment_in_pages * PAGE_SIZE, count * PAGE_SIZE);
	memset(pages, 0, count * PAGE_SIZE);
	fake_pages_left -= count;
	fake_pages_out += count;
	return pages;
}

void pages_free(void *pages, size_t count)
{
	if (!pages)
		return;
	free(pages);
	fake_pages_left += count;
	fake_pages_out -= count;
}
