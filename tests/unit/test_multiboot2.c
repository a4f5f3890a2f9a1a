/*
 * The reader of the multiboot2 information block (arch/x86_64/multiboot2.h). Each block is built tag by tag,
 * in memory of exactly its size, so that the sanitizer sees every byte that is read too far.
 */
/* sources: src/arch/x86_64/multiboot2.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/multiboot2.h"

#define BLOCK_MAX 8192
#define HEADER_SIZE 8

struct builder {
	u8 bytes[BLOCK_MAX];
	size_t size;
};

static struct boot_info info;
static const char *why;

static void begin(struct builder *builder)
{
	memset(builder, 0, sizeof(*builder));
	builder->size = HEADER_SIZE;
}

static void put_u32(struct builder *builder, size_t offset, u32 value)
{
	memcpy(builder->bytes + offset, &value, sizeof(value));
}

static void add_tag(struct builder *builder, u32 type, const void *content, size_t size)
{
	put_u32(builder, builder->size, type);
	put_u32(builder, builder->size + 4, (u32)(8 + size));
	if (size > 0)
		memcpy(builder->bytes + builder->size + 8, content, size);
	builder->size += (8 + size + 7) & ~(size_t)7;
}

static void add_module(struct builder *builder, u32 start, u32 end, const char *command_line)
{
	u8 content[64];

	memcpy(content, &start, 4);
	memcpy(content + 4, &end, 4);
	strcpy((char *)content + 8, command_line);
	add_tag(builder, 3, content, 8 + strlen(command_line) + 1);
}

static void add_memory_map(struct builder *builder, u32 entry_size, unsigned count)
{
	static u8 content[BLOCK_MAX / 2];

	memset(content, 0, sizeof(content));
	memcpy(content, &entry_size, 4);
	for (unsigned i = 0; i < count; i++) {
		u64 base = (u64)i << 20;
		u64 length = 0x1000;
		u32 type = 1 + i % 2;

		memcpy(content + 8 + i * entry_size, &base, 8);
		memcpy(content + 16 + i * entry_size, &length, 8);
		memcpy(content + 24 + i * entry_size, &type, 4);
	}
	add_tag(builder, 6, content, 8 + (size_t)count * entry_size);
}

static void end(struct builder *builder)
{
	add_tag(builder, 0, NULL, 0);
	put_u32(builder, 0, (u32)builder->size);
}

/* The copy that was read last; texts of `info` point into it. */
static u8 *block;

/* Reads a copy of just `size` bytes. */
static bool parse_sized(const struct builder *builder, size_t size)
{
	free(block);
	block = malloc(size ? size : 1);
	memcpy(block, builder->bytes, size);
	why = "unset";
	return multiboot2_parse(block, size, &info, &why);
}

static bool parse(const struct builder *builder)
{
	return parse_sized(builder, builder->size);
}

static int forget_block(void **state)
{
	(void)state;
	free(block);
	block = NULL;
	return 0;
}

/* Built as GRUB builds it. */
static void build_good(struct builder *builder)
{
	begin(builder);
	add_tag(builder, 1, "guests=cpuid verbose", sizeof("guests=cpuid verbose"));
	add_tag(builder, 2, "GRUB 2.06", sizeof("GRUB 2.06"));
	add_module(builder, 0x200000, 0x212345, "catalogue");
	add_module(builder, 0x300000, 0x300001, "another");
	add_memory_map(builder, 24, 3);
	add_tag(builder, 4, "\0\0\0\0\0\0\0\0", 8);
	add_tag(builder, 14, "RSD PTR old.........", 20);
	add_tag(builder, 15, "RSD PTR new.........................", 36);
	end(builder);
}

static void test_good_block(void **state)
{
	struct builder builder;

	(void)state;
	build_good(&builder);
	assert_true(parse(&builder));
	assert_string_equal(info.command_line, "guests=cpuid verbose");
	assert_string_equal(info.loader, "GRUB 2.06");
	assert_int_equal(info.module_start, 0x200000);
	assert_int_equal(info.module_end, 0x212345);
	assert_string_equal(info.module_command_line, "catalogue");
	assert_int_equal(info.memory_count, 3);
	assert_int_equal(info.memory[2].base, 2 << 20);
	assert_int_equal(info.memory[2].length, 0x1000);
	assert_int_equal(info.memory[1].type, 2);
	assert_int_equal(info.acpi_rsdp_size, 36);
	assert_memory_equal(info.acpi_rsdp, "RSD PTR new", 11);
	assert_int_equal(info.block_start, (u64)block);
	assert_int_equal(info.block_end, (u64)block + builder.size);
}

static void test_bare_block(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	end(&builder);
	assert_true(parse(&builder));
	assert_string_equal(info.command_line, "");
	assert_string_equal(info.loader, "");
	assert_string_equal(info.module_command_line, "");
	assert_int_equal(info.module_end, 0);
	assert_int_equal(info.memory_count, 0);
	assert_null(info.acpi_rsdp);
}

static void test_newer_acpi_pointer_wins_in_any_order(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	add_tag(&builder, 15, "RSD PTR new.........................", 36);
	add_tag(&builder, 14, "RSD PTR old.........", 20);
	end(&builder);
	assert_true(parse(&builder));
	assert_int_equal(info.acpi_rsdp_size, 36);
}

