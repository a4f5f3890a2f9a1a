/*
 * The accessors of vcpu_access.h over the hardware: the current VMCS, the registers that entry.S stored, the
 * guest's memory, and the processor itself.
 */
#include "vmx/vcpu_access.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/traps.h"
#include "lib/string.h"
#include "vmx/guest_paging.h"
#include "vmx/vcpu.h"

#define PAGE_MASK 4095ull

u64 vcpu_read_vmcs(struct vcpu *vcpu, enum vmcs_field field)
{
	(void)vcpu;
	return vmcs_read(field);
}

void vcpu_write_vmcs(struct vcpu *vcpu, enum vmcs_field field, u64 value)
{
	(void)vcpu;
	vmcs_write(field, value);
}

bool vcpu_has_vmcs_field(struct vcpu *vcpu, enum vmcs_field field)
{
	(void)vcpu;
	return vmcs_has(field);
}

u64 vcpu_read_register(struct vcpu *vcpu, enum general_register number)
{
	return number == RSP ? vmcs_read(VMCS_GUEST_RSP) : vcpu->registers[number];
}

void vcpu_write_register(struct vcpu *vcpu, enum general_register number, u64 value)
{
	if (number == RSP)
		vmcs_write(VMCS_GUEST_RSP, value);
	else
		vcpu->registers[number] = value;
}

static bool read_table(void *context, u64 address, void *value, size_t size)
{
	const void *entry = guest_memory_at(context, address, size);

	if (!entry)
		return false;
	memcpy(value, entry, size);
	return true;
}

static void write_table(void *context, u64 address, const void *value, size_t size)
{
	void *entry = guest_memory_at(context, address, size);

	if (entry)
		memcpy(entry, value, size);
}

static struct guest_paging paging_of(struct vcpu *vcpu)
{
	struct guest_paging paging = {
		.cr0 = vmcs_read(VMCS_GUEST_CR0),
		.cr3 = vmcs_read(VMCS_GUEST_CR3),
		.cr4 = vmcs_read(VMCS_GUEST_CR4),
		.efer = vcpu_efer(),
		.user = CPL_OF_ACCESS_RIGHTS(vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS)) == 3,
		.ac = vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_AC,
		.physical_bits = vcpu->physical_bits,
		.has_1g_pages = vcpu->has_1g_pages,
		.read = read_table,
		.write = write_table,
		.context = &vcpu->memory,
		/* Without EPT the VMCS has no PDPTEs that count. */
		.has_pdptes = vcpu->memory.has_ept,
	};

	if (paging.has_pdptes) {
		paging.pdptes[0] = vmcs_read(VMCS_GUEST_PDPTE0);
		paging.pdptes[1] = vmcs_read(VMCS_GUEST_PDPTE1);
		paging.pdptes[2] = vmcs_read(VMCS_GUEST_PDPTE2);
		paging.pdptes[3] = vmcs_read(VMCS_GUEST_PDPTE3);
	}
	return paging;
}

/* The pieces of [linear, linear+size) that lie in one page each: at most two. */
struct pieces {
	struct {
		void *memory;
		size_t size;
	} piece[2];
	unsigned count;
};

static bool find_memory(struct vcpu *vcpu, u64 linear, size_t size, enum guest_access access,
			struct pieces *pieces, struct memory_fault *fault)
{
	struct guest_paging paging = paging_of(vcpu);

	pieces->count = 0;
	while (size > 0) {
		size_t in_page = 4096 - (linear & PAGE_MASK);
		size_t here = size < in_page ? size : in_page;
		u64 physical;

		*fault = (struct memory_fault){.address = linear};
		switch (guest_translate(&paging, linear, access, &physical, &fault->error_code)) {
		case GUEST_PAGE_FAULT:
			return false;
		case GUEST_TABLE_UNREADABLE:
			fault->no_memory = true;
			return false;
		case GUEST_TRANSLATED:
			break;
		}
		void *memory = guest_memory_at(&vcpu->memory, physical, here);

		if (!memory || pieces->count == ARRAY_SIZE(pieces->piece)) {
			fault->no_memory = true;
			return false;
		}
		pieces->piece[pieces->count].memory = memory;
		pieces->piece[pieces->count++].size = here;
		linear += here;
		size -= here;
	}
	return true;
}

