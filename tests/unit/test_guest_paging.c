/*
 * The walk of the guest's own paging (vmx/guest_paging.h) in every mode, with page sizes, rights and error
 * codes.
 */
/* sources: src/vmx/guest_paging.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "vmx/guest_paging.h"

#define P BIT(0)
#define W BIT(1)
#define U BIT(2)
#define A BIT(5)
#define D BIT(6)
#define PS BIT(7)
#define XD BIT(63)
#define RIGHTS (P | W | U)

#define MEMORY_SIZE 0x8000

static u8 memory[MEMORY_SIZE];

static bool read_memory(void *context, u64 address, void *value, size_t size)
{
	assert_ptr_equal(context, memory);
	assert_int_equal(address % size, 0);
	if (address > MEMORY_SIZE - size)
		return false;
	memcpy(value, memory + address, size);
	return true;
}

static void write_memory(void *context, u64 address, const void *value, size_t size)
{
	assert_ptr_equal(context, memory);
	assert_int_equal(address % size, 0);
	assert_in_range(address, 0, MEMORY_SIZE - size);
	memcpy(memory + address, value, size);
}

static u64 get(u64 address, size_t size)
{
	u64 entry = 0;

	memcpy(&entry, memory + address, size);
	return entry;
}

static void set(u64 address, u64 entry, size_t size)
{
	memcpy(memory + address, &entry, size);
}

static struct guest_paging paging(u64 cr0, u64 cr4, u64 efer)
{
	memset(memory, 0, sizeof(memory));
	return (struct guest_paging){
		.cr0 = cr0,
		.cr3 = 0x1000,
		.cr4 = cr4,
		.efer = efer,
		.physical_bits = 52,
		.has_1g_pages = true,
		.read = read_memory,
		.write = write_memory,
		.context = memory,
	};
}

/* Tables at 1000H, 2000H and so on, one a level, that map a linear address to this page. */
#define LEAF 0x5000ull

static struct guest_paging four_level(u64 linear)
{
	struct guest_paging result =
		paging(CR0_PE | CR0_PG | CR0_WP, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);

	set(0x1000 + 8 * (linear >> 39 & 511), 0x2000 | RIGHTS, 8);
	set(0x2000 + 8 * (linear >> 30 & 511), 0x3000 | RIGHTS, 8);
	set(0x3000 + 8 * (linear >> 21 & 511), 0x4000 | RIGHTS, 8);
	set(0x4000 + 8 * (linear >> 12 & 511), LEAF | RIGHTS, 8);
	return result;
}

static struct guest_paging pae(u64 linear)
{
	struct guest_paging result = paging(CR0_PE | CR0_PG | CR0_WP, CR4_PAE, EFER_NXE);

	result.cr3 = 0x1020;
	set(0x1020 + 8 * (linear >> 30 & 3), 0x3000 | P, 8);
	set(0x3000 + 8 * (linear >> 21 & 511), 0x4000 | RIGHTS, 8);
	set(0x4000 + 8 * (linear >> 12 & 511), LEAF | RIGHTS, 8);
	return result;
}

static struct guest_paging legacy(u64 linear)
{
	struct guest_paging result = paging(CR0_PE | CR0_PG | CR0_WP, CR4_PSE, 0);

	set(0x1000 + 4 * (linear >> 22 & 1023), 0x4000 | RIGHTS, 4);
	set(0x4000 + 4 * (linear >> 12 & 1023), LEAF | RIGHTS, 4);
	return result;
}

static void assert_maps(const struct guest_paging *paging, u64 linear, enum guest_access access, u64 expected)
{
	u64 physical = 0;
	u32 error_code = 0;

	assert_int_equal(guest_translate(paging, linear, access, &physical, &error_code), GUEST_TRANSLATED);
	assert_int_equal(physical, expected);
}

static void assert_faults(const struct guest_paging *paging, u64 linear, enum guest_access access,
			  u32 expected)
{
	u64 physical = 0;
	u32 error_code = ~0u;

	assert_int_equal(guest_translate(paging, linear, access, &physical, &error_code), GUEST_PAGE_FAULT);
	assert_int_equal(error_code, expected);
}

static void test_no_paging(void **state)
{
	struct guest_paging off = paging(CR0_PE, 0, 0);

	(void)state;
	assert_maps(&off, 0x1234, GUEST_WRITE, 0x1234);
	assert_maps(&off, 0x100001234, GUEST_LOOK, 0x1234); /* linear addresses have 32 bits */
}

