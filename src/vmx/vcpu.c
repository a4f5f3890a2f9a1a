/*
 * The life of a vCPU: clean slate, binding to a processor, entry, the exit as data, retirement. The run loop
 * calls these in that order.
 */
#include "vmx/vcpu.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/descriptors.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/stop.h"
#include "lib/string.h"
#include "vmx/exit_fields.h"

#define PAGES_FOR(type) ((sizeof(type) + 4095) / 4096)

#define CS_ACCESS_RIGHTS_L BIT(13)
#define LEAF_EXTENDED_FEATURES 0x80000001
#define EXTENDED_EDX_1G_PAGES BIT(26)
#define LEAF_ADDRESS_SIZES 0x80000008
#define PHYSICAL_ADDRESS_BITS 0xff
#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull

/* entry.S */
u64 vmx_enter(u64 registers[GENERAL_REGISTER_COUNT], bool launched);
extern const u8 vmx_exit[];

_Static_assert(offsetof(struct vcpu, registers) == 0, "entry.S is given the vCPU's registers");

bool vcpu_create(struct vcpu *vcpu, const struct vmx_capability *capability)
{
	vcpu->capability = capability;
	vcpu->physical_bits = cpuid(LEAF_ADDRESS_SIZES, 0).eax & PHYSICAL_ADDRESS_BITS;
	vcpu->has_1g_pages = cpuid(LEAF_EXTENDED_FEATURES, 0).edx & EXTENDED_EDX_1G_PAGES;
	vcpu->vmcs = vmx_region_create(capability);
	vcpu->io_bitmaps = pages_alloc(PAGES_FOR(struct io_bitmaps), 1);
	vcpu->msr_bitmap = pages_alloc(PAGES_FOR(struct msr_bitmap), 1);
	vcpu->xstate = pages_alloc(PAGES_FOR(struct xstate), 1);
	if (!vcpu->vmcs || !vcpu->io_bitmaps || !vcpu->msr_bitmap || !vcpu->xstate)
		return false;
	vmcs_clear(vcpu->vmcs);
	vmcs_load(vcpu->vmcs);
	vmcs_probe();
	return true;
}

/* Controls that keep any guest inside, whatever its own set-up asks for later. */
static void set_default_controls(struct vcpu *vcpu)
{
	static const struct {
		enum control control;
		bool required;
	} defaults[] = {
		{CONTROL_EXTERNAL_INTERRUPT_EXITING, true},
		{CONTROL_NMI_EXITING, true},
		{CONTROL_USE_IO_BITMAPS, true},
		{CONTROL_USE_MSR_BITMAPS, true},
		{CONTROL_HOST_ADDRESS_SPACE_SIZE, true},
		{CONTROL_SAVE_DEBUG_CONTROLS, true},
		{CONTROL_LOAD_DEBUG_CONTROLS, true},
		{CONTROL_SAVE_EFER, false},
		{CONTROL_EXIT_LOAD_EFER, false},
		{CONTROL_ENTRY_LOAD_EFER, false},
		{CONTROL_SAVE_PAT, false},
		{CONTROL_EXIT_LOAD_PAT, false},
		{CONTROL_ENTRY_LOAD_PAT, false},
	};

	vcpu->controls = controls_least(vcpu->capability);
	for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (!control_change(&vcpu->controls, vcpu->capability, defaults[i].control, true) &&
		    defaults[i].required)
			panic("this processor does not allow the control \"%s\", which every guest needs",
			      control_name(defaults[i].control));
	}
}

void vcpu_reset(struct vcpu *vcpu)
{
	memset(vcpu->registers, 0, sizeof(vcpu->registers));
	memset(vcpu->debug_registers, 0, sizeof(vcpu->debug_registers));
	memset(vcpu->state, 0, sizeof(vcpu->state));
	vcpu->debug_registers[6] = DR6_RESET;
	vcpu->state[VCPU_XCR0] = XCR0_X87;
	vcpu->owned_msr_count = 0;
	vcpu->exits = 0;
	vcpu->ticks_in_guest = 0;
	xstate_reset(vcpu->xstate);
	io_bitmaps_intercept_all(vcpu->io_bitmaps);
	msr_bitmap_intercept_all(vcpu->msr_bitmap);
	set_default_controls(vcpu);

	vmcs_clear(vcpu->vmcs);
	vmx_region_reset(vcpu->vmcs, vcpu->capability);
	vcpu->bound = false;
	vmcs_clear(vcpu->vmcs);
	vcpu_bind(vcpu);
	vmcs_zero();
	vmcs_write(VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER);
	vmcs_write(VMCS_GUEST_DR7, DR7_RESET);
	if (vmcs_has(VMCS_GUEST_PAT))
		vmcs_write(VMCS_GUEST_PAT, rdmsr(IA32_PAT));
}

