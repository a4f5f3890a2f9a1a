/*
 * The memory of one guest: one contiguous block of host memory, which the guest sees from guest-physical
 * address 0. With EPT the address space is the EPT's; without, guest-physical addresses are host addresses
 * inside the block, as the guest's own page tables must then hold host addresses.
 */
#ifndef VMX_GUEST_MEMORY_H
#define VMX_GUEST_MEMORY_H

#include "lib/types.h"
#include "vmx/ept.h"

struct guest_memory {
	u8 *base;
	u64 size;
	bool has_ept;
	struct ept ept;
};

/*
 * A pointer to [address, address+length) of guest-physical memory, for the hypervisor's own accesses; NULL
 * when any of it is not the guest's memory, or not mapped by EPT. The range must not cross a 4 KiB page.
 */
void *guest_memory_at(const struct guest_memory *memory, u64 address, u64 length);

/* What a guest-physical address of the guest's view (from 0) is called in its paging structures. */
u64 guest_memory_physical(const struct guest_memory *memory, u64 address);

#endif
