/*
 * The handlers that have no test of their own: HLT, VMCALL, RDTSC, RDTSCP, interrupts, EPT
 * violations, XSETBV.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "arch/x86_64/msr.h"
#include "vmx/controls.h"

#define LEAF_XSTATE 0xd
#define HIGH_HALF 0xdeadbeef00000000ull

static struct vm_exit exit_;

static struct vcpu *at(unsigned reason, u32 length)
{
	return fake_vcpu(FAKE_LONG64, &exit_, reason, 0, length);
}

static void test_hlt_with_interrupts_on_halts(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_HLT, 1);

	(void)state;
	exit_.rflags |= RFLAGS_IF;
	exit_.interruptibility_state =
		1; /* STI; HLT: VM entry refuses activity state HLT with blocking by STI */
	vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE] = 1;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_ACTIVITY_STATE], 1);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], 0);
}

static void test_hlt_with_interrupts_off_ends(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_HLT, 1);

	(void)state;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_HALT);
	assert_int_equal(vcpu->vmcs_writes, 0);
}

static void test_vmcall_known_and_unknown(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_VMCALL, 3);

	(void)state;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RAX], 0);
	vcpu = at(EXIT_REASON_VMCALL, 3);
	vcpu->registers[RAX] = BIT(32); /* all 64 bits count */
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RAX], (u64)-1000);
}

/* SDM, "RDTSC": EDX:EAX, and in 64-bit mode the upper halves of RAX and RDX are cleared. */
static void test_rdtsc_adds_the_offset(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_RDTSC, 2);

	(void)state;
	vcpu->tsc = 0x00000001fffffff0;
	vcpu->vmcs[VMCS_TSC_OFFSET] = 0x20;
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_USE_TSC_OFFSETTING);
	vcpu->registers[RAX] = vcpu->registers[RDX] = vcpu->registers[RCX] = HIGH_HALF;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RAX], 0x10);
	assert_int_equal(vcpu->registers[RDX], 2);
	assert_int_equal(vcpu->registers[RCX], HIGH_HALF);
}

static void test_rdtsc_without_offsetting_is_the_hosts(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_RDTSC, 2);

	(void)state;
	vcpu->tsc = 0x00000001fffffff0;
	vcpu->vmcs[VMCS_TSC_OFFSET] = 0x20;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RAX], 0xfffffff0);
	assert_int_equal(vcpu->registers[RDX], 1);
}

/* SDM, "Changes to Instruction Behavior in VMX Non-Root Operation": scaled, then moved. */
static void test_rdtsc_scales(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_RDTSC, 2);

	(void)state;
	vcpu->tsc = 0x8000000000000001;
	vcpu->vmcs[VMCS_TSC_OFFSET] = 1;
	vcpu->vmcs[VMCS_TSC_MULTIPLIER] = BIT(48) + BIT(47); /* 1.5: the product does not fit into 64 bits */
	vcpu->vmcs[VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_USE_TSC_SCALING);
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_ACTIVATE_SECONDARY_CONTROLS);
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RDX], 0x80000000);
	assert_int_equal(vcpu->registers[RAX], 1);
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] |= control_mask(CONTROL_USE_TSC_OFFSETTING);
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RDX], 0xc0000000);
	assert_int_equal(vcpu->registers[RAX], 2);
}

static void test_rdtscp_gives_tsc_aux(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_RDTSCP, 3);

	(void)state;
	vcpu->tsc = 5;
	vcpu->vmcs[VMCS_TSC_OFFSET] = (u64)-6; /* the sum wraps */
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_USE_TSC_OFFSETTING);
	fake_set_msr(vcpu, IA32_TSC_AUX, 0x7);
	vcpu->registers[RCX] = HIGH_HALF;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->registers[RAX], 0xffffffff);
	assert_int_equal(vcpu->registers[RDX], 0xffffffff);
	assert_int_equal(vcpu->registers[RCX], 7);
	vcpu = at(EXIT_REASON_RDTSCP, 3);
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_INVALID_OPCODE, NO_CODE);
}

static void test_external_interrupt_is_taken(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_EXTERNAL_INTERRUPT, 0);

	(void)state;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->taken_vector, -1);
	exit_.interruption_information = EVENT_VALID | 0xfe;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->taken_vector, 0xfe);
	assert_int_equal(vcpu->interrupts_taken, 2);
	assert_int_equal(vcpu->vmcs_writes, 0);
}

static void test_ept_violation_is_granted_or_not(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_EPT_VIOLATION, 0);

	(void)state;
	exit_.guest_physical_address = 0x3456;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->granted, 0x3456);
	assert_int_equal(vcpu->vmcs_writes, 0);
	vcpu->grants = false;
	assert_unhandled(vcpu, fake_run(vcpu, &exit_));
}

/* SDM, "Exit Qualification for EPT Violations", bit 12: with NMI exiting it is defined for virtual NMIs only.
 */
