/*
 * The made-up vCPU: arrays behind the accessors of vmx/vcpu_access.h. Every access outside of what a test has
 * prepared fails that test.
 */
#include "fake_vcpu.h"
#include "vmx/controls.h"

#define CS_L BIT(13)
#define CS_DB BIT(14)
#define CS_FLAT 0x809b	 /* accessed code, readable, present, granularity */
#define DATA_FLAT 0xc093 /* accessed data, writable, present, 32-bit, granularity */
#define TR_BUSY 0x8b
#define LIMIT_FLAT 0xffffffff
#define LIMIT_REAL 0xffff

static struct vcpu the_vcpu;

static const struct {
	u64 cr0;
	u64 cr4;
	u64 efer;
	u32 cs;
	u32 limit;
} modes[FAKE_MODES] = {
	[FAKE_REAL16] = {CR0_ET, 0, 0, CS_FLAT, LIMIT_REAL},
	[FAKE_PROT32] = {CR0_PE | CR0_ET, 0, 0, CS_FLAT | CS_DB, LIMIT_FLAT},
	[FAKE_PAE32] = {CR0_PE | CR0_ET | CR0_WP | CR0_PG, CR4_PAE, 0, CS_FLAT | CS_DB, LIMIT_FLAT},
	[FAKE_COMPAT32] = {CR0_PE | CR0_ET | CR0_WP | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, CS_FLAT | CS_DB,
			   LIMIT_FLAT},
	[FAKE_LONG64] = {CR0_PE | CR0_ET | CR0_WP | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, CS_FLAT | CS_L,
			 LIMIT_FLAT},
};

/* The processor: what CR0 and CR4 may hold, 39 bits of physical address. */
static void set_processor(struct vcpu *vcpu)
{
	vcpu->limits = (struct vcpu_limits){
		.cr0_must_be_1 = CR0_NE,
		.cr0_may_be_1 = 0xffffffff,
		.cr4_must_be_1 = CR4_VMXE,
		.cr4_may_be_1 = 0x00f72fff | CR4_LA57,
	};
	fake_set_cpuid(vcpu, 0, 0, (struct vcpu_cpuid){.eax = 0x1b});
	fake_set_cpuid(vcpu, 0x80000008, 0, (struct vcpu_cpuid){.eax = 0x3027});
}

static void set_segments(struct vcpu *vcpu, enum fake_mode mode)
{
	for (unsigned i = 0; i < 6; i++) {
		vcpu->vmcs[VMCS_GUEST_ES_LIMIT + 2 * i] = modes[mode].limit;
		vcpu->vmcs[VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * i] = DATA_FLAT;
	}
	vcpu->vmcs[VMCS_GUEST_CS_ACCESS_RIGHTS] = modes[mode].cs;
	vcpu->vmcs[VMCS_GUEST_TR_ACCESS_RIGHTS] = TR_BUSY;
}

struct vcpu *fake_vcpu(enum fake_mode mode, struct vm_exit *exit, unsigned reason, u64 qualification,
		       u32 length)
{
	struct vcpu *vcpu = &the_vcpu;

	*vcpu = (struct vcpu){.grants = true, .taken_vector = -2};
	*exit = (struct vm_exit){
		.reason = reason,
		.qualification = qualification,
		.instruction_length = length,
		.rip = FAKE_RIP,
		.rflags = RFLAGS_FIXED,
		.cs_access_rights = modes[mode].cs,
	};
	set_processor(vcpu);
	set_segments(vcpu, mode);
	fake_set_cr0(vcpu, exit, modes[mode].cr0);
	fake_set_cr4(vcpu, exit, modes[mode].cr4);
	fake_set_efer(vcpu, exit, modes[mode].efer);
	vcpu->vmcs[VMCS_GUEST_RIP] = FAKE_RIP;
	vcpu->vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	for (unsigned i = 0; i < FAKE_PAGES; i++)
		vcpu->pages[i] = FAKE_WRITABLE;
	return vcpu;
}

void fake_set_cr0(struct vcpu *vcpu, struct vm_exit *exit, u64 value)
{
	vcpu->vmcs[VMCS_CR0_GUEST_HOST_MASK] = ~0ull;
	vcpu->vmcs[VMCS_CR0_READ_SHADOW] = value;
	vcpu->vmcs[VMCS_GUEST_CR0] = value | vcpu->limits.cr0_must_be_1;
	exit->cr0 = vcpu->vmcs[VMCS_GUEST_CR0];
}

