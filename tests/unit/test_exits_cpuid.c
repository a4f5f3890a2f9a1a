/*
 * CPUID as the guest sees it (vmx/exits/cpuid.c): VMX hidden, the hypervisor's leaves, bits that mirror the
 * guest.
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "vmx/controls.h"

#define VMX BIT(5)
#define OSXSAVE BIT(27)
#define HYPERVISOR BIT(31)
#define OSPKE BIT(4)
#define LA57 BIT(16)
#define MTRR BIT(12)
#define HIGH_HALF 0xdeadbeef00000000ull

static struct vm_exit exit_;

static struct vcpu *at(enum fake_mode mode)
{
	return fake_vcpu(mode, &exit_, EXIT_REASON_CPUID, 0, 2);
}

static struct vcpu_cpuid cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	vcpu->vmcs[VMCS_GUEST_RIP] = FAKE_RIP;
	vcpu->registers[RAX] = HIGH_HALF | leaf;
	vcpu->registers[RCX] = HIGH_HALF | subleaf;
	vcpu->registers[RBX] = vcpu->registers[RDX] = HIGH_HALF;
	assert_past(vcpu, &exit_, fake_run(vcpu, &exit_));
	/* SDM, "CPUID": the upper 32 bits are cleared in all modes. */
	for (enum general_register i = RAX; i <= RBX; i++)
		assert_int_equal(vcpu->registers[i] >> 32, 0);
	return (struct vcpu_cpuid){
		.eax = (u32)vcpu->registers[RAX],
		.ebx = (u32)vcpu->registers[RBX],
		.ecx = (u32)vcpu->registers[RCX],
		.edx = (u32)vcpu->registers[RDX],
	};
}

static void set_secondary_controls(struct vcpu *vcpu, u64 controls)
{
	vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = control_mask(CONTROL_ACTIVATE_SECONDARY_CONTROLS);
	vcpu->vmcs[VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS] = controls;
}

static void test_other_leaves_are_the_processors(void **state)
{
	(void)state;
	for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
		struct vcpu *vcpu = at(mode);

		fake_set_cpuid(vcpu, 0xb, 1, (struct vcpu_cpuid){1, 2, 0xfffffffe, 4});

		struct vcpu_cpuid result = cpuid(vcpu, 0xb, 1);

		assert_int_equal(result.eax, 1);
		assert_int_equal(result.ebx, 2);
		assert_int_equal(result.ecx, 0xfffffffe);
		assert_int_equal(result.edx, 4);
	}
}

static void test_features(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	fake_set_cpuid(
		vcpu, 1, 0,
		(struct vcpu_cpuid){.eax = 0x806c0, .ecx = VMX | OSXSAVE | BIT(26), .edx = MTRR | BIT(0)});

	struct vcpu_cpuid result = cpuid(vcpu, 1, 0);

	assert_int_equal(result.eax, 0x806c0);
	assert_int_equal(result.edx, BIT(0));
	assert_int_equal(result.ecx, HYPERVISOR | BIT(26));
	/* OSXSAVE follows the guest's CR4, whatever the processor says. */
	fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_OSXSAVE);
	assert_int_equal(cpuid(vcpu, 1, 0).ecx, HYPERVISOR | OSXSAVE | BIT(26));
	fake_set_cpuid(vcpu, 1, 0, (struct vcpu_cpuid){0});
	assert_int_equal(cpuid(vcpu, 1, 0).ecx, HYPERVISOR | OSXSAVE);
}

static void test_hypervisor_leaves(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);
	struct vcpu_cpuid result;
	char vendor[13] = "";

	(void)state;
	fake_set_cpuid(vcpu, 0x40000000, 0, (struct vcpu_cpuid){9, 9, 9, 9});
	fake_set_cpuid(vcpu, 0x40000001, 0, (struct vcpu_cpuid){9, 9, 9, 9});
	fake_set_cpuid(vcpu, 0x400000ff, 0, (struct vcpu_cpuid){9, 9, 9, 9});
	fake_set_cpuid(vcpu, 0x40000100, 0, (struct vcpu_cpuid){9, 9, 9, 9});
	result = cpuid(vcpu, 0x40000000, 0);
	memcpy(vendor, &result.ebx, 4);
	memcpy(vendor + 4, &result.ecx, 4);
	memcpy(vendor + 8, &result.edx, 4);
	assert_string_equal(vendor, "ExitscopeVMX");
	assert_int_equal(result.eax, 0x40000000);
	assert_int_equal(cpuid(vcpu, 0x40000001, 0).eax, 0);
	assert_int_equal(cpuid(vcpu, 0x400000ff, 0).edx, 0);
	assert_int_equal(cpuid(vcpu, 0x40000100, 0).eax, 9);
}