static void test_small_pages_of_each_mode(void **state)
{
	static const u64 linears[] = {0,	  0x12345678,	      0x7fc00abc,
				      0xffffffff, 0x00007fffffffffff, 0xffff800000000123};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(linears); i++) {
		u64 linear = linears[i];
		u64 expected = LEAF | (linear & 4095);
		struct guest_paging mode = four_level(linear);

		assert_maps(&mode, linear, GUEST_WRITE, expected);
		assert_faults(&mode, linear ^ 0x1000, GUEST_READ, 0);
		assert_faults(&mode, linear ^ BIT(39), GUEST_READ, 0);
		mode = pae((u32)linear);
		assert_maps(&mode, linear, GUEST_WRITE, expected); /* bits 63:32 do not take part */
		assert_faults(&mode, linear ^ 0x40000000, GUEST_READ, 0);
		mode = legacy((u32)linear);
		assert_maps(&mode, linear, GUEST_WRITE, expected);
		assert_faults(&mode, linear ^ 0x400000, GUEST_READ, 0);
	}
}

/* The low bits of CR3 (PWT, PCD, PCID) are no part of the address. */
static void test_root(void **state)
{
	struct guest_paging mode = four_level(0);

	(void)state;
	mode.cr3 = 0x1fff;
	assert_maps(&mode, 5, GUEST_READ, LEAF | 5);
	mode = legacy(0);
	mode.cr3 = 0x1018;
	assert_maps(&mode, 5, GUEST_READ, LEAF | 5);
	mode = pae(0);
	mode.cr3 = 0x1038;
	assert_maps(&mode, 5, GUEST_READ, LEAF | 5);
}

static void test_large_pages(void **state)
{
	u64 linear = 0x7f5555555678;
	struct guest_paging mode = four_level(linear);

	(void)state;
	set(0x3000 + 8 * (linear >> 21 & 511), 0x12a00000 | BIT(12) | PS | RIGHTS, 8); /* bit 12 is PAT */
	assert_maps(&mode, linear, GUEST_READ, 0x12a00000 | (linear & 0x1fffff));
	set(0x2000 + 8 * (linear >> 30 & 511), 0x7f40000000 | PS | RIGHTS, 8);
	assert_maps(&mode, linear, GUEST_READ, 0x7f40000000 | (linear & 0x3fffffff));
	mode = pae(0x12345678);
	set(0x3000 + 8 * (0x12345678 >> 21), 0x12a00000 | PS | RIGHTS, 8);
	assert_maps(&mode, 0x12345678, GUEST_READ, 0x12a00000 | (0x12345678 & 0x1fffff));
}

/* SDM, "32-Bit Paging": 4 MiB pages need CR4.PSE, and with PSE-36 they reach 40 bits. */
static void test_4_mib_pages(void **state)
{
	struct guest_paging mode = legacy(0x12345678);

	(void)state;
	set(0x1000 + 4 * (0x12345678 >> 22), 0x08c00000 | BIT(12) | PS | RIGHTS, 4);
	assert_maps(&mode, 0x12345678, GUEST_READ, 0x08c00000 | (0x12345678 & 0x3fffff));
	set(0x1000 + 4 * (0x12345678 >> 22), 0x08c00000 | 0xa5u << 13 | PS | RIGHTS, 4);
	assert_maps(&mode, 0x12345678, GUEST_READ, 0xa508c00000 | (0x12345678 & 0x3fffff));
	/* Without CR4.PSE the bit means nothing. */
	mode = legacy(0x12345678);
	mode.cr4 = 0;
	set(0x1000 + 4 * (0x12345678 >> 22), 0x4000 | PS | RIGHTS, 4);
	assert_maps(&mode, 0x12345678, GUEST_READ, LEAF | 0x678);
}

/* SDM, "Page-Fault Exceptions": the error code of an access to a page that is not there. */
static void test_not_present(void **state)
{
	(void)state;
	for (unsigned level = 1; level <= 4; level++) {
		struct guest_paging mode = four_level(0);

		set(level * 0x1000, W | U, 8);
		assert_faults(&mode, 0, GUEST_READ, 0);
		assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_WRITE);
		assert_faults(&mode, 0, GUEST_LOOK, 0);
		mode.user = true;
		assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_WRITE | PAGE_FAULT_USER);
	}
}