void vcpu_apply_controls(struct vcpu *vcpu)
{
	controls_write(&vcpu->controls, vcpu->capability);
	vmcs_write(VMCS_IO_BITMAP_A, (u64)vcpu->io_bitmaps->a);
	vmcs_write(VMCS_IO_BITMAP_B, (u64)vcpu->io_bitmaps->b);
	vmcs_write(VMCS_MSR_BITMAP, (u64)vcpu->msr_bitmap);
	if (vcpu->memory.has_ept)
		vmcs_write(VMCS_EPT_POINTER, ept_pointer(&vcpu->memory.ept, vcpu->capability));
}

/* SDM, "Host-State Area": where the processor finds itself after a VM exit. All of it is this processor's
 * own. */
static void write_host_state(void)
{
	vmcs_write(VMCS_HOST_CR0, read_cr0());
	vmcs_write(VMCS_HOST_CR3, read_cr3());
	vmcs_write(VMCS_HOST_CR4, read_cr4());
	vmcs_write(VMCS_HOST_CS_SELECTOR, KERNEL_CS);
	vmcs_write(VMCS_HOST_SS_SELECTOR, KERNEL_DS);
	vmcs_write(VMCS_HOST_DS_SELECTOR, KERNEL_DS);
	vmcs_write(VMCS_HOST_ES_SELECTOR, KERNEL_DS);
	vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_TR_SELECTOR, KERNEL_TSS);
	vmcs_write(VMCS_HOST_FS_BASE, rdmsr(IA32_FS_BASE));
	vmcs_write(VMCS_HOST_GS_BASE, rdmsr(IA32_GS_BASE));
	vmcs_write(VMCS_HOST_TR_BASE, descriptors_tss_base(this_processor()));
	vmcs_write(VMCS_HOST_GDTR_BASE, descriptors_gdt_base(this_processor()));
	vmcs_write(VMCS_HOST_IDTR_BASE, descriptors_idt_base());
	vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_HOST_RIP, (u64)vmx_exit);
	if (vmcs_has(VMCS_HOST_EFER))
		vmcs_write(VMCS_HOST_EFER, rdmsr(IA32_EFER));
	if (vmcs_has(VMCS_HOST_PAT))
		vmcs_write(VMCS_HOST_PAT, rdmsr(IA32_PAT));
}

void vcpu_bind(struct vcpu *vcpu)
{
	unsigned here = this_processor()->index;

	if (vcpu->bound && vcpu->bound_to == here)
		return;
	if (vcpu->bound)
		panic("vCPU bound to processor %u cannot be bound to %u before it is unbound", vcpu->bound_to,
		      here);
	vmcs_load(vcpu->vmcs);
	if (vmcs_current() != (u64)vcpu->vmcs)
		panic("VMPTRLD of 0x%lx left 0x%lx current", (u64)vcpu->vmcs, vmcs_current());
	write_host_state();
	for (unsigned i = 0; i < vcpu->owned_msr_count; i++)
		wrmsr_safe(vcpu->owned_msrs[i].number, vcpu->owned_msrs[i].guest);
	vcpu->launched = false; /* VMCLEAR made the launch state "clear" */
	vcpu->bound = true;
	vcpu->bound_to = here;
}

void vcpu_unbind(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < vcpu->owned_msr_count; i++) {
		struct owned_msr *msr = &vcpu->owned_msrs[i];

		rdmsr_safe(msr->number, &msr->guest);
		wrmsr_safe(msr->number, msr->host);
	}
	vmcs_clear(vcpu->vmcs);
	vcpu->bound = false;
}

