/*
 * The steps that exit handlers share (vmx/exits/common.c): past an instruction, a fault, an event given back.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"

#define BLOCKING_BY_STI BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_SMI BIT(2)
#define BLOCKING_BY_NMI BIT(3)
#define PENDING_DEBUG_B0 BIT(0)
#define PENDING_DEBUG_BS BIT(14)
#define DEBUGCTL_LBR BIT(0)
#define DEBUGCTL_BTF BIT(1)

static struct vm_exit exit_;

static struct vcpu *vmcall(enum fake_mode mode, u32 length)
{
	return fake_vcpu(mode, &exit_, EXIT_REASON_VMCALL, 0, length);
}

static void test_rip_moves_by_the_length(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		for (u32 length = 1; length <= INSTRUCTION_BYTES_MAX; length++) {
			struct vcpu *vcpu = vmcall(mode, length);

			assert_past(vcpu, &exit_, resume_past(vcpu, &exit_));
		}
	}
}

/* Compatibility mode is outside 64-bit mode, though EFER.LMA is set. */
static void test_rip_has_32_bits_outside_64_bit_mode(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		struct vcpu *vcpu = vmcall(mode, 3);

		exit_.rip = 0xfffffffe;
		resume_past(vcpu, &exit_);
		assert_int_equal(vcpu->vmcs[VMCS_GUEST_RIP], mode == FAKE_LONG64 ? 0x100000001 : 1);
	}
}

/* SDM, "Guest Non-Register State": blocking by STI and MOV SS lasts for one instruction; by SMI and NMI it
 * does not. */
static void test_blocking_ends_with_the_instruction(void **state)
{
	static const u32 ends[] = {BLOCKING_BY_STI, BLOCKING_BY_MOV_SS, BLOCKING_BY_STI | BLOCKING_BY_MOV_SS};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		struct vcpu *vcpu = vmcall(FAKE_LONG64, 3);

		exit_.interruptibility_state = ends[i] | BLOCKING_BY_NMI | BLOCKING_BY_SMI;
		vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE] = exit_.interruptibility_state;
		resume_past(vcpu, &exit_);
		assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE],
				 BLOCKING_BY_NMI | BLOCKING_BY_SMI);
	}
}

/* SDM, "Instruction-Breakpoint Exception Condition": RF is 0 after an instruction. */
static void test_resume_flag_ends_with_the_instruction(void **state)
{
	struct vcpu *vcpu = vmcall(FAKE_LONG64, 3);

	(void)state;
	exit_.rflags |= RFLAGS_RF;
	vcpu->vmcs[VMCS_GUEST_RFLAGS] = exit_.rflags;
	assert_past(vcpu, &exit_, resume_past(vcpu, &exit_));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_RFLAGS], RFLAGS_FIXED);
}

static u64 pending_after(u64 rflags, u64 debugctl, u64 pending)
{
	struct vcpu *vcpu = vmcall(FAKE_LONG64, 3);

	exit_.rflags |= rflags;
	vcpu->vmcs[VMCS_GUEST_DEBUGCTL] = debugctl;
	vcpu->vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = pending;
	resume_past(vcpu, &exit_);
	return vcpu->vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS];
}

/* SDM, "Single-Step Exception Condition"; "Single-Stepping on Branches": with BTF only branches trap. */
static void test_single_step_becomes_pending(void **state)
{
	(void)state;
	assert_int_equal(pending_after(0, 0, PENDING_DEBUG_B0), PENDING_DEBUG_B0);
	assert_int_equal(pending_after(RFLAGS_TF, 0, 0), PENDING_DEBUG_BS);
	assert_int_equal(pending_after(RFLAGS_TF, DEBUGCTL_LBR, PENDING_DEBUG_B0),
			 PENDING_DEBUG_B0 | PENDING_DEBUG_BS);
	assert_int_equal(pending_after(RFLAGS_TF, DEBUGCTL_BTF, 0), 0);
}

static void test_fault_without_code(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		struct vcpu *vcpu = vmcall(mode, 3);

		assert_fault(vcpu, inject_exception(vcpu, VECTOR_INVALID_OPCODE), VECTOR_INVALID_OPCODE,
			     NO_CODE);
	}
}

/* SDM, "VM-Entry Controls for Event Injection": no error code while CR0.PE is 0. */
static void test_fault_with_code(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		struct vcpu *vcpu = vmcall(mode, 3);
		enum exit_next next = inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0x18);

		assert_fault(vcpu, next, VECTOR_GENERAL_PROTECTION, mode == FAKE_REAL16 ? NO_CODE : 0x18);
	}
}