static bool read_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size, enum guest_access access,
			struct memory_fault *fault)
{
	struct pieces pieces;
	u8 *to = data;

	if (!find_memory(vcpu, linear, size, access, &pieces, fault))
		return false;
	for (unsigned i = 0; i < pieces.count; i++) {
		memcpy(to, pieces.piece[i].memory, pieces.piece[i].size);
		to += pieces.piece[i].size;
	}
	return true;
}

bool vcpu_read_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size, struct memory_fault *fault)
{
	return read_memory(vcpu, linear, data, size, GUEST_READ, fault);
}

bool vcpu_fetch_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size)
{
	struct memory_fault fault;

	return read_memory(vcpu, linear, data, size, GUEST_LOOK, &fault);
}

bool vcpu_write_memory(struct vcpu *vcpu, u64 linear, const void *data, size_t size,
		       struct memory_fault *fault)
{
	struct pieces pieces;
	const u8 *from = data;

	if (!find_memory(vcpu, linear, size, GUEST_WRITE, &pieces, fault))
		return false;
	for (unsigned i = 0; i < pieces.count; i++) {
		memcpy(pieces.piece[i].memory, from, pieces.piece[i].size);
		from += pieces.piece[i].size;
	}
	return true;
}

bool vcpu_read_physical(struct vcpu *vcpu, u64 physical, void *data, size_t size)
{
	return read_table(&vcpu->memory, physical, data, size);
}

u64 vcpu_read_dr(struct vcpu *vcpu, unsigned number)
{
	return vcpu->debug_registers[number];
}

void vcpu_write_dr(struct vcpu *vcpu, unsigned number, u64 value)
{
	vcpu->debug_registers[number] = value;
}

u64 vcpu_read_state(struct vcpu *vcpu, enum vcpu_state state)
{
	return vcpu->state[state];
}

void vcpu_write_state(struct vcpu *vcpu, enum vcpu_state state, u64 value)
{
	vcpu->state[state] = value;
}

bool vcpu_read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)vcpu;
	return rdmsr_safe(msr, value);
}

bool vcpu_write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	return vcpu_own_msr(vcpu, msr) && wrmsr_safe(msr, value);
}

struct vcpu_cpuid vcpu_host_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	struct cpuid_result result = cpuid(leaf, subleaf);

	(void)vcpu;
	return (struct vcpu_cpuid){
		.eax = result.eax, .ebx = result.ebx, .ecx = result.ecx, .edx = result.edx};
}

u64 vcpu_host_tsc(struct vcpu *vcpu)
{
	(void)vcpu;
	return rdtsc();
}

struct vcpu_limits vcpu_limits(struct vcpu *vcpu)
{
	struct vcpu_limits limits = {
		.cr0_must_be_1 = vmx_capability_msr(vcpu->capability, IA32_VMX_CR0_FIXED0),
		.cr0_may_be_1 = vmx_capability_msr(vcpu->capability, IA32_VMX_CR0_FIXED1),
		.cr4_must_be_1 = vmx_capability_msr(vcpu->capability, IA32_VMX_CR4_FIXED0),
		.cr4_may_be_1 = vmx_capability_msr(vcpu->capability, IA32_VMX_CR4_FIXED1),
	};

	if (control_is_set(&vcpu->controls, CONTROL_UNRESTRICTED_GUEST))
		limits.cr0_must_be_1 &= ~(CR0_PE | CR0_PG);
	return limits;
}

bool vcpu_grant_ept(struct vcpu *vcpu, u64 physical)
{
	struct guest_memory *memory = &vcpu->memory;
	u64 page = physical & ~PAGE_MASK;

	if (!memory->has_ept || page >= memory->size ||
	    !ept_protect(&memory->ept, page, EPT_PAGE_4K, EPT_ALL))
		return false;
	ept_invalidate(&memory->ept, vcpu->capability);
	return true;
}

void vcpu_take_interrupt(struct vcpu *vcpu, int acknowledged_vector)
{
	(void)vcpu;
	if (acknowledged_vector >= 0)
		apic_eoi();
	else
		interrupts_accept();
}
