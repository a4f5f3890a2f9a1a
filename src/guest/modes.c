/*
 * One row of `modes` says how a mode looks; the functions below turn it into tables and VMCS fields. Page
 * tables map the first 2 MiB one to one; without EPT they map just the guest's memory, to where the host
 * keeps it.
 */
#include "guest/modes.h"
#include "arch/x86_64/registers.h"
#include "guest/layout.h"
#include "lib/string.h"

/* Segment access rights, as in bits 8 to 23 of a descriptor (SDM, "Guest Register State"). */
#define RIGHTS_CODE 0x9b /* present, code, readable, accessed */
#define RIGHTS_DATA 0x93 /* present, data, writable, accessed */
#define RIGHTS_TSS_BUSY 0x8b
#define RIGHTS_RING3 0x60
#define RIGHTS_L 0x2000	 /* 64-bit code */
#define RIGHTS_DB 0x4000 /* 32-bit */
#define RIGHTS_G 0x8000	 /* limit in pages */
#define RIGHTS_UNUSABLE 0x10000

#define LIMIT_4G 0xffffffff
#define LIMIT_64K 0xffff
#define TSS_LIMIT 103
#define GDT_ENTRIES 11

#define PTE_PRESENT 1ull
#define PTE_WRITABLE 2ull
#define PTE_USER 4ull
#define PTE_TABLE (PTE_PRESENT | PTE_WRITABLE | PTE_USER)
#define MAPPED_BYTES 0x200000
#define PAGE_BYTES 4096

enum paging { PAGING_NONE, PAGING_32BIT, PAGING_PAE, PAGING_4LEVEL };

static const struct mode_row {
	const char *name;
	enum paging paging;
	u64 cr0;
	u64 cr4;
	u64 efer;
	u16 code; /* selector in ring 0 */
	u16 code_ring3;
	u16 data;
	u32 code_rights;
	u32 data_rights;
	u32 limit;
} modes[MODE_COUNT] = {
	[MODE_REAL16] = {.name = "REAL16",
			 .code_rights = RIGHTS_CODE,
			 .data_rights = RIGHTS_DATA,
			 .limit = LIMIT_64K},
	[MODE_PROT32] = {.name = "PROT32",
			 .cr0 = CR0_PE,
			 .code = GUEST_CS32,
			 .code_ring3 = GUEST_CS32_RING3,
			 .data = GUEST_DS,
			 .code_rights = RIGHTS_CODE | RIGHTS_DB | RIGHTS_G,
			 .data_rights = RIGHTS_DATA | RIGHTS_DB | RIGHTS_G,
			 .limit = LIMIT_4G},
	[MODE_PAGED32] = {.name = "PAGED32",
			  .paging = PAGING_32BIT,
			  .cr0 = CR0_PE | CR0_PG,
			  .code = GUEST_CS32,
			  .code_ring3 = GUEST_CS32_RING3,
			  .data = GUEST_DS,
			  .code_rights = RIGHTS_CODE | RIGHTS_DB | RIGHTS_G,
			  .data_rights = RIGHTS_DATA | RIGHTS_DB | RIGHTS_G,
			  .limit = LIMIT_4G},
	[MODE_PAE32] = {.name = "PAE32",
			.paging = PAGING_PAE,
			.cr0 = CR0_PE | CR0_PG,
			.cr4 = CR4_PAE,
			.code = GUEST_CS32,
			.code_ring3 = GUEST_CS32_RING3,
			.data = GUEST_DS,
			.code_rights = RIGHTS_CODE | RIGHTS_DB | RIGHTS_G,
			.data_rights = RIGHTS_DATA | RIGHTS_DB | RIGHTS_G,
			.limit = LIMIT_4G},
	[MODE_COMPAT32] = {.name = "COMPAT32",
			   .paging = PAGING_4LEVEL,
			   .cr0 = CR0_PE | CR0_PG,
			   .cr4 = CR4_PAE,
			   .efer = EFER_LME | EFER_LMA,
			   .code = GUEST_CS32,
			   .code_ring3 = GUEST_CS32_RING3,
			   .data = GUEST_DS,
			   .code_rights = RIGHTS_CODE | RIGHTS_DB | RIGHTS_G,
			   .data_rights = RIGHTS_DATA | RIGHTS_DB | RIGHTS_G,
			   .limit = LIMIT_4G},
	[MODE_LONG64] = {.name = "LONG64",
			 .paging = PAGING_4LEVEL,
			 .cr0 = CR0_PE | CR0_PG,
			 .cr4 = CR4_PAE,
			 .efer = EFER_LME | EFER_LMA,
			 .code = GUEST_CS64,
			 .code_ring3 = GUEST_CS64_RING3,
			 .data = GUEST_DS,
			 .code_rights = RIGHTS_CODE | RIGHTS_L | RIGHTS_G,
			 .data_rights = RIGHTS_DATA | RIGHTS_DB | RIGHTS_G,
			 .limit = LIMIT_4G},
};

