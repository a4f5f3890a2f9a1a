/*
 * One walk serves 32-bit, PAE and 4-level paging: the three differ in the number of levels, the width of an
 * entry, and where large pages may stand (a row of paging_modes each).
 */
#include "vmx/guest_paging.h"
#include "arch/x86_64/registers.h"

#define ENTRY_PRESENT BIT(0)
#define ENTRY_WRITABLE BIT(1)
#define ENTRY_USER BIT(2)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY BIT(6)
#define ENTRY_LARGE BIT(7)
#define ENTRY_EXECUTE_DISABLE BIT(63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define PAGE_SHIFT 12
#define LEVELS_MAX 4

/* Bits that must be 0 in a PDPTE of PAE paging, and, above the address, in its other entries. */
#define PAE_PDPTE_RESERVED (BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(63))
#define PAE_HIGH_RESERVED 0x7ff0000000000000ull

/* PSE-36: bits 39:32 of a 4 MiB page's address stand in bits 20:13 of its entry (SDM, "32-Bit Paging"). */
#define PSE36_SHIFT 13
#define PSE36_MASK 0xffull
#define PSE36_RESERVED BIT(21)

struct paging_mode {
	unsigned levels;
	unsigned index_bits; /* of each level but the top one of PAE, which has 2 */
	unsigned top_index_bits;
	unsigned entry_size;   /* bytes */
	unsigned large_levels; /* the highest level, counted from 0, that may hold a large page */
	u64 root_mask;	       /* bits of CR3 that hold the address of the root table */
	u64 linear_mask;
};

static const struct paging_mode mode_32bit = {2, 10, 10, 4, 1, 0xfffff000, 0xffffffff};
static const struct paging_mode mode_pae = {3, 9, 2, 8, 1, 0xffffffe0, 0xffffffff};
static const struct paging_mode mode_4level = {4, 9, 9, 8, 2, ENTRY_ADDRESS, 0x0000ffffffffffff};

static const struct paging_mode *mode_of(const struct guest_paging *paging)
{
	if (paging->efer & EFER_LMA)
		return &mode_4level;
	return paging->cr4 & CR4_PAE ? &mode_pae : &mode_32bit;
}

static bool is_large(const struct paging_mode *mode, const struct guest_paging *paging, unsigned level,
		     u64 entry)
{
	if (level == 0 || level > mode->large_levels || !(entry & ENTRY_LARGE))
		return false;
	return mode->entry_size == 8 || (paging->cr4 & CR4_PSE);
}

/* What the entries on the way allow, all together. */
struct rights {
	bool writable;
	bool user;
};

/* SDM, "Determination of Access Rights": of data accesses. */
static bool allowed(const struct guest_paging *paging, const struct rights *rights, enum guest_access access)
{
	if (access == GUEST_LOOK)
		return true;
	if (paging->user && !rights->user)
		return false;
	if (!paging->user && rights->user && (paging->cr4 & CR4_SMAP) && !paging->ac)
		return false;
	return access != GUEST_WRITE || rights->writable || (!paging->user && !(paging->cr0 & CR0_WP));
}

/* The bits of an entry that must be 0 (SDM, "Paging-Structure Entries" of each mode). */
static u64 reserved_bits(const struct paging_mode *mode, const struct guest_paging *paging, unsigned level,
			 u64 entry)
{
	bool large = is_large(mode, paging, level, entry);
	u64 reserved = ENTRY_ADDRESS & (~0ull << paging->physical_bits);

	if (mode->entry_size == 4) {
		u64 high = PSE36_MASK &
			   (~0ull << (paging->physical_bits > 32 ? paging->physical_bits - 32 : 0));

		return large ? PSE36_RESERVED | high << PSE36_SHIFT : 0;
	}
	if (mode == &mode_pae)
		reserved |= level == 2 ? PAE_PDPTE_RESERVED | PAE_HIGH_RESERVED : PAE_HIGH_RESERVED;
	if (!(paging->efer & EFER_NXE))
		reserved |= ENTRY_EXECUTE_DISABLE;
	if (large) /* bit 12 is PAT */
		reserved |= (BIT(PAGE_SHIFT + level * mode->index_bits) - 1) & ~(BIT(PAGE_SHIFT + 1) - 1);
	if (level > mode->large_levels || (level == 2 && !paging->has_1g_pages))
		reserved |= ENTRY_LARGE;
	return reserved;
}

