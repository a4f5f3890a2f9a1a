/*
 * The page allocator: physical memory below 4 GiB, identity mapped, from the boot loader's memory map. It
 * never hands out the first MiB, the kernel, the module, or the boot information.
 */
#ifndef ARCH_PAGES_H
#define ARCH_PAGES_H

#include "arch/x86_64/multiboot2.h"
#include "arch/x86_64/page_pool.h"
#include "lib/types.h"

struct page_statistics {
	size_t total; /* pages that were free at first */
	size_t free;  /* pages that are free now */
};

/* Called once. Before it, every allocation fails. */
void pages_init(const struct boot_info *boot);

/*
 * count contiguous pages, zeroed, at an address that is a multiple of alignment_in_pages * PAGE_SIZE (a power
 * of two; 1 for any page). Pointer and physical address are the same number. NULL when there are none.
 */
void *pages_alloc(size_t count, size_t alignment_in_pages);

/* Gives pages back; freeing what is not allocated is a panic. NULL is nothing. */
void pages_free(void *pages, size_t count);

struct page_statistics pages_statistics(void);

#endif