static void test_ospke_follows_the_guests_cr4(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	fake_set_cpuid(vcpu, 7, 0, (struct vcpu_cpuid){.ecx = OSPKE | LA57 | BIT(3)});
	fake_set_cpuid(vcpu, 7, 1, (struct vcpu_cpuid){.ecx = OSPKE});
	assert_int_equal(cpuid(vcpu, 7, 0).ecx, BIT(3));
	fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_PKE);
	assert_int_equal(cpuid(vcpu, 7, 0).ecx, OSPKE | BIT(3));
	assert_int_equal(cpuid(vcpu, 7, 1).ecx, OSPKE); /* another sub-leaf, another meaning */
}

/* AVX at 576, AVX-512's three at 1088, 1152 and 1664, PKRU at 2688, and a supervisor component, CET_U. */
static void set_xstate(struct vcpu *vcpu)
{
	fake_set_cpuid(vcpu, 0xd, 0, (struct vcpu_cpuid){.eax = 0x2e7, .ebx = 576, .ecx = 2696});
	fake_set_cpuid(vcpu, 0xd, 1, (struct vcpu_cpuid){.eax = 0xf, .ebx = 576, .ecx = 0x1800});
	fake_set_cpuid(vcpu, 0xd, 2, (struct vcpu_cpuid){.eax = 256, .ebx = 576});
	fake_set_cpuid(vcpu, 0xd, 5, (struct vcpu_cpuid){.eax = 64, .ebx = 1088});
	fake_set_cpuid(vcpu, 0xd, 6, (struct vcpu_cpuid){.eax = 512, .ebx = 1152});
	fake_set_cpuid(vcpu, 0xd, 7, (struct vcpu_cpuid){.eax = 1024, .ebx = 1664});
	fake_set_cpuid(vcpu, 0xd, 9, (struct vcpu_cpuid){.eax = 8, .ebx = 2688});
	fake_set_cpuid(vcpu, 0xd, 11,
		       (struct vcpu_cpuid){.eax = 16, .ecx = 1 | BIT(1)}); /* aligned to 64 bytes */
}

/* SDM, "CPUID", leaf 0DH: EBX gives the size for what XCR0 (sub-leaf 1: and IA32_XSS) enables: the guest's.
 */
static void test_xstate_size_follows_the_guests_xcr0(void **state)
{
	static const struct {
		u64 xcr0;
		u64 xss;
		u32 standard;
		u32 compacted;
	} cases[] = {
		{0x1, 0, 576, 576},	  {0x3, 0, 576, 576},	       {0x7, 0, 832, 832},
		{0x203, 0, 2696, 584},	  {0x2e7, 0, 2696, 2440},      {0xe7, 0, 2688, 2432},
		{0x3, BIT(11), 576, 592}, {0x203, BIT(11), 2696, 656},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);

		set_xstate(vcpu);
		set_secondary_controls(vcpu, control_mask(CONTROL_ENABLE_XSAVES_XRSTORS));
		vcpu->state[VCPU_XCR0] = cases[i].xcr0;
		vcpu->state[VCPU_XSS] = cases[i].xss;
		assert_int_equal(cpuid(vcpu, 0xd, 0).ebx, cases[i].standard);
		assert_int_equal(cpuid(vcpu, 0xd, 1).ebx, cases[i].compacted);
		assert_int_equal(cpuid(vcpu, 0xd, 0).ecx, 2696);
		assert_int_equal(cpuid(vcpu, 0xd, 2).ebx, 576);
	}
}

