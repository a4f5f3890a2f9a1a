/*
 * The guest's own paging, walked by the hypervisor: from a linear address to a guest-physical one (SDM,
 * chapter "Paging"). Pure: memory is read through a function that the caller gives. The instruction fetcher
 * and the emulation of string I/O use it.
 */
#ifndef VMX_GUEST_PAGING_H
#define VMX_GUEST_PAGING_H

#include "lib/types.h"

/* The registers that decide about paging. */
struct guest_paging {
	u64 cr0;
	u64 cr3;
	u64 cr4;
	u64 efer;
	bool user; /* the access is made at CPL 3 */
	bool ac;   /* RFLAGS.AC, which lifts SMAP */
	/* What the processor has: bits of a physical address, and 1 GiB pages. */
	unsigned physical_bits;
	bool has_1g_pages;
	/* PAE paging with EPT: the processor has the four PDPTEs in registers, and does not read them from
	 * the table at CR3 again (SDM, "PDPTE Registers"). */
	bool has_pdptes;
	u64 pdptes[4];
	/* Reads size bytes (4 or 8) at a guest-physical address; false when nothing is there. */
	bool (*read)(void *context, u64 address, void *value, size_t size);
	/* Writes an entry that was read, with its accessed and dirty flags. */
	void (*write)(void *context, u64 address, const void *value, size_t size);
	void *context;
};

/* GUEST_LOOK is the hypervisor looking at what is there: no access right stops it, and it sets no flags. */
enum guest_access { GUEST_READ, GUEST_WRITE, GUEST_LOOK };

/* Bits of a page fault's error code (SDM, "Page-Fault Exceptions"). */
#define PAGE_FAULT_PRESENT BIT(0)
#define PAGE_FAULT_WRITE BIT(1)
#define PAGE_FAULT_USER BIT(2)
#define PAGE_FAULT_RESERVED BIT(3)

enum guest_translation {
	GUEST_TRANSLATED,
	GUEST_PAGE_FAULT,	/* the guest's tables forbid it: *error_code says how */
	GUEST_TABLE_UNREADABLE, /* a paging structure is where the guest has no memory */
};

/*
 * Translates a linear address. On GUEST_TRANSLATED *physical is the guest-physical address. Without paging it
 * is the linear address itself. CR4.LA57 and protection keys are not known here.
 */
enum guest_translation guest_translate(const struct guest_paging *paging, u64 linear,
				       enum guest_access access, u64 *physical, u32 *error_code);

#endif
