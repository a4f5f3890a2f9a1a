/*
 * RDMSR and WRMSR (vmx/exits/msr.c): every row of msrs.def, and the registers with rules of their own.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "vmx/controls.h"
#include "arch/x86_64/msr.h"

#define HIGH_HALF 0xdeadbeef00000000ull
#define NOT_CANONICAL 0x0000800000000000ull
#define CANONICAL_HIGH 0xffff800012345678ull

static struct vm_exit exit_;

static struct vcpu *at(enum fake_mode mode)
{
	return fake_vcpu(mode, &exit_, 0, 0, 2);
}

static enum exit_next rdmsr(struct vcpu *vcpu, u32 number)
{
	vcpu->vmcs[VMCS_GUEST_RIP] = FAKE_RIP;
	exit_.reason = EXIT_REASON_RDMSR;
	vcpu->registers[RCX] = HIGH_HALF | number; /* the upper half is ignored */
	vcpu->registers[RAX] = vcpu->registers[RDX] = HIGH_HALF;
	return fake_run(vcpu, &exit_);
}

static enum exit_next wrmsr(struct vcpu *vcpu, u32 number, u64 value)
{
	vcpu->vmcs[VMCS_GUEST_RIP] = FAKE_RIP;
	exit_.reason = EXIT_REASON_WRMSR;
	vcpu->registers[RCX] = HIGH_HALF | number;
	vcpu->registers[RAX] = HIGH_HALF | (u32)value;
	vcpu->registers[RDX] = HIGH_HALF | value >> 32;
	return fake_run(vcpu, &exit_);
}

static void assert_reads(struct vcpu *vcpu, u32 number, u64 value)
{
	assert_past(vcpu, &exit_, rdmsr(vcpu, number));
	assert_int_equal(vcpu->registers[RAX], (u32)value);
	assert_int_equal(vcpu->registers[RDX], value >> 32);
}

static void assert_writes(struct vcpu *vcpu, u32 number, u64 value)
{
	assert_past(vcpu, &exit_, wrmsr(vcpu, number, value));
	assert_reads(vcpu, number, value);
}

static void enable_xsaves(struct vcpu *vcpu)
{
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_ACTIVATE_SECONDARY_CONTROLS);
	vcpu->vmcs[VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_ENABLE_XSAVES_XRSTORS);
}

/* The write raises #GP(0), and the register keeps its value. */
static void assert_refuses(enum fake_mode mode, u32 number, u64 value)
{
	struct vcpu *vcpu = at(mode);

	fake_set_msr(vcpu, number, 0x1234);
	enable_xsaves(vcpu);
	fake_set_cpuid(vcpu, 0xd, 1, (struct vcpu_cpuid){.eax = 8, .ecx = 0x1800});
	u64 efer = vcpu->vmcs[VMCS_GUEST_EFER];

	assert_fault(vcpu, wrmsr(vcpu, number, value), VECTOR_GENERAL_PROTECTION,
		     mode == FAKE_REAL16 ? NO_CODE : 0);
	assert_int_equal(fake_msr(vcpu, number), 0x1234);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER], efer);
	assert_int_equal(vcpu->state[VCPU_XSS], 0);
}

enum check { ANY, CANONICAL, DEBUGCTL, PAT };

static u64 good_value(enum check check)
{
	return check == DEBUGCTL ? 3 : check == PAT ? 0x0007040600070406 : CANONICAL_HIGH;
}

static void test_registers_of_the_vmcs(void **state)
{
	static const struct {
		u32 number;
		enum vmcs_field field;
		enum check check;
	} rows[] = {
#define MSR_VMCS(number_, name, field_, check_) {number_, VMCS_##field_, check_},
#include "vmx/exits/msrs.def"
#undef MSR_VMCS
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);
		u64 value = good_value(rows[i].check);

		assert_writes(vcpu, rows[i].number, value);
		assert_int_equal(vcpu->vmcs[rows[i].field], value);
		vcpu = at(FAKE_LONG64);
		vcpu->absent[rows[i].field] = true;
		assert_fault(vcpu, rdmsr(vcpu, rows[i].number), VECTOR_GENERAL_PROTECTION, 0);
		assert_fault(vcpu, wrmsr(vcpu, rows[i].number, value), VECTOR_GENERAL_PROTECTION, 0);
		if (rows[i].check == CANONICAL)
			assert_refuses(FAKE_LONG64, rows[i].number, NOT_CANONICAL);
	}
}