/* SDM, "Changes to Instruction Behavior in VMX Non-Root Operation": #UD without the control. */
static void test_features_that_controls_enable(void **state)
{
	static const struct {
		enum control control;
		u32 leaf;
		u32 subleaf;
		struct vcpu_cpuid feature;
	} cases[] = {
		{CONTROL_ENABLE_INVPCID, 7, 0, {.ebx = BIT(10)}},
		{CONTROL_ENABLE_RDTSCP, 7, 0, {.ecx = BIT(22)}},
		{CONTROL_ENABLE_RDTSCP, 0x80000001, 0, {.edx = BIT(27)}},
		{CONTROL_ENABLE_RDTSCP, 0x80000001, 9, {.edx = BIT(27)}}, /* there are no sub-leaves */
		{CONTROL_ENABLE_USER_WAIT_AND_PAUSE, 7, 0, {.ecx = BIT(5)}},
		{CONTROL_ENABLE_PCONFIG, 7, 0, {.edx = BIT(18)}},
		{CONTROL_ENABLE_XSAVES_XRSTORS, 0xd, 1, {.eax = BIT(3)}},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);
		struct vcpu_cpuid result;

		fake_set_cpuid(vcpu, cases[i].leaf, cases[i].subleaf, cases[i].feature);
		set_secondary_controls(vcpu, control_mask(cases[i].control));
		result = cpuid(vcpu, cases[i].leaf, cases[i].subleaf);
		result.ebx = cases[i].leaf == 0xd ? 0 : result.ebx; /* a size */
		assert_memory_equal(&result, &cases[i].feature, sizeof(result));
		/* Another control, or one that is not active, does not help. */
		set_secondary_controls(vcpu, ~control_mask(cases[i].control));
		result = cpuid(vcpu, cases[i].leaf, cases[i].subleaf);
		assert_int_equal(result.eax | result.ebx | result.ecx | result.edx, 0);
		set_secondary_controls(vcpu, ~0ull);
		vcpu->vmcs[VMCS_PRIMARY_PROCESSOR_BASED_CONTROLS] = 0;
		result = cpuid(vcpu, cases[i].leaf, cases[i].subleaf);
		assert_int_equal(result.eax | result.ebx | result.ecx | result.edx, 0);
	}
}

/* Without XSAVES there is no IA32_XSS, and nothing that it could enable. */
static void test_supervisor_components_need_xsaves(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);
	struct vcpu_cpuid result;

	(void)state;
	set_xstate(vcpu);
	vcpu->state[VCPU_XCR0] = 3;
	result = cpuid(vcpu, 0xd, 1);
	assert_int_equal(result.eax, 0x7);
	assert_int_equal(result.ebx, 576);
	assert_int_equal(result.ecx | result.edx, 0);
	assert_int_equal(cpuid(vcpu, 0xd, 11).eax, 0);
	assert_int_equal(cpuid(vcpu, 0xd, 2).eax, 256);
	set_secondary_controls(vcpu, control_mask(CONTROL_ENABLE_XSAVES_XRSTORS));
	assert_int_equal(cpuid(vcpu, 0xd, 1).ecx, 0x1800);
	assert_int_equal(cpuid(vcpu, 0xd, 11).eax, 16);
}

static void test_leaves_that_the_processor_lacks(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	fake_set_cpuid(vcpu, 0, 0, (struct vcpu_cpuid){.eax = 5});
	fake_set_cpuid(vcpu, 7, 0, (struct vcpu_cpuid){.ecx = OSPKE}); /* the data of leaf 5 */
	fake_set_cpuid(vcpu, 0xd, 0, (struct vcpu_cpuid){.ebx = 64});
	assert_int_equal(cpuid(vcpu, 7, 0).ecx, OSPKE);
	assert_int_equal(cpuid(vcpu, 0xd, 0).ebx, 64);
	/* Leaf 0DH, but no XSAVEC and no XSAVES: sub-leaf 1 has no size. */
	fake_set_cpuid(vcpu, 0, 0, (struct vcpu_cpuid){.eax = 0xd});
	fake_set_cpuid(vcpu, 0xd, 1, (struct vcpu_cpuid){.eax = 1});
	assert_int_equal(cpuid(vcpu, 0xd, 1).ebx, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_leaves_are_the_processors),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_hypervisor_leaves),
		cmocka_unit_test(test_ospke_follows_the_guests_cr4),
		cmocka_unit_test(test_xstate_size_follows_the_guests_xcr0),
		cmocka_unit_test(test_features_that_controls_enable),
		cmocka_unit_test(test_supervisor_components_need_xsaves),
		cmocka_unit_test(test_leaves_that_the_processor_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
