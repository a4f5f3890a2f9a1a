/*
 * Reads the multiboot2 information block: a size, then tags of eight-byte alignment until the end tag
 * (Multiboot2 Specification, "Boot information format"). Each tag's reader sees a tag that lies wholly inside
 * the block.
 */
#include "arch/x86_64/multiboot2.h"
#include "lib/string.h"

#define TAG_ALIGNMENT 8

enum tag_type {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_LOADER_NAME = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
};

struct block_header {
	u32 total_size;
	u32 reserved;
};

struct tag {
	u32 type;
	u32 size; /* with these eight bytes, without the padding behind it */
	u8 content[];
};

struct module_content {
	u32 start;
	u32 end;
	char command_line[];
};

struct memory_map_content {
	u32 entry_size;
	u32 entry_version;
	u8 entries[];
};

struct memory_map_entry {
	u64 base;
	u64 length;
	u32 type;
	u32 reserved;
};

static size_t content_size(const struct tag *tag)
{
	return tag->size - sizeof(*tag);
}

/* The text at offset in the tag's content; NULL when it does not end inside the tag. */
static const char *text_at(const struct tag *tag, size_t offset)
{
	for (size_t i = offset; i < content_size(tag); i++) {
		if (!tag->content[i])
			return (const char *)tag->content + offset;
	}
	return NULL;
}

static const char *read_command_line(const struct tag *tag, struct boot_info *info)
{
	const char *text = text_at(tag, 0);

	if (!text)
		return "the command line does not end inside its tag";
	info->command_line = text;
	return NULL;
}

static const char *read_loader_name(const struct tag *tag, struct boot_info *info)
{
	const char *text = text_at(tag, 0);

	if (!text)
		return "the boot loader's name does not end inside its tag";
	info->loader = text;
	return NULL;
}

static const char *read_module(const struct tag *tag, struct boot_info *info)
{
	const struct module_content *module = (const void *)tag->content;

	if (info->module_end != 0)
		return NULL;
	if (content_size(tag) < sizeof(*module))
		return "a module's tag is too small";
	if (module->end <= module->start)
		return "a module is empty or ends before it starts";

	const char *text = text_at(tag, sizeof(*module));

	if (!text)
		return "a module's command line does not end inside its tag";
	info->module_start = module->start;
	info->module_end = module->end;
	info->module_command_line = text;
	return NULL;
}

static const char *read_memory_map(const struct tag *tag, struct boot_info *info)
{
	const struct memory_map_content *map = (const void *)tag->content;

	if (content_size(tag) < sizeof(*map))
		return "the memory map's tag is too small";
	if (map->entry_size < sizeof(struct memory_map_entry) || map->entry_size % TAG_ALIGNMENT != 0)
		return "the memory map's entries have a size that cannot be";

	size_t size = content_size(tag) - sizeof(*map);

	for (size_t offset = 0; offset + sizeof(struct memory_map_entry) <= size; offset += map->entry_size) {
		const struct memory_map_entry *entry = (const void *)(map->entries + offset);

		if (info->memory_count == BOOT_MEMORY_LIMIT)
			break;
		info->memory[info->memory_count++] = (struct boot_memory){
			.base = entry->base,
			.length = entry->length,
			.type = entry->type,
		};
	}
	return NULL;
}

static const char *read_acpi_old(const struct tag *tag, struct boot_info *info)
{
	if (info->acpi_rsdp)
		return NULL;
	info->acpi_rsdp = tag->content;
	info->acpi_rsdp_size = content_size(tag);
	return NULL;
}

static const char *read_acpi_new(const struct tag *tag, struct boot_info *info)
{
	info->acpi_rsdp = tag->content;
	info->acpi_rsdp_size = content_size(tag);
	return NULL;
}

/* A reader returns what is wrong with its tag, NULL when nothing is. Tags without one are passed over. */
static const char *(*const readers[])(const struct tag *tag, struct boot_info *info) = {
	[TAG_COMMAND_LINE] = read_command_line,
	[TAG_LOADER_NAME] = read_loader_name,
	[TAG_MODULE] = read_module,
	[TAG_MEMORY_MAP] = read_memory_map,
	[TAG_ACPI_OLD] = read_acpi_old,
	[TAG_ACPI_NEW] = read_acpi_new,
};

static const char *read_tags(const u8 *block, size_t size, struct boot_info *info)
{
	size_t offset = sizeof(struct block_header);

	for (;;) {
		const struct tag *tag = (const void *)(block + offset);

		if (size - offset < sizeof(*tag))
			return "there is no end tag";
		if (tag->size < sizeof(*tag) || tag->size > size - offset)
			return "a tag does not lie inside the block";
		if (tag->type == TAG_END)
			return NULL;

		const char *wrong = tag->type < ARRAY_SIZE(readers) && readers[tag->type]
					    ? readers[tag->type](tag, info)
					    : NULL;

		if (wrong)
			return wrong;
		offset += ((size_t)tag->size + TAG_ALIGNMENT - 1) & ~(size_t)(TAG_ALIGNMENT - 1);
		if (offset > size)
			return "there is no end tag";
	}
}

bool multiboot2_parse(const void *block, size_t limit, struct boot_info *info, const char **why)
{
	const struct block_header *header = block;

	*info = (struct boot_info){.command_line = "", .loader = "", .module_command_line = ""};
	if ((uptr)block % TAG_ALIGNMENT != 0 || !block) {
		*why = "the block is not aligned to 8 bytes";
		return false;
	}
	if (limit < sizeof(*header) || header->total_size < sizeof(*header) || header->total_size > limit) {
		*why = "the block's size cannot be";
		return false;
	}
	info->block_start = (u64)block;
	info->block_end = info->block_start + header->total_size;
	*why = read_tags(block, header->total_size, info);
	return !*why;
}
