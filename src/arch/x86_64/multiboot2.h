/*
 * What the boot loader says: reads the multiboot2 information block (Multiboot2 Specification, "Boot
 * information format"). Pure, and never reads outside the block, however damaged it is. main calls it once.
 */
#ifndef ARCH_MULTIBOOT2_H
#define ARCH_MULTIBOOT2_H

/* What a multiboot2 loader leaves in EAX. */
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

#ifndef __ASSEMBLER__

#include "lib/types.h"

#define BOOT_MEMORY_LIMIT 64
#define BOOT_MEMORY_AVAILABLE 1

/* A stretch of physical memory, in bytes; only those of type BOOT_MEMORY_AVAILABLE may be used. */
struct boot_memory {
	u64 base;
	u64 length;
	u32 type;
};

/* Texts are never NULL: what the loader does not say is "". They, and the RSDP, stay inside the block. */
struct boot_info {
	const char *command_line;
	const char *loader;

	u64 module_start; /* the first module: physical addresses, end exclusive; both 0 when there is none */
	u64 module_end;
	const char *module_command_line;

	struct boot_memory memory[BOOT_MEMORY_LIMIT];
	unsigned memory_count; /* further entries are left out */

	const void *acpi_rsdp; /* a copy of ACPI's root pointer, the newer one if there are two; NULL: none */
	size_t acpi_rsdp_size;

	u64 block_start; /* the block itself, which must not be overwritten; end exclusive */
	u64 block_end;
};

/*
 * Reads the block at `block`, of which at most `limit` bytes can be read, into *info. False when it is
 * damaged, with a sentence for people in *why. An absent tag is no damage. The block is aligned to 8 bytes.
 */
bool multiboot2_parse(const void *block, size_t limit, struct boot_info *info, const char **why);

#endif

#endif