void fake_set_cr4(struct vcpu *vcpu, struct vm_exit *exit, u64 value)
{
	vcpu->vmcs[VMCS_CR4_GUEST_HOST_MASK] = ~0ull;
	vcpu->vmcs[VMCS_CR4_READ_SHADOW] = value;
	vcpu->vmcs[VMCS_GUEST_CR4] = value | vcpu->limits.cr4_must_be_1;
	exit->cr4 = vcpu->vmcs[VMCS_GUEST_CR4];
}

void fake_set_efer(struct vcpu *vcpu, struct vm_exit *exit, u64 value)
{
	vcpu->vmcs[VMCS_GUEST_EFER] = value;
	vcpu->vmcs[VMCS_VM_ENTRY_CONTROLS] = value & EFER_LMA ? control_mask(CONTROL_IA32E_MODE_GUEST) : 0;
	exit->efer = value;
}

void fake_set_msr(struct vcpu *vcpu, u32 number, u64 value)
{
	assert_in_range(vcpu->msr_count, 0, FAKE_ENTRIES - 1);
	vcpu->msrs[vcpu->msr_count].number = number;
	vcpu->msrs[vcpu->msr_count++].value = value;
}

u64 fake_msr(const struct vcpu *vcpu, u32 number)
{
	for (unsigned i = 0; i < vcpu->msr_count; i++) {
		if (vcpu->msrs[i].number == number)
			return vcpu->msrs[i].value;
	}
	fail_msg("the fake has no MSR 0x%x", number);
	return 0;
}

void fake_set_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf, struct vcpu_cpuid result)
{
	unsigned i = 0;

	while (i < vcpu->leaf_count && (vcpu->leaves[i].leaf != leaf || vcpu->leaves[i].subleaf != subleaf))
		i++;
	assert_in_range(i, 0, FAKE_ENTRIES - 1);
	vcpu->leaves[i].leaf = leaf;
	vcpu->leaves[i].subleaf = subleaf;
	vcpu->leaves[i].result = result;
	vcpu->leaf_count += i == vcpu->leaf_count;
}

enum exit_next fake_run(struct vcpu *vcpu, const struct vm_exit *exit)
{
	return exit_dispatch(vcpu, exit);
}

void assert_past(struct vcpu *vcpu, const struct vm_exit *exit, enum exit_next next)
{
	assert_int_equal(next, EXIT_RESUME_PAST);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RIP], exit->rip + exit->instruction_length);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], 0);
}

void assert_fault(struct vcpu *vcpu, enum exit_next next, unsigned vector, int code)
{
	u64 event = EVENT_VALID | EVENT_HARDWARE_EXCEPTION << EVENT_TYPE_SHIFT | vector;

	assert_int_equal(next, EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RIP], FAKE_RIP);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF, RFLAGS_RF);
	if (code == NO_CODE) {
		assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], event);
		return;
	}
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], event | EVENT_HAS_ERROR_CODE);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_EXCEPTION_ERROR_CODE], code);
}

void assert_unhandled(struct vcpu *vcpu, enum exit_next next)
{
	assert_int_equal(next, EXIT_UNHANDLED);
	assert_int_equal(vcpu->vmcs_writes, 0);
}

/* The accessors of vmx/vcpu_access.h. */

u64 vcpu_read_vmcs(struct vcpu *vcpu, enum vmcs_field field)
{
	assert_in_range(field, 0, FAKE_VMCS_FIELDS - 1);
	assert_false(vcpu->absent[field]);
	return vcpu->vmcs[field];
}

void vcpu_write_vmcs(struct vcpu *vcpu, enum vmcs_field field, u64 value)
{
	assert_in_range(field, 0, FAKE_VMCS_FIELDS - 1);
	assert_false(vcpu->absent[field]);
	assert_int_not_equal(VMCS_FIELD_TYPE(field), VMCS_TYPE_EXIT_INFORMATION);
	assert_int_not_equal(VMCS_FIELD_TYPE(field), VMCS_TYPE_HOST);
	vcpu->vmcs[field] = value;
	vcpu->vmcs_writes++;
}

bool vcpu_has_vmcs_field(struct vcpu *vcpu, enum vmcs_field field)
{
	assert_in_range(field, 0, FAKE_VMCS_FIELDS - 1);
	return !vcpu->absent[field];
}

u64 vcpu_read_register(struct vcpu *vcpu, enum general_register number)
{
	assert_in_range(number, 0, GENERAL_REGISTER_COUNT - 1);
	return vcpu->registers[number];
}