/* SDM, "Determination of Access Rights": every level has a say, but for the PDPTEs of PAE paging. */
static void test_rights(void **state)
{
	(void)state;
	for (unsigned level = 1; level <= 4; level++) {
		struct guest_paging mode = four_level(0);
		u64 next = level == 4 ? LEAF : (level + 1) * 0x1000;

		set(level * 0x1000, next | P | U, 8);
		assert_maps(&mode, 0, GUEST_READ, LEAF);
		assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
		mode.cr0 &= ~CR0_WP;
		assert_maps(&mode, 0, GUEST_WRITE, LEAF);
		mode.user = true; /* CR0.WP is for supervisors only */
		assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER);

		mode = four_level(0);
		set(level * 0x1000, next | P | W, 8);
		assert_maps(&mode, 0, GUEST_WRITE, LEAF);
		mode.user = true;
		assert_faults(&mode, 0, GUEST_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_USER);

		mode = four_level(0);
		set(level * 0x1000, next | RIGHTS | XD, 8);
		assert_maps(&mode, 0, GUEST_WRITE, LEAF);
		assert_maps(&mode, 0, GUEST_LOOK, LEAF);
	}

	struct guest_paging mode = pae(0);

	mode.user = true; /* the PDPTE has neither W nor U */
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
}

/* SDM, "Determination of Access Rights": SMAP keeps the supervisor off user pages, but for RFLAGS.AC. */
static void test_supervisor_mode_access_prevention(void **state)
{
	struct guest_paging mode = four_level(0);

	(void)state;
	mode.cr4 |= CR4_SMAP | CR4_SMEP; /* SMEP is about fetches only */
	assert_faults(&mode, 0, GUEST_READ, PAGE_FAULT_PRESENT);
	assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
	mode.ac = true;
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
	mode.ac = false;
	mode.user = true;
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
	mode = four_level(0); /* one level without the user flag makes it a supervisor page */
	mode.cr4 |= CR4_SMAP;
	set(0x2000, 0x3000 | P | W, 8);
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
}

/* What the hypervisor looks at needs no right, and gets no flag. */
static void test_look(void **state)
{
	struct guest_paging mode = four_level(0);

	(void)state;
	mode.cr4 |= CR4_SMAP;
	set(0x4000, LEAF | P | U | XD, 8);
	assert_maps(&mode, 0, GUEST_LOOK, LEAF);
	set(0x4000, LEAF | P | XD, 8);
	mode.user = true;
	assert_maps(&mode, 0, GUEST_LOOK, LEAF);
	assert_int_equal(get(0x4000, 8), LEAF | P | XD);
	assert_int_equal(get(0x1000, 8), 0x2000 | RIGHTS);
}