static void test_ept_violation_of_an_iret(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_EPT_VIOLATION, 0);

	(void)state;
	exit_.qualification = BIT(12);
	vcpu->vmcs[VMCS_PIN_BASED_CONTROLS] = control_mask(CONTROL_NMI_EXITING);
	fake_run(vcpu, &exit_);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], 0);
	vcpu->vmcs[VMCS_PIN_BASED_CONTROLS] |= control_mask(CONTROL_VIRTUAL_NMIS);
	fake_run(vcpu, &exit_);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_INTERRUPTIBILITY_STATE], BIT(3));
}

static void test_ept_violation_during_event_delivery(void **state)
{
	struct vcpu *vcpu = at(EXIT_REASON_EPT_VIOLATION, 0);

	(void)state;
	exit_.idt_vectoring_information = EVENT_VALID | 0x31;
	assert_int_equal(fake_run(vcpu, &exit_), EXIT_RESUME_HERE);
	assert_int_equal(vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION], EVENT_VALID | 0x31);
}

static struct vcpu *xsetbv(u64 supported, u64 value)
{
	struct vcpu *vcpu = at(EXIT_REASON_XSETBV, 3);

	fake_set_cpuid(vcpu, LEAF_XSTATE, 0,
		       (struct vcpu_cpuid){.eax = (u32)supported, .edx = (u32)(supported >> 32)});
	vcpu->state[VCPU_XCR0] = XCR0_X87;
	vcpu->registers[RAX] = HIGH_HALF | (u32)value; /* the upper halves of RAX, RCX and RDX are ignored */
	vcpu->registers[RDX] = HIGH_HALF | value >> 32;
	vcpu->registers[RCX] = HIGH_HALF;
	return vcpu;
}

/* SDM, "XSETBV", and "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
static void test_xsetbv_combinations(void **state)
{
	static const struct {
		u64 value;
		bool valid;
	} cases[] = {
		{0x00000, false}, /* x87 must be set */
		{0x00001, true},      {0x00003, true},	{0x00002, false},
		{0x00007, true},      {0x00005, false},			 /* AVX without SSE */
		{0x0000b, false},					 /* one of MPX's two */
		{0x00013, false},     {0x0001b, true},	{0x000e7, true}, /* AVX-512: all three, with AVX */
		{0x00067, false},     {0x000a7, false}, {0x000e3, false},
		{0x00203, true},  /* PKRU */
		{0x20003, false}, /* AMX: both or none */
		{0x40003, false},     {0x60003, true},	{0x00100, false},
		{0x00103, false}, /* bit 8 belongs to IA32_XSS */
		{BIT(63) | 1, false},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *vcpu = xsetbv(0x602ff, cases[i].value);
		enum exit_next next = fake_run(vcpu, &exit_);

		if (cases[i].valid) {
			assert_past(vcpu, &exit_, next);
			assert_int_equal(vcpu->state[VCPU_XCR0], cases[i].value);
		} else {
			assert_fault(vcpu, next, VECTOR_GENERAL_PROTECTION, 0);
			assert_int_equal(vcpu->state[VCPU_XCR0], XCR0_X87);
		}
	}
}

static void test_xsetbv_of_what_the_processor_lacks(void **state)
{
	struct vcpu *vcpu = xsetbv(3, 7);

	(void)state;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	vcpu = xsetbv(BIT(62) | 3, BIT(62) | 3);
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	assert_int_equal(vcpu->state[VCPU_XCR0], BIT(62) | 3);
}

static void test_xsetbv_of_another_register(void **state)
{
	struct vcpu *vcpu = xsetbv(7, 7);

	(void)state;
	vcpu->registers[RCX] = 1;
	assert_fault(vcpu, fake_run(vcpu, &exit_), VECTOR_GENERAL_PROTECTION, 0);
	assert_int_equal(vcpu->state[VCPU_XCR0], XCR0_X87);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hlt_with_interrupts_on_halts),
		cmocka_unit_test(test_hlt_with_interrupts_off_ends),
		cmocka_unit_test(test_vmcall_known_and_unknown),
		cmocka_unit_test(test_rdtsc_adds_the_offset),
		cmocka_unit_test(test_rdtsc_without_offsetting_is_the_hosts),
		cmocka_unit_test(test_rdtsc_scales),
		cmocka_unit_test(test_rdtscp_gives_tsc_aux),
		cmocka_unit_test(test_external_interrupt_is_taken),
		cmocka_unit_test(test_ept_violation_is_granted_or_not),
		cmocka_unit_test(test_ept_violation_of_an_iret),
		cmocka_unit_test(test_ept_violation_during_event_delivery),
		cmocka_unit_test(test_xsetbv_combinations),
		cmocka_unit_test(test_xsetbv_of_what_the_processor_lacks),
		cmocka_unit_test(test_xsetbv_of_another_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