static void test_page_fault(void **state)
{
	struct memory_fault fault = {.address = 0xffff800000001234, .error_code = 7};
	struct vcpu *vcpu = vmcall(FAKE_LONG64, 3);

	(void)state;
	assert_fault(vcpu, inject_page_fault(vcpu, &fault), VECTOR_PAGE_FAULT, 7);
	assert_int_equal(vcpu->state[VCPU_CR2], fault.address);
}

static struct vcpu *cut_short(u32 event, u32 error_code)
{
	struct vcpu *vcpu = fake_vcpu(FAKE_LONG64, &exit_, EXIT_REASON_EPT_VIOLATION, 0, 0);

	exit_.idt_vectoring_information = event;
	exit_.idt_vectoring_error_code = error_code;
	exit_.instruction_length = 2;
	exit_.defined = exit_fields_defined(&exit_, false);
	return vcpu;
}

/* SDM, "Information for VM Exits That Occur During Event Delivery": bit 12 of the vectoring information is
 * undefined. */
static void test_an_event_cut_short_is_delivered_again(void **state)
{
	u32 interrupt = EVENT_VALID | EVENT_EXTERNAL_INTERRUPT << EVENT_TYPE_SHIFT | 0x31;
	u32 fault = EVENT_VALID | EVENT_HAS_ERROR_CODE | EVENT_HARDWARE_EXCEPTION << EVENT_TYPE_SHIFT | 13;
	u32 software = EVENT_VALID | EVENT_SOFTWARE_INTERRUPT << EVENT_TYPE_SHIFT | 0x80;
	struct vcpu *vcpu = cut_short(interrupt | BIT(12), 0);

	(void)state;
	assert_int_equal(resume_here(vcpu, &exit_, false), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], interrupt);
	assert_int_equal(vcpu->vmcs_writes, 1);

	vcpu = cut_short(fault, 0x40);
	assert_int_equal(resume_here(vcpu, &exit_, false), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], fault);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_EXCEPTION_ERROR_CODE], 0x40);

	vcpu = cut_short(software, 0);
	assert_int_equal(resume_here(vcpu, &exit_, false), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], software);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INSTRUCTION_LENGTH], 2);
}

/* SDM, "Resuming Guest Software after Handling an Exception": VM entry refuses an NMI while NMIs are blocked.
 */
static void test_an_nmi_cut_short_is_not_blocked(void **state)
{
	u32 nmi = EVENT_VALID | EVENT_NMI << EVENT_TYPE_SHIFT | VECTOR_NMI;
	struct vcpu *vcpu = cut_short(nmi, 0);

	(void)state;
	exit_.interruptibility_state = BLOCKING_BY_NMI;
	vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE] = BLOCKING_BY_NMI;
	resume_here(vcpu, &exit_, true);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], nmi);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], 0);
}

static void test_an_iret_that_unblocked_nmis_blocks_again(void **state)
{
	struct vcpu *vcpu = cut_short(0, 0);

	(void)state;
	exit_.interruptibility_state = BLOCKING_BY_SMI;
	resume_here(vcpu, &exit_, true);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], BLOCKING_BY_SMI | BLOCKING_BY_NMI);
	vcpu = cut_short(0, 0);
	assert_int_equal(resume_here(vcpu, &exit_, false), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs_writes, 0);
}

static void test_canonical_addresses(void **state)
{
	(void)state;
	assert_true(is_canonical(0));
	assert_true(is_canonical(0x00007fffffffffff));
	assert_false(is_canonical(0x0000800000000000));
	assert_false(is_canonical(0xffff7fffffffffff));
	assert_true(is_canonical(0xffff800000000000));
	assert_true(is_canonical(~0ull));
	assert_false(is_canonical(BIT(63)));
}

static void test_64_bit_mode(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		vmcall(mode, 3);
		assert_int_equal(in_64_bit_mode(&exit_), mode == FAKE_LONG64);
	}
	/* CS.L means nothing outside IA-32e mode. */
	vmcall(FAKE_LONG64, 3);
	exit_.efer = EFER_LME;
	assert_false(in_64_bit_mode(&exit_));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rip_moves_by_the_length),
		cmocka_unit_test(test_rip_has_32_bits_outside_64_bit_mode),
		cmocka_unit_test(test_blocking_ends_with_the_instruction),
		cmocka_unit_test(test_resume_flag_ends_with_the_instruction),
		cmocka_unit_test(test_single_step_becomes_pending),
		cmocka_unit_test(test_fault_without_code),
		cmocka_unit_test(test_fault_with_code),
		cmocka_unit_test(test_page_fault),
		cmocka_unit_test(test_an_event_cut_short_is_delivered_again),
		cmocka_unit_test(test_an_nmi_cut_short_is_not_blocked),
		cmocka_unit_test(test_an_iret_that_unblocked_nmis_blocks_again),
		cmocka_unit_test(test_canonical_addresses),
		cmocka_unit_test(test_64_bit_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