bool vcpu_own_msr(struct vcpu *vcpu, u32 number)
{
	struct owned_msr *msr = &vcpu->owned_msrs[vcpu->owned_msr_count];

	for (unsigned i = 0; i < vcpu->owned_msr_count; i++) {
		if (vcpu->owned_msrs[i].number == number)
			return true;
	}
	if (vcpu->owned_msr_count == VCPU_OWNED_MSRS_MAX || !rdmsr_safe(number, &msr->host))
		return false;
	msr->number = number;
	msr->guest = msr->host;
	vcpu->owned_msr_count++;
	return true;
}

static void load_unswitched_state(struct vcpu *vcpu)
{
	write_dr(0, vcpu->debug_registers[0]);
	write_dr(1, vcpu->debug_registers[1]);
	write_dr(2, vcpu->debug_registers[2]);
	write_dr(3, vcpu->debug_registers[3]);
	write_dr(6, vcpu->debug_registers[6]);
	write_cr2(vcpu->state[VCPU_CR2]);
	write_cr8(vcpu->state[VCPU_CR8]);
	xstate_load(vcpu->xstate, vcpu->state[VCPU_XCR0], vcpu->state[VCPU_XSS]);
}

static void save_unswitched_state(struct vcpu *vcpu)
{
	xstate_save(vcpu->xstate, vcpu->state[VCPU_XCR0], vcpu->state[VCPU_XSS]);
	vcpu->state[VCPU_CR2] = read_cr2();
	vcpu->state[VCPU_CR8] = read_cr8();
	write_cr8(0);
	vcpu->debug_registers[0] = read_dr(0);
	vcpu->debug_registers[1] = read_dr(1);
	vcpu->debug_registers[2] = read_dr(2);
	vcpu->debug_registers[3] = read_dr(3);
	vcpu->debug_registers[6] = read_dr(6);
}

enum vcpu_entry vcpu_enter(struct vcpu *vcpu, u32 *error)
{
	load_unswitched_state(vcpu);
	u64 entered = rdtsc();
	u64 result = vmx_enter(vcpu->registers, vcpu->launched);

	vcpu->ticks_in_guest += rdtsc() - entered;
	save_unswitched_state(vcpu);
	if (result == 0)
		return VCPU_EXITED;
	if (result == 1)
		return VCPU_VMFAIL_INVALID;
	*error = (u32)vmcs_read(VMCS_VM_INSTRUCTION_ERROR);
	return VCPU_VMFAIL_VALID;
}

/* Reads the instruction through the guest's paging and EPT, up to two pages, as far as there is memory. */
static u32 fetch_instruction(struct vcpu *vcpu, const struct vm_exit *exit, u8 *bytes)
{
	bool wide = (exit->efer & EFER_LMA) && (exit->cs_access_rights & CS_ACCESS_RIGHTS_L);
	/* 64-bit mode ignores CS's base; elsewhere linear addresses have 32 bits. */
	u64 linear = wide ? exit->rip : (u32)(exit->cs_base + exit->rip);
	u64 next_page = (linear | 4095) + 1;
	u32 size = INSTRUCTION_BYTES_MAX;
	u32 in_first_page = 4096 - (u32)(linear & 4095);

	if (size <= in_first_page)
		return vcpu_fetch_memory(vcpu, linear, bytes, size) ? size : 0;
	if (!vcpu_fetch_memory(vcpu, linear, bytes, in_first_page))
		return 0;
	if (!vcpu_fetch_memory(vcpu, wide ? next_page : (u32)next_page, bytes + in_first_page,
			       size - in_first_page))
		return in_first_page;
	return size;
}

u64 vcpu_efer(void)
{
	if (vmcs_has(VMCS_GUEST_EFER))
		return vmcs_read(VMCS_GUEST_EFER);
	/* Without the field, LME and LMA follow the control, and the rest is the processor's (SDM, "Loading
	 * Guest Control Registers, Debug Registers, and MSRs"). */
	u64 rest = rdmsr(IA32_EFER) & ~(EFER_LME | EFER_LMA);

	return vmcs_read(VMCS_VM_ENTRY_CONTROLS) & control_mask(CONTROL_IA32E_MODE_GUEST)
		       ? rest | EFER_LME | EFER_LMA
		       : rest;
}