/* A newer loader may append to the entries. */
static void test_larger_memory_map_entries(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	add_memory_map(&builder, 40, 2);
	end(&builder);
	assert_true(parse(&builder));
	assert_int_equal(info.memory_count, 2);
	assert_int_equal(info.memory[1].base, 1 << 20);
}

static void test_more_memory_than_there_is_room_for(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	add_memory_map(&builder, 24, BOOT_MEMORY_LIMIT + 5);
	end(&builder);
	assert_true(parse(&builder));
	assert_int_equal(info.memory_count, BOOT_MEMORY_LIMIT);
}

static void test_sizes_that_cannot_be(void **state)
{
	struct builder builder;
	u32 sizes[] = {0, 4, 7, 8, 15, 0xffffffff};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin(&builder);
		end(&builder);
		put_u32(&builder, 0, sizes[i]);
		assert_false(parse(&builder));
		assert_string_not_equal(why, "unset");
	}
	begin(&builder);
	assert_false(parse_sized(&builder, 0));
	assert_false(parse_sized(&builder, 7));
}

static void test_misaligned_block(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	end(&builder);
	assert_false(multiboot2_parse(builder.bytes + 4, 16, &info, &why));
	assert_false(multiboot2_parse(NULL, 16, &info, &why));
}

static void expect_damaged(const struct builder *builder, const char *expected)
{
	assert_false(parse(builder));
	assert_string_equal(why, expected);
}

static void test_damaged_tags(void **state)
{
	struct builder builder;

	(void)state;
	begin(&builder);
	add_tag(&builder, 1, "abc", 3);
	end(&builder);
	expect_damaged(&builder, "the command line does not end inside its tag");

	begin(&builder);
	add_tag(&builder, 2, NULL, 0);
	end(&builder);
	expect_damaged(&builder, "the boot loader's name does not end inside its tag");

	begin(&builder);
	add_tag(&builder, 3, "\0\0\0\0", 4);
	end(&builder);
	expect_damaged(&builder, "a module's tag is too small");

	begin(&builder);
	add_tag(&builder, 3, "\0\0\1\0\0\0\2\0", 8);
	end(&builder);
	expect_damaged(&builder, "a module's command line does not end inside its tag");

	begin(&builder);
	add_module(&builder, 0x2000, 0x2000, "");
	end(&builder);
	expect_damaged(&builder, "a module is empty or ends before it starts");

	begin(&builder);
	add_tag(&builder, 6, "\0\0\0\0", 4);
	end(&builder);
	expect_damaged(&builder, "the memory map's tag is too small");

	begin(&builder);
	add_memory_map(&builder, 0, 0);
	end(&builder);
	expect_damaged(&builder, "the memory map's entries have a size that cannot be");

	begin(&builder);
	add_memory_map(&builder, 28, 1);
	end(&builder);
	expect_damaged(&builder, "the memory map's entries have a size that cannot be");

	begin(&builder);
	add_tag(&builder, 1, "", 1);
	put_u32(&builder, 0, (u32)builder.size);
	expect_damaged(&builder, "there is no end tag");

	begin(&builder);
	add_tag(&builder, 99, "12345678", 8);
	put_u32(&builder, HEADER_SIZE + 4, 7);
	end(&builder);
	expect_damaged(&builder, "a tag does not lie inside the block");

	begin(&builder);
	add_tag(&builder, 99, "12345678", 8);
	put_u32(&builder, HEADER_SIZE + 4, 0xffffffff);
	end(&builder);
	expect_damaged(&builder, "a tag does not lie inside the block");
}

/* A block that is cut anywhere is damaged, and reading it touches nothing behind the cut. */
static void test_every_cut(void **state)
{
	struct builder builder;

	(void)state;
	build_good(&builder);
	for (size_t size = 0; size < builder.size; size++) {
		assert_false(parse_sized(&builder, size));
		if (size >= HEADER_SIZE) {
			put_u32(&builder, 0, (u32)size);
			assert_false(parse_sized(&builder, size));
			put_u32(&builder, 0, (u32)builder.size);
		}
	}
}

static void check_inside(const char *text)
{
	const u8 *start = (const u8 *)text;

	if (*text)
		assert_true(start >= block && (u64)start + strlen(text) < info.block_end);
}

/* Whatever stands in the block: the reader comes back, and what it believes lies inside. */
static void test_random_damage(void **state)
{
	struct builder good;
	struct builder builder;

	(void)state;
	srand(1);
	build_good(&good);
	for (unsigned i = 0; i < 20000; i++) {
		builder = good;
		for (int changes = 1 + rand() % 4; changes > 0; changes--)
			builder.bytes[(size_t)rand() % builder.size] = (u8)rand();
		if (!parse(&builder))
			continue;
		check_inside(info.command_line);
		check_inside(info.loader);
		check_inside(info.module_command_line);
		assert_in_range(info.memory_count, 0, BOOT_MEMORY_LIMIT);
		if (info.acpi_rsdp)
			assert_true((u64)info.acpi_rsdp + info.acpi_rsdp_size <= info.block_end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_block),
		cmocka_unit_test(test_bare_block),
		cmocka_unit_test(test_newer_acpi_pointer_wins_in_any_order),
		cmocka_unit_test(test_larger_memory_map_entries),
		cmocka_unit_test(test_more_memory_than_there_is_room_for),
		cmocka_unit_test(test_sizes_that_cannot_be),
		cmocka_unit_test(test_misaligned_block),
		cmocka_unit_test(test_damaged_tags),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, forget_block);
}