static void test_registers_of_the_processor(void **state)
{
	static const struct {
		u32 number;
		enum check check;
	} rows[] = {
#define MSR_PROCESSOR(number_, name, check_) {number_, check_},
#include "vmx/exits/msrs.def"
#undef MSR_PROCESSOR
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu *vcpu = at(FAKE_PROT32);

		/* The processor may not have it, or not take the value. */
		assert_fault(vcpu, rdmsr(vcpu, rows[i].number), VECTOR_GENERAL_PROTECTION, 0);
		assert_fault(vcpu, wrmsr(vcpu, rows[i].number, 0), VECTOR_GENERAL_PROTECTION, 0);
		vcpu = at(FAKE_PROT32);
		fake_set_msr(vcpu, rows[i].number, 1);
		assert_writes(vcpu, rows[i].number, CANONICAL_HIGH);
		assert_int_equal(fake_msr(vcpu, rows[i].number), CANONICAL_HIGH);
		if (rows[i].check == CANONICAL)
			assert_refuses(FAKE_LONG64, rows[i].number, NOT_CANONICAL);
	}
}

static void test_constants(void **state)
{
	static const struct {
		u32 number;
		u64 value;
	} rows[] = {
#define MSR_CONSTANT(number_, name, value_) {number_, value_},
#include "vmx/exits/msrs.def"
#undef MSR_CONSTANT
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_writes(at(FAKE_LONG64), rows[i].number, rows[i].value);
		assert_refuses(FAKE_LONG64, rows[i].number, rows[i].value ^ BIT(40));
	}
}

static void test_read_only(void **state)
{
	static const struct {
		u32 number;
		u64 value;
	} rows[] = {
#define MSR_READ_ONLY(number_, name, value_) {number_, value_},
#include "vmx/exits/msrs.def"
#undef MSR_READ_ONLY
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_reads(at(FAKE_LONG64), rows[i].number, rows[i].value);
		assert_refuses(FAKE_LONG64, rows[i].number, rows[i].value);
		assert_refuses(FAKE_LONG64, rows[i].number, rows[i].value ^ BIT(40));
	}
	/* The guest has no VMX: locked, with VMX off. */
	assert_reads(at(FAKE_LONG64), 0x3a, 1);
}

static void test_unknown_registers(void **state)
{
	/* VMX capabilities are hidden; there are no MTRRs; the last of each range, and outside both ranges. */
	static const u32 numbers[] = {0x480,	  0x48c,      0xfe,	  0x1fff,     0x2000,
				      0xbfffffff, 0xc0001fff, 0xc0002000, 0xffffffff, 0x7};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);

		fake_set_msr(vcpu, numbers[i], 5); /* even where the processor has it */
		assert_fault(vcpu, rdmsr(vcpu, numbers[i]), VECTOR_GENERAL_PROTECTION, 0);
		assert_int_equal(vcpu->registers[RAX], HIGH_HALF);
		assert_refuses(FAKE_LONG64, numbers[i], 0x1234);
		assert_refuses(FAKE_REAL16, numbers[i], 0x1234);
	}
}

static void test_time_stamp_counter(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	vcpu->tsc = 0x500000000;
	vcpu->vmcs[VMCS_TSC_OFFSET] = 0x10;
	assert_reads(vcpu, IA32_TIME_STAMP_COUNTER, 0x500000000); /* not used without its control */
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_USE_TSC_OFFSETTING);
	assert_reads(vcpu, IA32_TIME_STAMP_COUNTER, 0x500000010);
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = 0; /* the write sets it */
	assert_writes(vcpu, IA32_TIME_STAMP_COUNTER, 7);
	assert_int_equal(vcpu->vmcs[VMCS_TSC_OFFSET], (u64)7 - 0x500000000);
	vcpu->tsc += 100;
	assert_reads(vcpu, IA32_TIME_STAMP_COUNTER, 107);
}

