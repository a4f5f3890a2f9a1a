/*
 * From guest-physical addresses to pointers, with bounds. Used by the instruction fetcher, by the page-table
 * walk and by the emulation of string I/O.
 */
#include "vmx/guest_memory.h"

static bool inside(const struct guest_memory *memory, u64 host, u64 length)
{
	u64 first = (u64)memory->base;

	return host >= first && length <= memory->size && host - first <= memory->size - length;
}

void *guest_memory_at(const struct guest_memory *memory, u64 address, u64 length)
{
	if (memory->has_ept) {
		struct ept_walk walk = ept_walk(&memory->ept, address);

		if (!walk.mapped)
			return NULL;
		address = walk.host;
	}
	return inside(memory, address, length) ? (void *)address : NULL;
}

u64 guest_memory_physical(const struct guest_memory *memory, u64 address)
{
	return memory->has_ept ? address : (u64)memory->base + address;
}
