/*
 * EPT tables: building, changing and walking them. Tables are identity-mapped, so a table's address is its
 * physical address. The set-up of a guest maps its memory; the EPT-violation handler grants access through
 * the vCPU; the instruction fetcher walks.
 */
#include "vmx/ept.h"
#include "arch/x86_64/pages.h"

#define LEVELS 4
#define ENTRIES 512
/* Four levels translate addresses below this; any other is an EPT violation. */
#define ADDRESS_LIMIT BIT(48)
#define ENTRY_LARGE BIT(7)
#define ENTRY_TYPE_SHIFT 3
#define ENTRY_ADDRESS 0x000ffffffffff000ull
/* A software-available bit: this 4 KiB entry is a leaf, even while it allows nothing. */
#define ENTRY_LEAF BIT(52)

#define POINTER_WALK_LENGTH_4 (3u << 3)

/* The bytes that one entry of a level covers: level 0 is the page table, 3 the root. */
static u64 level_size(unsigned level)
{
	return EPT_PAGE_4K << (9 * level);
}

static unsigned level_index(u64 guest, unsigned level)
{
	return (guest / level_size(level)) % ENTRIES;
}

static u64 *entry_table(u64 entry)
{
	return (u64 *)(entry & ENTRY_ADDRESS);
}

/* An entry that points to a table always allows everything: what is allowed is said in the leaves. */
static bool is_table(u64 entry)
{
	return (entry & EPT_ALL) == EPT_ALL && !(entry & (ENTRY_LARGE | ENTRY_LEAF));
}

bool ept_create(struct ept *ept)
{
	ept->root = pages_alloc(1, 1);
	return ept->root != NULL;
}

/* Tables are mostly empty: four entries at a time. */
static bool all_empty(const u64 *entries)
{
	return !(entries[0] | entries[1] | entries[2] | entries[3]);
}

static void destroy_table(u64 *table, unsigned level)
{
	for (unsigned i = 0; level > 0 && i < ENTRIES; i++) {
		if (i % 4 == 0 && all_empty(&table[i]))
			i += 3;
		else if (is_table(table[i]))
			destroy_table(entry_table(table[i]), level - 1);
	}
	pages_free(table, 1);
}

void ept_destroy(struct ept *ept)
{
	if (ept->root)
		destroy_table(ept->root, LEVELS - 1);
	ept->root = NULL;
}

u64 ept_pointer(const struct ept *ept, const struct vmx_capability *capability)
{
	u64 type = vmx_capable(capability, CAPABILITY_EPT_WRITE_BACK) ? EPT_TYPE_WRITE_BACK
								      : EPT_TYPE_UNCACHEABLE;

	return (u64)ept->root | POINTER_WALK_LENGTH_4 | type;
}

/*
 * The entry for an address at a level. With create, missing tables on the way are made; NULL when memory is
 * out, when a table is missing without create, or when a larger page stands in the way.
 */
static u64 *find_entry(const struct ept *ept, u64 guest, unsigned level, bool create)
{
	u64 *table = ept->root;

	for (unsigned at = LEVELS - 1; at > level; at--) {
		u64 *entry = &table[level_index(guest, at)];

		if (*entry == 0 && create) {
			u64 *next = pages_alloc(1, 1);

			if (!next)
				return NULL;
			*entry = (u64)next | EPT_ALL;
		}
		if (!is_table(*entry))
			return NULL;
		table = entry_table(*entry);
	}
	return &table[level_index(guest, level)];
}

static unsigned level_of_size(u64 page_size)
{
	return page_size == EPT_PAGE_1G ? 2 : page_size == EPT_PAGE_2M ? 1 : 0;
}

bool ept_map(struct ept *ept, u64 guest, u64 host, u64 length, u64 page_size, u32 access, u32 memory_type)
{
	unsigned level = level_of_size(page_size);
	u64 flags = memory_type << ENTRY_TYPE_SHIFT | access | ENTRY_LEAF | (level > 0 ? ENTRY_LARGE : 0);
	u64 offset = 0;

	while (offset < length) {
		u64 *entry = find_entry(ept, guest + offset, level, true);

		if (!entry)
			return false;
		/* As far as this table goes, the entries stand in a row. */
		for (unsigned i = level_index(guest + offset, level); i < ENTRIES && offset < length; i++) {
			if (level > 0 && is_table(*entry))
				return false;
			*entry++ = (host + offset) | flags;
			offset += page_size;
		}
	}
	return true;
}

/* The leaf that covers an address, and its size; NULL when there is none. */
static u64 *find_leaf(const struct ept *ept, u64 guest, u64 *page_size)
{
	for (unsigned level = 0; level < LEVELS - 1; level++) {
		u64 *entry = find_entry(ept, guest, level, false);

		if (entry && (*entry & ENTRY_LEAF)) {
			*page_size = level_size(level);
			return entry;
		}
	}
	return NULL;
}

bool ept_protect(struct ept *ept, u64 guest, u64 length, u32 access)
{
	for (u64 offset = 0; offset < length;) {
		u64 page_size;
		u64 *leaf = find_leaf(ept, guest + offset, &page_size);

		if (!leaf)
			return false;
		*leaf = (*leaf & ~(u64)EPT_ALL) | access;
		offset += page_size;
	}
	return true;
}

struct ept_walk ept_walk(const struct ept *ept, u64 guest)
{
	struct ept_walk walk = {.access = EPT_ALL};
	const u64 *table = ept->root;

	if (guest >= ADDRESS_LIMIT)
		return (struct ept_walk){.page_size = level_size(LEVELS - 1)};
	for (unsigned level = LEVELS; level-- > 0;) {
		walk.entry = table[level_index(guest, level)];
		walk.page_size = level_size(level);
		walk.access &= walk.entry & EPT_ALL;
		if (walk.access == 0)
			return walk;
		if (level == 0 || (walk.entry & ENTRY_LARGE)) {
			walk.mapped = true;
			walk.host = (walk.entry & ENTRY_ADDRESS & ~(walk.page_size - 1)) |
				    (guest & (walk.page_size - 1));
			return walk;
		}
		table = entry_table(walk.entry);
	}
	return walk;
}

void ept_invalidate(const struct ept *ept, const struct vmx_capability *capability)
{
	enum { SINGLE_CONTEXT = 1, ALL_CONTEXT = 2 };
	struct {
		u64 pointer;
		u64 reserved;
	} descriptor = {.pointer = ept_pointer(ept, capability)};
	u64 type = vmx_capable(capability, CAPABILITY_INVEPT_SINGLE) ? SINGLE_CONTEXT : ALL_CONTEXT;

	if (vmx_capable(capability, CAPABILITY_INVEPT))
		asm volatile("invept %[descriptor], %[type]"
			     :
			     : [descriptor] "m"(descriptor), [type] "r"(type)
			     : "cc", "memory");
}