static void assert_reserved(const struct guest_paging *mode, u64 address, u64 bit, size_t size)
{
	u64 entry = get(address, size);

	set(address, entry | bit, size);
	assert_faults(mode, 0, GUEST_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
	set(address, entry & ~P, size); /* an entry that is not present has none */
	assert_faults(mode, 0, GUEST_READ, 0);
	set(address, entry, size);
	assert_maps(mode, 0, GUEST_READ, LEAF);
}

/* SDM, "4-Level Paging and 5-Level Paging", "PAE Paging", "32-Bit Paging": bits that must be 0. */
static void test_reserved_bits(void **state)
{
	struct guest_paging mode = four_level(0);

	(void)state;
	mode.physical_bits = 39;
	for (u64 table = 0x1000; table <= 0x4000; table += 0x1000) {
		mode.efer |= EFER_NXE;
		assert_reserved(&mode, table, BIT(39), 8);
		assert_reserved(&mode, table, BIT(51), 8);
		set(table, get(table, 8) | BIT(52), 8); /* ignored */
		assert_maps(&mode, 0, GUEST_READ, LEAF);
		mode.efer &= ~EFER_NXE;
		assert_reserved(&mode, table, XD, 8);
	}
	assert_reserved(&mode, 0x1000, PS, 8);
	mode.has_1g_pages = false;
	assert_reserved(&mode, 0x2000, PS, 8);
	set(0x3000, BIT(13) | PS | RIGHTS, 8);
	assert_faults(&mode, 0, GUEST_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);

	mode = pae(0);
	assert_reserved(&mode, 0x1020, W, 8);
	assert_reserved(&mode, 0x1020, BIT(8), 8);
	assert_reserved(&mode, 0x1020, XD, 8);
	assert_reserved(&mode, 0x3000, BIT(62), 8);
	assert_reserved(&mode, 0x4000, BIT(52), 8);

	mode = legacy(0);
	set(0x1000, BIT(21) | PS | RIGHTS, 4);
	assert_faults(&mode, 0, GUEST_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
	mode.physical_bits = 36;
	set(0x1000, BIT(16) | PS | RIGHTS, 4);
	assert_maps(&mode, 0, GUEST_READ, 0x800000000);
	set(0x1000, BIT(17) | PS | RIGHTS, 4);
	assert_faults(&mode, 0, GUEST_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
}

/* SDM, "Accessed and Dirty Flags": none when the access faults. */
static void test_accessed_and_dirty(void **state)
{
	struct guest_paging mode = four_level(0);

	(void)state;
	set(0x4000, LEAF | P, 8);
	assert_faults(&mode, 0, GUEST_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
	assert_int_equal(get(0x4000, 8), LEAF | P);
	assert_maps(&mode, 0, GUEST_READ, LEAF);
	assert_int_equal(get(0x4000, 8), LEAF | P | A);
	set(0x4000, LEAF | RIGHTS, 8);
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
	assert_int_equal(get(0x4000, 8), LEAF | RIGHTS | A | D);
	for (u64 table = 0x1000; table <= 0x3000; table += 0x1000)
		assert_int_equal(get(table, 8), (table + 0x1000) | RIGHTS | A);

	mode = pae(0);
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
	assert_int_equal(get(0x1020, 8), 0x3000 | P); /* PDPTEs of PAE paging have no flags */
	assert_int_equal(get(0x3000, 8), 0x4000 | RIGHTS | A);
	assert_int_equal(get(0x4000, 8), LEAF | RIGHTS | A | D);

	mode = legacy(0);
	set(0x4004, 0x12345678, 4); /* the entry beside it stays whole */
	assert_maps(&mode, 0, GUEST_WRITE, LEAF);
	assert_int_equal(get(0x1000, 4), 0x4000 | RIGHTS | A);
	assert_int_equal(get(0x4000, 4), LEAF | RIGHTS | A | D);
	assert_int_equal(get(0x4004, 4), 0x12345678);
}

static void test_tables_outside_memory(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 4; level++) {
		struct guest_paging mode = four_level(0);
		u64 physical;
		u32 error_code;

		if (level == 0)
			mode.cr3 = MEMORY_SIZE;
		else
			set(level * 0x1000, 0x000ffffffffff000 | RIGHTS, 8);
		assert_int_equal(guest_translate(&mode, 0, GUEST_READ, &physical, &error_code),
				 GUEST_TABLE_UNREADABLE);
	}
}

/* Any tables at all: the walk ends, and never faults with what it did not report. */
static void test_random_tables(void **state)
{
	(void)state;
	srand(8);
	for (unsigned i = 0; i < 300; i++) {
		struct guest_paging mode = paging(CR0_PE | CR0_PG, (u64)rand() & (CR4_PAE | CR4_PSE), 0);
		enum guest_access access = (enum guest_access)(rand() % 3);
		u64 physical = 0;
		u32 error_code = 0;

		if (rand() % 2)
			mode.efer = EFER_LMA;
		for (unsigned j = 0; j < MEMORY_SIZE; j += 8)
			set(j, (u64)(rand() % 10) << 12 | ((u64)rand() & 0x87) | P, 8);
		mode.user = rand() % 2;

		u64 linear = (u64)rand() << 20 | (u64)rand();

		if (guest_translate(&mode, linear, access, &physical, &error_code) == GUEST_PAGE_FAULT)
			assert_int_equal(error_code & PAGE_FAULT_USER, mode.user ? PAGE_FAULT_USER : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging),
		cmocka_unit_test(test_small_pages_of_each_mode),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_4_mib_pages),
		cmocka_unit_test(test_not_present),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_tables_outside_memory),
		cmocka_unit_test(test_random_tables),
		cmocka_unit_test(test_supervisor_mode_access_prevention),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_accessed_and_dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