void vcpu_write_register(struct vcpu *vcpu, enum general_register number, u64 value)
{
	assert_in_range(number, 0, GENERAL_REGISTER_COUNT - 1);
	vcpu->registers[number] = value;
}

/* The bytes at an address, as far as their page goes; NULL with *fault filled when they cannot be accessed.
 */
static u8 *find(struct vcpu *vcpu, u64 linear, bool write, size_t *size, struct memory_fault *fault)
{
	u64 offset = linear - vcpu->memory_base;
	enum fake_page page = offset < sizeof(vcpu->memory) ? vcpu->pages[offset / FAKE_PAGE] : FAKE_ABSENT;
	bool forbidden = write && page == FAKE_READ_ONLY;

	*size = FAKE_PAGE - offset % FAKE_PAGE;
	if (page != FAKE_ABSENT && page != FAKE_NO_MEMORY && !forbidden)
		return vcpu->memory + offset;
	*fault = (struct memory_fault){
		.address = linear,
		.error_code = (u32)forbidden | (u32)write << 1 | (u32)vcpu->user << 2,
		.no_memory = page == FAKE_NO_MEMORY,
	};
	return NULL;
}

/* Both pages are found before a byte moves. data_in is read, or data_out written. */
static bool move(struct vcpu *vcpu, u64 linear, void *data_out, const void *data_in, size_t size,
		 struct memory_fault *fault)
{
	size_t first_size;
	size_t second_size = 0;
	u8 *first = find(vcpu, linear, data_in, &first_size, fault);
	u8 *second = NULL;

	if (!first)
		return false;
	if (first_size < size) {
		second = find(vcpu, linear + first_size, data_in, &second_size, fault);
		if (!second)
			return false;
		second_size = size - first_size;
	} else {
		first_size = size;
	}
	if (data_in) {
		memcpy(first, data_in, first_size);
		if (second)
			memcpy(second, (const u8 *)data_in + first_size, second_size);
	} else {
		memcpy(data_out, first, first_size);
		if (second)
			memcpy((u8 *)data_out + first_size, second, second_size);
	}
	return true;
}

bool vcpu_read_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size, struct memory_fault *fault)
{
	return move(vcpu, linear, data, NULL, size, fault);
}

bool vcpu_fetch_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size)
{
	struct memory_fault fault;

	return move(vcpu, linear, data, NULL, size, &fault);
}

bool vcpu_write_memory(struct vcpu *vcpu, u64 linear, const void *data, size_t size,
		       struct memory_fault *fault)
{
	return move(vcpu, linear, NULL, data, size, fault);
}

bool vcpu_read_physical(struct vcpu *vcpu, u64 physical, void *data, size_t size)
{
	struct memory_fault fault;

	assert_in_range(physical % FAKE_PAGE + size, 0, FAKE_PAGE);
	return move(vcpu, physical, data, NULL, size, &fault);
}

u64 vcpu_read_dr(struct vcpu *vcpu, unsigned number)
{
	assert_true(number <= 3 || number == 6);
	return vcpu->debug_registers[number];
}

void vcpu_write_dr(struct vcpu *vcpu, unsigned number, u64 value)
{
	assert_true(number <= 3 || number == 6);
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
	for (unsigned i = 0; i < vcpu->msr_count; i++) {
		if (vcpu->msrs[i].number == msr) {
			*value = vcpu->msrs[i].value;
			return true;
		}
	}
	return false;
}

bool vcpu_write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	for (unsigned i = 0; i < vcpu->msr_count; i++) {
		if (vcpu->msrs[i].number == msr) {
			vcpu->msrs[i].value = value;
			return true;
		}
	}
	return false;
}

struct vcpu_cpuid vcpu_host_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	for (unsigned i = 0; i < vcpu->leaf_count; i++) {
		if (vcpu->leaves[i].leaf == leaf && vcpu->leaves[i].subleaf == subleaf)
			return vcpu->leaves[i].result;
	}
	return (struct vcpu_cpuid){0};
}

u64 vcpu_host_tsc(struct vcpu *vcpu)
{
	return vcpu->tsc;
}

struct vcpu_limits vcpu_limits(struct vcpu *vcpu)
{
	return vcpu->limits;
}

bool vcpu_grant_ept(struct vcpu *vcpu, u64 physical)
{
	vcpu->granted = physical;
	return vcpu->grants;
}

void vcpu_take_interrupt(struct vcpu *vcpu, int acknowledged_vector)
{
	vcpu->interrupts_taken++;
	vcpu->taken_vector = acknowledged_vector;
}
