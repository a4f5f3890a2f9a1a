/*
 * The way to the MADT: root pointer, root table (the newer with 64-bit addresses, where there is one),
 * tables. All of them stand below 4 GiB, where the kernel maps memory, or are passed over.
 */
#include "arch/x86_64/acpi.h"
#include "lib/string.h"

#define MAPPED_END BIT(32)
#define MAPPED_START 0x1000 /* page 0 is not mapped */
#define TABLE_LENGTH_MAX 0x100000

#define RSDP_SIZE_OLD 20
#define RSDP_SIZE_NEW 36

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	/* From revision 2 on: */
	u32 length;
	u64 xsdt;
} __packed;

struct table {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6];
	char oem_table[8];
	u32 oem_revision;
	u32 creator;
	u32 creator_revision;
	u8 content[];
} __packed;

/* The MADT's content begins with these; then come entries. */
struct madt_content {
	u32 local_apic;
	u32 flags;
	u8 entries[];
} __packed;

enum madt_entry_type { MADT_LOCAL_APIC = 0 };

struct madt_entry {
	u8 type;
	u8 length;
	u8 processor;
	u8 apic_id;
	u32 flags;
} __packed;

#define MADT_ENABLED BIT(0)

static bool sums_to_zero(const void *bytes, size_t size)
{
	u8 sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += ((const u8 *)bytes)[i];
	return sum == 0;
}

/* The table at a physical address; NULL unless it is one with that signature. */
static const struct table *table_at(u64 address, const char *signature)
{
	const struct table *table = (const struct table *)address;

	if (address < MAPPED_START || address > MAPPED_END - TABLE_LENGTH_MAX)
		return NULL;
	if (memcmp(table->signature, signature, sizeof(table->signature)) != 0)
		return NULL;
	if (table->length < sizeof(*table) || table->length > TABLE_LENGTH_MAX)
		return NULL;
	return sums_to_zero(table, table->length) ? table : NULL;
}

/* Looks through a root table, whose content is addresses of `width` bytes each. */
static const struct table *find_table(const struct table *root, size_t width, const char *signature)
{
	size_t size = root->length - sizeof(*root);

	for (size_t offset = 0; offset + width <= size; offset += width) {
		u64 address = 0;
		const struct table *table;

		memcpy(&address, root->content + offset, width);
		table = table_at(address, signature);
		if (table)
			return table;
	}
	return NULL;
}

static const struct table *find_madt(const struct rsdp *rsdp, size_t rsdp_size)
{
	const struct table *root;

	if (!rsdp || rsdp_size < RSDP_SIZE_OLD ||
	    memcmp(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature)) != 0)
		return NULL;
	if (!sums_to_zero(rsdp, RSDP_SIZE_OLD))
		return NULL;
	if (rsdp->revision >= 2 && rsdp_size >= RSDP_SIZE_NEW) {
		root = table_at(rsdp->xsdt, "XSDT");
		if (root)
			return find_table(root, sizeof(u64), "APIC");
	}
	root = table_at(rsdp->rsdt, "RSDT");
	return root ? find_table(root, sizeof(u32), "APIC") : NULL;
}

unsigned acpi_processors(const void *rsdp, size_t rsdp_size, u32 *apic_ids, unsigned limit)
{
	const struct table *madt = find_madt(rsdp, rsdp_size);
	unsigned count = 0;

	if (!madt || madt->length < sizeof(*madt) + sizeof(struct madt_content))
		return 0;

	const u8 *entries = ((const struct madt_content *)madt->content)->entries;
	size_t size = madt->length - sizeof(*madt) - sizeof(struct madt_content);

	for (size_t offset = 0; offset + 2 <= size && count < limit;) {
		const struct madt_entry *entry = (const struct madt_entry *)(entries + offset);

		if (entry->length < 2 || entry->length > size - offset)
			break;
		if (entry->type == MADT_LOCAL_APIC && entry->length >= sizeof(*entry) &&
		    (entry->flags & MADT_ENABLED))
			apic_ids[count++] = entry->apic_id;
		offset += entry->length;
	}
	return count;
}
