/*
 * MOV to and from debug registers (vmx/exits/debug_registers.c), with the faults that the exit comes before.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "vmx/exit_fields.h"

#define HIGH_HALF 0xdeadbeef00000000ull
#define SS_DPL(level) ((u64)(level) << 5)
#define DR6_FIXED 0xffff0ff0
#define DR7_FIXED 0x400
#define GENERAL_DETECT BIT(13)

static struct vm_exit exit_;

static struct vcpu *at(enum fake_mode mode)
{
	struct vcpu *vcpu = fake_vcpu(mode, &exit_, EXIT_REASON_DR_ACCESS, 0, 3);

	vcpu->debug_registers[6] = DR6_FIXED;
	vcpu->vmcs[VMCS_GUEST_DR7] = DR7_FIXED;
	return vcpu;
}

static enum exit_next run(struct vcpu *vcpu, unsigned number, unsigned direction,
			  enum general_register operand)
{
	exit_.qualification = number | direction << 4 | operand << 8;
	return fake_run(vcpu, &exit_);
}

static enum exit_next mov_to(struct vcpu *vcpu, unsigned number, u64 value)
{
	vcpu->registers[R10] = value;
	return run(vcpu, number, VALUE_DR_DIRECTION_mov_to_dr, R10);
}

static enum exit_next mov_from(struct vcpu *vcpu, unsigned number)
{
	vcpu->registers[R10] = ~0ull;
	return run(vcpu, number, VALUE_DR_DIRECTION_mov_from_dr, R10);
}

static void test_addresses(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 4; number++) {
		for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
			struct vcpu *vcpu = at(mode);
			u64 stored = mode == FAKE_LONG64 ? HIGH_HALF | 0x1234 : 0x1234;

			assert_past(vcpu, &exit_, mov_to(vcpu, number, HIGH_HALF | 0x1234));
			assert_int_equal(vcpu->debug_registers[number], stored);
			vcpu->debug_registers[number] = HIGH_HALF | 0x1234;
			assert_past(vcpu, &exit_, mov_from(vcpu, number));
			assert_int_equal(vcpu->registers[R10], stored);
		}
	}
}

static void test_every_operand_register(void **state)
{
	(void)state;
	for (enum general_register i = RAX; i <= R15; i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);

		vcpu->registers[i] = 0x77;
		assert_past(vcpu, &exit_, run(vcpu, 1, VALUE_DR_DIRECTION_mov_to_dr, i));
		assert_int_equal(vcpu->debug_registers[1], 0x77);
		vcpu->debug_registers[1] = 0x88;
		assert_past(vcpu, &exit_, run(vcpu, 1, VALUE_DR_DIRECTION_mov_from_dr, i));
		assert_int_equal(vcpu->registers[i], 0x88);
	}
}

/* SDM, "Debug Status Register (DR6)", "Debug Control Register (DR7)": bits that are fixed. */
static void test_status_and_control(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 6, 0));
	assert_int_equal(vcpu->debug_registers[6], DR6_FIXED);
	assert_past(vcpu, &exit_, mov_to(vcpu, 6, 0xffffffff));
	assert_int_equal(vcpu->debug_registers[6], 0xffffefff);
	assert_past(vcpu, &exit_, mov_from(vcpu, 6));
	assert_int_equal(vcpu->registers[R10], 0xffffefff);
	assert_past(vcpu, &exit_, mov_to(vcpu, 7, 0));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], DR7_FIXED);
	assert_past(vcpu, &exit_, mov_from(vcpu, 7));
	assert_int_equal(vcpu->registers[R10], DR7_FIXED);
	assert_past(vcpu, &exit_, mov_to(vcpu, 7, 0xffffffff));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], 0xffff27ff);
}

/* SDM, "Debug Control Register (DR7)": bit 11 is reserved where there is no RTM. */
static void test_control_with_rtm(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	fake_set_cpuid(vcpu, 7, 0, (struct vcpu_cpuid){.ebx = BIT(11)});
	assert_past(vcpu, &exit_, mov_to(vcpu, 7, 0xffffffff));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], 0xffff2fff);
	vcpu = at(FAKE_LONG64);
	fake_set_cpuid(vcpu, 7, 0, (struct vcpu_cpuid){.ebx = BIT(11)});
	fake_set_cpuid(vcpu, 0, 0, (struct vcpu_cpuid){.eax = 6}); /* no such leaf */
	assert_past(vcpu, &exit_, mov_to(vcpu, 7, 0xffffffff));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], 0xffff27ff);
}

