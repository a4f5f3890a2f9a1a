/*
 * Extended page tables: 4-level, with 4 KiB, 2 MiB and 1 GiB pages (SDM, "The Extended Page Table Mechanism
 * (EPT)"). One struct ept is one guest-physical address space; tables come from the page allocator.
 */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include "lib/types.h"
#include "vmx/capability.h"

/* What an entry allows. */
#define EPT_READ 1u
#define EPT_WRITE 2u
#define EPT_EXECUTE 4u
#define EPT_ALL (EPT_READ | EPT_WRITE | EPT_EXECUTE)

/* Memory types of leaf entries and of the EPT pointer. */
#define EPT_TYPE_UNCACHEABLE 0u
#define EPT_TYPE_WRITE_BACK 6u

/* Page sizes, in bytes. */
#define EPT_PAGE_4K 0x1000ull
#define EPT_PAGE_2M 0x200000ull
#define EPT_PAGE_1G 0x40000000ull

struct ept {
	u64 *root;
};

/* What a walk met. */
struct ept_walk {
	bool mapped;   /* a leaf that allows something was found */
	u64 host;      /* the host-physical address, when mapped */
	u64 page_size; /* of the leaf, in bytes; that of the level at which the walk ended when not mapped */
	u32 access;    /* EPT_ bits that every level allows together; 0 when not mapped */
	u64 entry;     /* the last entry that the walk read */
};

/* Makes an empty address space; false when memory is out. */
bool ept_create(struct ept *ept);
/* Gives every table back. */
void ept_destroy(struct ept *ept);

/* The EPT pointer for the VMCS: write-back tables where the processor has them, 4 levels, no accessed/dirty
 * flags. */
u64 ept_pointer(const struct ept *ept, const struct vmx_capability *capability);

/*
 * Maps [guest, guest+length) to [host, host+length) in pages of page_size. All three are multiples of
 * page_size, and guest addresses are below 2^48. Replaces what was mapped. False when memory for tables is
 * out, or when a larger page already covers the range.
 */
bool ept_map(struct ept *ept, u64 guest, u64 host, u64 length, u64 page_size, u32 access, u32 memory_type);

/*
 * Sets what the leaves of [guest, guest+length) allow, keeping their addresses; leaves that allow nothing
 * keep their address too, so that access can come back. The range is a multiple of the pages' size. False
 * when part of it has no leaf. The caller invalidates what the processor cached (ept_invalidate).
 */
bool ept_protect(struct ept *ept, u64 guest, u64 length, u32 access);

/* Walks the tables for one guest-physical address, as the processor would. */
struct ept_walk ept_walk(const struct ept *ept, u64 guest);

/* INVEPT, single-context where there is one, else all-context; nothing on a processor without INVEPT. */
void ept_invalidate(const struct ept *ept, const struct vmx_capability *capability);

#endif