const char *mode_name(enum mode mode)
{
	return modes[mode].name;
}

static bool need(struct vcpu *vcpu, enum control control, const char **missing)
{
	*missing = control_name(control);
	return control_change(&vcpu->controls, vcpu->capability, control, true);
}

bool mode_need_controls(enum mode mode, struct vcpu *vcpu, const char **missing)
{
	const struct mode_row *row = &modes[mode];

	if (row->paging == PAGING_NONE && !need(vcpu, CONTROL_UNRESTRICTED_GUEST, missing))
		return false;
	return !(row->efer & EFER_LMA) || need(vcpu, CONTROL_IA32E_MODE_GUEST, missing);
}

static void *at(struct vcpu *vcpu, u64 address)
{
	return vcpu->memory.base + address;
}

/* A segment descriptor with base 0 and the whole 4 GiB, or 64 KiB without RIGHTS_G. */
static u64 flat_descriptor(u32 rights)
{
	u64 limit_high = rights & RIGHTS_G ? 0xf : 0;

	return 0xffff | (u64)(rights & 0xf0ff) << 40 | limit_high << 48;
}

static void fill_gdt(struct vcpu *vcpu, bool long_mode)
{
	u64 *gdt = at(vcpu, GUEST_GDT);
	u64 tss = GUEST_TSS;

	gdt[GUEST_CS64 / 8] = flat_descriptor(RIGHTS_CODE | RIGHTS_L | RIGHTS_G);
	gdt[GUEST_CS32 / 8] = flat_descriptor(RIGHTS_CODE | RIGHTS_DB | RIGHTS_G);
	gdt[GUEST_CS16 / 8] = flat_descriptor(RIGHTS_CODE);
	gdt[GUEST_DS / 8] = flat_descriptor(RIGHTS_DATA | RIGHTS_DB | RIGHTS_G);
	gdt[GUEST_DS16 / 8] = flat_descriptor(RIGHTS_DATA);
	gdt[GUEST_CS64_RING3 / 8] = flat_descriptor(RIGHTS_CODE | RIGHTS_L | RIGHTS_G | RIGHTS_RING3);
	gdt[GUEST_CS32_RING3 / 8] = flat_descriptor(RIGHTS_CODE | RIGHTS_DB | RIGHTS_G | RIGHTS_RING3);
	gdt[GUEST_DS_RING3 / 8] = flat_descriptor(RIGHTS_DATA | RIGHTS_DB | RIGHTS_G | RIGHTS_RING3);
	gdt[GUEST_TR / 8] = TSS_LIMIT | (tss & 0xffffff) << 16 | (u64)RIGHTS_TSS_BUSY << 40;

	/* SDM, "Task-State Segment (TSS)", "... in 64-bit Mode": the ring 0 stack, and no I/O permission
	 * bitmap. */
	u8 *state = at(vcpu, GUEST_TSS);
	u64 stack = GUEST_STACK_RING0;
	u32 stack_selector = GUEST_DS;
	u16 bitmap = TSS_LIMIT + 1;

	memcpy(state + 4, &stack, sizeof(stack));
	if (!long_mode)
		memcpy(state + 8, &stack_selector, sizeof(stack_selector));
	memcpy(state + 102, &bitmap, sizeof(bitmap));
}

u64 mode_mapped_bytes(enum mode mode, const struct vcpu *vcpu)
{
	if (modes[mode].paging == PAGING_NONE)
		return 0;
	return vcpu->memory.has_ept ? MAPPED_BYTES : GUEST_MEMORY_SIZE;
}

