/*
 * Which processors the machine has, from ACPI's MADT (ACPI Specification, "Multiple APIC Description Table").
 * Checks signatures, lengths and checksums before it believes a table. smp.c asks.
 */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

#include "lib/types.h"

/*
 * Local APIC identifiers of the processors that are enabled, at most `limit` of them, in the table's order;
 * how many there are. 0 when there is no usable table. rsdp, with its size in bytes, is as the boot loader
 * gives it, NULL for none.
 */
unsigned acpi_processors(const void *rsdp, size_t rsdp_size, u32 *apic_ids, unsigned limit);

#endif