/* SDM, "IA32_EFER": LMA cannot be written; LME cannot change while paging is on; other bits are reserved. */
static void test_efer(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_reads(vcpu, IA32_EFER, EFER_LME | EFER_LMA);
	assert_past(vcpu, &exit_, wrmsr(vcpu, IA32_EFER, EFER_LME | EFER_SCE | EFER_NXE));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER], EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
	assert_refuses(FAKE_LONG64, IA32_EFER, EFER_LMA);
	assert_refuses(FAKE_LONG64, IA32_EFER, 0);
	assert_refuses(FAKE_PAE32, IA32_EFER, EFER_LME);
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(BIT(bit) & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)))
			assert_refuses(FAKE_PROT32, IA32_EFER, BIT(bit));
	}
	/* Without paging LME is free, and LMA stays as it is. */
	vcpu = at(FAKE_PROT32);
	assert_past(vcpu, &exit_, wrmsr(vcpu, IA32_EFER, EFER_LME | EFER_LMA));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER], EFER_LME);
	assert_past(vcpu, &exit_, wrmsr(vcpu, IA32_EFER, 0));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER], 0);
	/* A processor whose VMCS has no such field. */
	vcpu = at(FAKE_PROT32);
	vcpu->absent[VMCS_GUEST_EFER] = true;
	assert_fault(vcpu, rdmsr(vcpu, IA32_EFER), VECTOR_GENERAL_PROTECTION, 0);
	assert_fault(vcpu, wrmsr(vcpu, IA32_EFER, 0), VECTOR_GENERAL_PROTECTION, 0);
}

/* SDM, "CPUID", leaf 0DH, sub-leaf 1: EDX:ECX are the bits that IA32_XSS may have. */
static void test_xss(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	enable_xsaves(vcpu);
	assert_fault(vcpu, rdmsr(vcpu, IA32_XSS), VECTOR_GENERAL_PROTECTION, 0);
	assert_fault(vcpu, wrmsr(vcpu, IA32_XSS, 0), VECTOR_GENERAL_PROTECTION, 0);
	vcpu = at(FAKE_LONG64);
	fake_set_cpuid(vcpu, 0xd, 1, (struct vcpu_cpuid){.eax = 8, .ecx = 0x1800, .edx = 1});
	assert_fault(vcpu, rdmsr(vcpu, IA32_XSS), VECTOR_GENERAL_PROTECTION, 0); /* not without the control */
	assert_fault(vcpu, wrmsr(vcpu, IA32_XSS, 0), VECTOR_GENERAL_PROTECTION, 0);
	vcpu = at(FAKE_LONG64);
	enable_xsaves(vcpu);
	fake_set_cpuid(vcpu, 0xd, 1, (struct vcpu_cpuid){.eax = 8, .ecx = 0x1800, .edx = 1});
	assert_reads(vcpu, IA32_XSS, 0);
	assert_writes(vcpu, IA32_XSS, 0x1800 | BIT(32));
	assert_int_equal(vcpu->state[VCPU_XSS], 0x1800 | BIT(32));
	assert_refuses(FAKE_LONG64, IA32_XSS, 1);
	assert_refuses(FAKE_LONG64, IA32_XSS, BIT(32));
}

/* SDM, "IA32_PAT MSR": types 0, 1, 4, 5, 6 and 7. */
static void test_pat(void **state)
{
	(void)state;
	for (unsigned entry = 0; entry < 8; entry++) {
		for (u64 type = 0; type < 256; type++) {
			u64 value = type << (8 * entry);

			if (type <= 1 || (type >= 4 && type <= 7))
				assert_writes(at(FAKE_LONG64), IA32_PAT, value);
			else
				assert_refuses(FAKE_LONG64, IA32_PAT, value);
		}
	}
}

static void test_debugctl(void **state)
{
	(void)state;
	for (u64 value = 0; value < 4; value++)
		assert_writes(at(FAKE_LONG64), IA32_DEBUGCTL, value);
	for (unsigned bit = 2; bit < 64; bit++)
		assert_refuses(FAKE_LONG64, IA32_DEBUGCTL, BIT(bit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_of_the_vmcs),
		cmocka_unit_test(test_registers_of_the_processor),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_unknown_registers),
		cmocka_unit_test(test_time_stamp_counter),
		cmocka_unit_test(test_efer),
		cmocka_unit_test(test_xss),
		cmocka_unit_test(test_pat),
		cmocka_unit_test(test_debugctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