static void fill_last_level(struct vcpu *vcpu, bool wide, u64 mapped_bytes)
{
	u64 entry = guest_memory_physical(&vcpu->memory, 0) | PTE_TABLE;
	u64 count = mapped_bytes / PAGE_BYTES;
	u64 *wide_entries = at(vcpu, GUEST_PT);
	u32 *narrow_entries = at(vcpu, GUEST_PT);

	for (u64 i = 0; wide && i < count; i++)
		wide_entries[i] = entry + i * PAGE_BYTES;
	for (u64 i = 0; !wide && i < count; i++)
		narrow_entries[i] = (u32)(entry + i * PAGE_BYTES);
}

static void fill_page_tables(struct vcpu *vcpu, enum paging paging, u64 mapped_bytes)
{
	bool wide = paging != PAGING_32BIT;

	fill_last_level(vcpu, wide, mapped_bytes);

	u64 table = guest_memory_physical(&vcpu->memory, GUEST_PT) | PTE_TABLE;
	u64 directory = guest_memory_physical(&vcpu->memory, GUEST_PD) | PTE_TABLE;
	u64 pointers = guest_memory_physical(&vcpu->memory, GUEST_PDPT) | PTE_TABLE;

	if (!wide) {
		*(u32 *)at(vcpu, GUEST_PD) = (u32)table;
		return;
	}
	*(u64 *)at(vcpu, GUEST_PD) = table;
	if (paging == PAGING_PAE) {
		/* A PDPTE of PAE paging has no rights, only "present". */
		*(u64 *)at(vcpu, GUEST_PDPT) = (directory & ~PTE_TABLE) | PTE_PRESENT;
		return;
	}
	*(u64 *)at(vcpu, GUEST_PDPT) = directory;
	*(u64 *)at(vcpu, GUEST_PML4) = pointers;
}

static u64 root_table(enum paging paging)
{
	switch (paging) {
	case PAGING_32BIT:
		return GUEST_PD;
	case PAGING_PAE:
		return GUEST_PDPT;
	case PAGING_4LEVEL:
		return GUEST_PML4;
	case PAGING_NONE:
		break;
	}
	return 0;
}

static void write_segment(enum vmcs_field selector_field, u16 selector, u64 base, u32 limit, u32 rights)
{
	/* The four fields of a segment stand at the same distance from each other for every segment. */
	unsigned segment = selector_field - VMCS_GUEST_ES_SELECTOR;

	vmcs_write(selector_field, selector);
	vmcs_write(VMCS_GUEST_ES_BASE + segment, base);
	vmcs_write(VMCS_GUEST_ES_LIMIT + segment, limit);
	vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + segment, rights);
}

static void write_segments(const struct mode_row *row, unsigned ring)
{
	u32 ring_rights = ring == 3 ? RIGHTS_RING3 : 0;
	u16 data = ring == 3 ? GUEST_DS_RING3 : row->data;

	write_segment(VMCS_GUEST_CS_SELECTOR, ring == 3 ? row->code_ring3 : row->code, 0, row->limit,
		      row->code_rights | ring_rights);
	write_segment(VMCS_GUEST_SS_SELECTOR, data, 0, row->limit, row->data_rights | ring_rights);
	write_segment(VMCS_GUEST_DS_SELECTOR, data, 0, row->limit, row->data_rights | ring_rights);
	write_segment(VMCS_GUEST_ES_SELECTOR, data, 0, row->limit, row->data_rights | ring_rights);
	write_segment(VMCS_GUEST_FS_SELECTOR, data, 0, row->limit, row->data_rights | ring_rights);
	write_segment(VMCS_GUEST_GS_SELECTOR, data, 0, row->limit, row->data_rights | ring_rights);
	write_segment(VMCS_GUEST_LDTR_SELECTOR, 0, 0, 0, RIGHTS_UNUSABLE);
	write_segment(VMCS_GUEST_TR_SELECTOR, row->cr0 & CR0_PE ? GUEST_TR : 0, GUEST_TSS, TSS_LIMIT,
		      RIGHTS_TSS_BUSY);
}

/*
 * The guest's own view of CR0 and CR4 stands in the read shadows. The host owns the bits that VMX fixes; CD
 * and NW, which VM entry does not load, so that only the shadow can hold them (SDM, "Loading Guest Control
 * Registers, Debug Registers, and MSRs"); and LA57, because the walk of the guest's tables does not know
 * 5-level paging.
 */
