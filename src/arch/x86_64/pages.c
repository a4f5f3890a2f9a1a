/*
 * The page allocator over the machine's memory: two maps of bits for the 4 GiB that boot.S maps.
 */
#include "arch/x86_64/pages.h"
#include "arch/x86_64/stop.h"
#include "lib/string.h"

#define FIRST_MIB 0x100000
#define MAPPED_PAGES (BIT(32) / PAGE_SIZE)

/* From kernel.ld: where the kernel's image begins and ends. */
extern const char kernel_start[];
extern const char kernel_end[];

static u64 free_map[MAPPED_PAGES / 64];
static u64 pool_map[MAPPED_PAGES / 64];
static struct page_pool pool;
static size_t total;

void pages_init(const struct boot_info *boot)
{
	page_pool_init(&pool, free_map, pool_map, MAPPED_PAGES);
	for (unsigned i = 0; i < boot->memory_count; i++) {
		if (boot->memory[i].type == BOOT_MEMORY_AVAILABLE)
			page_pool_add(&pool, boot->memory[i].base, boot->memory[i].length);
	}
	/* Firmware is known to list some memory twice, as available and as not: then it is not. */
	for (unsigned i = 0; i < boot->memory_count; i++) {
		if (boot->memory[i].type != BOOT_MEMORY_AVAILABLE)
			page_pool_remove(&pool, boot->memory[i].base, boot->memory[i].length);
	}
	page_pool_remove(&pool, 0, FIRST_MIB);
	page_pool_remove(&pool, (u64)kernel_start, (u64)(kernel_end - kernel_start));
	page_pool_remove(&pool, boot->module_start, boot->module_end - boot->module_start);
	page_pool_remove(&pool, boot->block_start, boot->block_end - boot->block_start);
	total = pool.free;
}

void *pages_alloc(size_t count, size_t alignment_in_pages)
{
	size_t page = page_pool_take(&pool, count, alignment_in_pages);

	if (page == NO_PAGE)
		return NULL;
	return memset((void *)(page * PAGE_SIZE), 0, count * PAGE_SIZE);
}

void pages_free(void *pages, size_t count)
{
	uptr address = (uptr)pages;

	if (!pages)
		return;
	if (address % PAGE_SIZE != 0 || !page_pool_give(&pool, address / PAGE_SIZE, count))
		panic("pages_free of %zu pages at %p, which are not all allocated", count, pages);
}

struct page_statistics pages_statistics(void)
{
	return (struct page_statistics){.total = total, .free = pool.free};
}
