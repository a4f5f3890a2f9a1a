/*
 * One walk serves 32-bit, PAE and 4-level paging: the three differ in the number of levels, the width of an
 * entry, and where large pages may stand (a row of paging_modes each).
 */
#include "vmx/guest_paging.h"
#include "arch/x86_64/registers.h"

#define ENTRY_PRESENT BIT(0)
#define ENTRY_WRITABLE BIT(1)
#define ENTRY_USER BIT(2)
#define ENTRY_LARGE BIT(7)
#define ENTRY_EXECUTE_DISABLE BIT(63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define PAGE_SHIFT 12

/* PSE-36: bits 39:32 of a 4 MiB page's address stand in bits 20:13 of its entry (SDM, "32-Bit Paging"). */
#define PSE36_SHIFT 13
#define PSE36_MASK 0xffull

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
	bool executable;
};

/* SDM, "Determination of Access Rights"; without SMEP, SMAP and protection keys, which the guests here do not
 * enable. */
static bool allowed(const struct guest_paging *paging, const struct rights *rights, enum guest_access access)
{
	if (paging->user && !rights->user)
		return false;
	if (access == GUEST_WRITE && !rights->writable && (paging->user || (paging->cr0 & CR0_WP)))
		return false;
	return access != GUEST_FETCH || rights->executable || !(paging->efer & EFER_NXE);
}

static u32 fault_code(const struct guest_paging *paging, enum guest_access access, bool present)
{
	return (present ? PAGE_FAULT_PRESENT : 0) | (access == GUEST_WRITE ? PAGE_FAULT_WRITE : 0) |
	       (paging->user ? PAGE_FAULT_USER : 0) |
	       (access == GUEST_FETCH && (paging->efer & EFER_NXE) && (paging->cr4 & CR4_PAE)
			? PAGE_FAULT_FETCH
			: 0);
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
	struct rights rights = {true, true, true};
	u64 table = paging->cr3 & mode->root_mask;

	linear &= mode->linear_mask;
	for (unsigned level = mode->levels; level-- > 0;) {
		bool top_of_pae = mode == &mode_pae && level == 2;
		unsigned shift = PAGE_SHIFT + level * mode->index_bits;
		unsigned bits = level == mode->levels - 1 ? mode->top_index_bits : mode->index_bits;
		u64 entry = 0;

		if (top_of_pae && paging->has_pdptes)
			entry = paging->pdptes[linear >> shift];
		else if (!paging->read(paging->context,
				       table + ((linear >> shift) & (BIT(bits) - 1)) * mode->entry_size,
				       &entry, mode->entry_size))
			return GUEST_TABLE_UNREADABLE;
		if (!(entry & ENTRY_PRESENT)) {
			*error_code = fault_code(paging, access, false);
			return GUEST_PAGE_FAULT;
		}
		if (!top_of_pae) { /* a PDPTE of PAE paging has no rights */
			rights.writable &= !!(entry & ENTRY_WRITABLE);
			rights.user &= !!(entry & ENTRY_USER);
			rights.executable &= !(entry & ENTRY_EXECUTE_DISABLE);
		}
		if (level == 0 || is_large(mode, paging, level, entry)) {
			u64 offset_mask = BIT(shift) - 1;

			if (!allowed(paging, &rights, access)) {
				*error_code = fault_code(paging, access, true);
				return GUEST_PAGE_FAULT;
			}
			*physical = page_address(mode, entry, offset_mask) | (linear & offset_mask);
			return GUEST_TRANSLATED;
		}
		table = entry & ENTRY_ADDRESS;
	}
	return GUEST_TABLE_UNREADABLE;
}