/* SDM, "MOV - Move to/from Debug Registers": bits 63:32 of DR6 and DR7 are reserved. */
static void test_high_halves_of_dr6_and_dr7(void **state)
{
	(void)state;
	for (unsigned number = 6; number < 8; number++) {
		for (unsigned bit = 32; bit < 64; bit++) {
			struct vcpu *vcpu = at(FAKE_LONG64);

			assert_fault(vcpu, mov_to(vcpu, number, BIT(bit)), VECTOR_GENERAL_PROTECTION, 0);
			assert_int_equal(vcpu->debug_registers[6], DR6_FIXED);
			assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], DR7_FIXED);
			vcpu = at(FAKE_PROT32); /* the operand has 32 bits */
			assert_past(vcpu, &exit_, mov_to(vcpu, number, BIT(bit)));
		}
	}
}

/* SDM, "Debug Registers DR4 and DR5": aliases of DR6 and DR7, or #UD with debug extensions. */
static void test_dr4_and_dr5(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, 0xf));
	assert_int_equal(vcpu->debug_registers[6], DR6_FIXED | 0xf);
	assert_past(vcpu, &exit_, mov_to(vcpu, 5, 0x3));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], DR7_FIXED | 0x3);
	assert_past(vcpu, &exit_, mov_from(vcpu, 5));
	assert_int_equal(vcpu->registers[R10], DR7_FIXED | 0x3);
	for (unsigned number = 4; number < 6; number++) {
		vcpu = at(FAKE_LONG64);
		fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_DE);
		assert_fault(vcpu, mov_to(vcpu, number, 0), VECTOR_INVALID_OPCODE, NO_CODE);
		vcpu = at(FAKE_LONG64);
		fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_DE);
		assert_fault(vcpu, mov_from(vcpu, number), VECTOR_INVALID_OPCODE, NO_CODE);
	}
}

static void test_privilege(void **state)
{
	struct vcpu *vcpu;

	(void)state;
	for (unsigned level = 1; level < 4; level++) {
		vcpu = at(FAKE_LONG64);
		vcpu->vmcs[VMCS_GUEST_SS_ACCESS_RIGHTS] = SS_DPL(level) | 0xc093;
		assert_fault(vcpu, mov_from(vcpu, 0), VECTOR_GENERAL_PROTECTION, 0);
		assert_int_equal(vcpu->registers[R10], ~0ull);
	}
	/* Real mode has no privilege levels. */
	vcpu = at(FAKE_REAL16);
	vcpu->vmcs[VMCS_GUEST_SS_ACCESS_RIGHTS] = SS_DPL(3) | 0xc093;
	assert_past(vcpu, &exit_, mov_from(vcpu, 0));
}

/* SDM, "General-Detect Exception Condition"; injection of #DB changes neither DR6 nor DR7 by itself. */
static void test_general_detect(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	vcpu->vmcs[VMCS_GUEST_DR7] = DR7_FIXED | GENERAL_DETECT;
	assert_fault(vcpu, mov_to(vcpu, 0, 5), VECTOR_DEBUG, NO_CODE);
	assert_int_equal(vcpu->debug_registers[0], 0);
	assert_int_equal(vcpu->debug_registers[6], DR6_FIXED | GENERAL_DETECT);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], DR7_FIXED);
	/* Privilege comes first. */
	vcpu = at(FAKE_LONG64);
	vcpu->vmcs[VMCS_GUEST_DR7] = DR7_FIXED | GENERAL_DETECT;
	vcpu->vmcs[VMCS_GUEST_SS_ACCESS_RIGHTS] = SS_DPL(3) | 0xc093;
	assert_fault(vcpu, mov_to(vcpu, 0, 5), VECTOR_GENERAL_PROTECTION, 0);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_DR7], DR7_FIXED | GENERAL_DETECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_every_operand_register),
		cmocka_unit_test(test_status_and_control),
		cmocka_unit_test(test_control_with_rtm),
		cmocka_unit_test(test_high_halves_of_dr6_and_dr7),
		cmocka_unit_test(test_dr4_and_dr5),
		cmocka_unit_test(test_privilege),
		cmocka_unit_test(test_general_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
