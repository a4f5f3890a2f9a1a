/*
 * A page allocator for tests (arch/x86_64/pages.h over aligned_alloc): counts what is out, and can run dry.
 */
#ifndef FAKE_PAGES_H
#define FAKE_PAGES_H

#include "arch/x86_64/pages.h"

/* Pages that are allocated and not yet given back. */
extern size_t fake_pages_out;
/* How many pages can still be had. */
extern size_t fake_pages_left;

/* Nothing is out, and count pages can be had. */
void fake_pages_reset(size_t count);

#endif