/* The entries that a walk has used, and where each of them stands. */
struct used_entries {
	struct {
		u64 address;
		u64 value;
	} entry[LEVELS_MAX];
	unsigned count;
};

/* SDM, "Accessed and Dirty Flags": the last entry, which maps the page, has the dirty flag. */
static void set_flags(const struct guest_paging *paging, const struct paging_mode *mode,
		      const struct used_entries *used, enum guest_access access)
{
	for (unsigned i = 0; i < used->count; i++) {
		bool dirty = access == GUEST_WRITE && i == used->count - 1;
		u64 value = used->entry[i].value | ENTRY_ACCESSED | (dirty ? ENTRY_DIRTY : 0);

		if (value != used->entry[i].value)
			paging->write(paging->context, used->entry[i].address, &value, mode->entry_size);
	}
}

static u32 fault_code(const struct guest_paging *paging, enum guest_access access, bool present)
{
	return (present ? PAGE_FAULT_PRESENT : 0) | (access == GUEST_WRITE ? PAGE_FAULT_WRITE : 0) |
	       (paging->user ? PAGE_FAULT_USER : 0);
}

static u64 page_address(const struct paging_mode *mode, u64 entry, u64 offset_mask)
{
	u64 address = entry & ENTRY_ADDRESS & ~offset_mask;

	if (mode->entry_size == 4 && offset_mask > (1u << PAGE_SHIFT))
		address = (entry & 0xffc00000) | ((entry >> PSE36_SHIFT & PSE36_MASK) << 32);
	return address;
}

enum guest_translation guest_translate(const struct guest_paging *paging, u64 linear,
				       enum guest_access access, u64 *physical, u32 *error_code)
{
	if (!(paging->cr0 & CR0_PG)) {
		*physical = linear & 0xffffffff;
		return GUEST_TRANSLATED;
	}

	const struct paging_mode *mode = mode_of(paging);
	struct rights rights = {true, true};
	struct used_entries used = {.count = 0};
	u64 table = paging->cr3 & mode->root_mask;

	linear &= mode->linear_mask;
	for (unsigned level = mode->levels; level-- > 0;) {
		bool top_of_pae = mode == &mode_pae && level == 2;
		unsigned shift = PAGE_SHIFT + level * mode->index_bits;
		unsigned bits = level == mode->levels - 1 ? mode->top_index_bits : mode->index_bits;
		u64 address = table + ((linear >> shift) & (BIT(bits) - 1)) * mode->entry_size;
		u64 entry = 0;

		if (top_of_pae && paging->has_pdptes)
			entry = paging->pdptes[linear >> shift];
		else if (!paging->read(paging->context, address, &entry, mode->entry_size))
			return GUEST_TABLE_UNREADABLE;
		if (!(entry & ENTRY_PRESENT)) {
			*error_code = fault_code(paging, access, false);
			return GUEST_PAGE_FAULT;
		}
		if (entry & reserved_bits(mode, paging, level, entry)) {
			*error_code = fault_code(paging, access, true) | PAGE_FAULT_RESERVED;
			return GUEST_PAGE_FAULT;
		}
		if (!top_of_pae) { /* a PDPTE of PAE paging has neither rights nor flags */
			used.entry[used.count].address = address;
			used.entry[used.count++].value = entry;
			rights.writable &= !!(entry & ENTRY_WRITABLE);
			rights.user &= !!(entry & ENTRY_USER);
		}
		if (level == 0 || is_large(mode, paging, level, entry)) {
			u64 offset_mask = BIT(shift) - 1;

			if (!allowed(paging, &rights, access)) {
				*error_code = fault_code(paging, access, true);
				return GUEST_PAGE_FAULT;
			}
			if (access != GUEST_LOOK)
				set_flags(paging, mode, &used, access);
			*physical = page_address(mode, entry, offset_mask) | (linear & offset_mask);
			return GUEST_TRANSLATED;
		}
		table = entry & ENTRY_ADDRESS;
	}
	return GUEST_TABLE_UNREADABLE;
}