static void read_guest_state(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->rip = vmcs_read(VMCS_GUEST_RIP);
	exit->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	exit->cs_selector = (u16)vmcs_read(VMCS_GUEST_CS_SELECTOR);
	exit->cs_base = vmcs_read(VMCS_GUEST_CS_BASE);
	exit->cs_access_rights = (u32)vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS);
	exit->cr0 = vmcs_read(VMCS_GUEST_CR0);
	exit->cr3 = vmcs_read(VMCS_GUEST_CR3);
	exit->cr4 = vmcs_read(VMCS_GUEST_CR4);
	exit->efer = vcpu_efer();
	exit->activity_state = (u32)vmcs_read(VMCS_GUEST_ACTIVITY_STATE);
	exit->interruptibility_state = (u32)vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);
	memcpy(exit->registers, vcpu->registers, sizeof(exit->registers));
	exit->registers[RSP] = vmcs_read(VMCS_GUEST_RSP);
}

#define ACCESS_RIGHTS_UNUSABLE BIT(16)
/* VMCS fields of the segment registers stand in their order. */
#define SEGMENT_FIELD_STEP 2

/* Which segment registers are unusable: a bit for each, by its number in instructions. */
static u32 read_unusable_segments(void)
{
	u32 result = 0;

	for (u32 i = 0; i <= VALUE_SEGMENT_REGISTER_GS; i++) {
		if (vmcs_read(VMCS_GUEST_ES_ACCESS_RIGHTS + SEGMENT_FIELD_STEP * i) & ACCESS_RIGHTS_UNUSABLE)
			result |= 1u << i;
	}
	return result;
}

static bool is_string_io(const struct vm_exit *exit)
{
	unsigned reason = exit_basic_reason(exit);

	return (reason == EXIT_REASON_IO_INSTRUCTION || reason == EXIT_REASON_IO_SMI) &&
	       FIELD_IO_INSTRUCTION_string(exit->qualification);
}

void vcpu_read_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->number = vcpu->exits++;
	exit->processor = vcpu->bound_to;
	exit->time = vcpu->ticks_in_guest;
	exit->reason = (u32)vmcs_read(VMCS_EXIT_REASON);
	/* A VM-entry failure leaves the launch state as it was (SDM, "VM-Entry Failures During or After
	 * ..."). */
	if (!(exit->reason & EXIT_REASON_ENTRY_FAILURE))
		vcpu->launched = true;
	exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
	exit->interruption_information = (u32)vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
	exit->idt_vectoring_information = (u32)vmcs_read(VMCS_IDT_VECTORING_INFORMATION);
	read_guest_state(vcpu, exit);
	exit->instruction_size = exit->reason & EXIT_REASON_ENTRY_FAILURE
					 ? 0
					 : fetch_instruction(vcpu, exit, exit->instruction);
	exit->unusable_segments = is_string_io(exit) ? read_unusable_segments() : 0;
	exit->defined =
		exit_fields_defined(exit, vmx_capable(vcpu->capability, CAPABILITY_STRING_IO_INFORMATION));
	if (exit->defined & EXIT_FIELD_LENGTH)
		exit->instruction_length = (u32)vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH);
	if (exit->defined & EXIT_FIELD_INFORMATION)
		exit->instruction_information = (u32)vmcs_read(VMCS_EXIT_INSTRUCTION_INFORMATION);
	if (exit->defined & EXIT_FIELD_LINEAR)
		exit->guest_linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
	if (exit->defined & EXIT_FIELD_PHYSICAL)
		exit->guest_physical_address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
	if (exit->defined & EXIT_FIELD_INTERRUPTION_ERROR)
		exit->interruption_error_code = (u32)vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
	if (exit->defined & EXIT_FIELD_IDT_VECTORING_ERROR)
		exit->idt_vectoring_error_code = (u32)vmcs_read(VMCS_IDT_VECTORING_ERROR_CODE);
}

void vcpu_retire(struct vcpu *vcpu)
{
	write_dr(6, DR6_RESET);
	/* An NMI that exited, or was injected, leaves NMIs blocked: not for the next guest. */
	unblock_nmis();
	if (vcpu->bound)
		vcpu_unbind(vcpu);
}