static void write_control_registers(const struct mode_row *row, struct vcpu *vcpu)
{
	struct vcpu_limits limits = vcpu_limits(vcpu);
	u64 cr0 = row->cr0 | CR0_ET | CR0_NE;
	u64 root = root_table(row->paging);

	vmcs_write(VMCS_GUEST_CR0, cr0 | limits.cr0_must_be_1);
	vmcs_write(VMCS_CR0_READ_SHADOW, cr0);
	vmcs_write(VMCS_CR0_GUEST_HOST_MASK, limits.cr0_must_be_1 | CR0_CD | CR0_NW);
	vmcs_write(VMCS_GUEST_CR4, row->cr4 | limits.cr4_must_be_1);
	vmcs_write(VMCS_CR4_READ_SHADOW, row->cr4);
	vmcs_write(VMCS_CR4_GUEST_HOST_MASK, limits.cr4_must_be_1 | CR4_LA57);
	if (vmcs_has(VMCS_GUEST_EFER))
		vmcs_write(VMCS_GUEST_EFER, row->efer);
	if (row->paging == PAGING_NONE)
		return;
	vmcs_write(VMCS_GUEST_CR3, guest_memory_physical(&vcpu->memory, root));
	if (row->paging == PAGING_PAE && vcpu->memory.has_ept)
		vmcs_write(VMCS_GUEST_PDPTE0, *(u64 *)at(vcpu, GUEST_PDPT));
}

void mode_set_up(enum mode mode, unsigned ring, struct vcpu *vcpu)
{
	const struct mode_row *row = &modes[mode];
	bool protected_mode = row->cr0 & CR0_PE;

	if (protected_mode)
		fill_gdt(vcpu, row->efer & EFER_LMA);
	if (row->paging != PAGING_NONE)
		fill_page_tables(vcpu, row->paging, mode_mapped_bytes(mode, vcpu));
	write_segments(row, ring);
	write_control_registers(row, vcpu);
	vmcs_write(VMCS_GUEST_GDTR_BASE, protected_mode ? GUEST_GDT : 0);
	vmcs_write(VMCS_GUEST_GDTR_LIMIT, protected_mode ? GDT_ENTRIES * 8 - 1 : 0);
	vmcs_write(VMCS_GUEST_IDTR_BASE, protected_mode ? GUEST_IDT : GUEST_IVT);
	vmcs_write(VMCS_GUEST_IDTR_LIMIT, protected_mode ? 0xfff : 0x3ff);
	vmcs_write(VMCS_GUEST_RSP, protected_mode ? GUEST_STACK : GUEST_CODE);
	vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
}

#define GATE_INTERRUPT 0x8e00ull /* present, ring 0, 32-bit or 64-bit interrupt gate */

void mode_set_gate(enum mode mode, struct vcpu *vcpu, unsigned vector, u64 handler)
{
	const struct mode_row *row = &modes[mode];
	u64 gate = (handler & 0xffff) | GATE_INTERRUPT << 32 | (handler & 0xffff0000) << 32;

	if (!(row->cr0 & CR0_PE)) {
		((u32 *)at(vcpu, GUEST_IVT))[vector] = handler & 0xffff;
	} else if (row->efer & EFER_LMA) {
		u64 *idt = at(vcpu, GUEST_IDT);

		idt[2ull * vector] = gate | (u64)GUEST_CS64 << 16;
		idt[2ull * vector + 1] = handler >> 32;
	} else {
		((u64 *)at(vcpu, GUEST_IDT))[vector] = gate | (u64)GUEST_CS32 << 16;
	}
}

void mode_change_pages(enum mode mode, struct vcpu *vcpu, u64 address, u64 length, u64 set, u64 clear)
{
	u64 first = address / PAGE_BYTES;
	u64 end = (address + length + PAGE_BYTES - 1) / PAGE_BYTES;

	for (u64 page = first; page < end; page++) {
		if (modes[mode].paging == PAGING_32BIT) {
			u32 *entry = &((u32 *)at(vcpu, GUEST_PT))[page];

			*entry = (u32)((*entry & ~clear) | set);
		} else {
			u64 *entry = &((u64 *)at(vcpu, GUEST_PT))[page];

			*entry = (*entry & ~clear) | set;
		}
	}
}
