/*
 * The VMX capability MSRs and the control fields under them (vmx/capability.h, vmx/controls.h).
 */
/* sources: src/vmx/capability.c src/vmx/controls.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/msr.h"
#include "vmx/controls.h"
#include "vmx/vmcs.h"

#define TRUE_CONTROLS BIT(55)
#define BASIC (4 | 0x1000ull << 32 | 6ull << 50)

/* What the code under test reaches the machine through. */

bool rdmsr_safe(u32 msr, u64 *value)
{
	(void)msr;
	(void)value;
	fail_msg("the judgement reads no MSR");
	return false;
}

bool wrmsr_safe(u32 msr, u64 value)
{
	(void)msr;
	(void)value;
	fail_msg("the judgement writes no MSR");
	return false;
}

static struct {
	enum vmcs_field field;
	u64 value;
} writes[CONTROL_WORD_COUNT];
static unsigned write_count;

void vmcs_write(enum vmcs_field field, u64 value)
{
	assert_in_range(write_count, 0, ARRAY_SIZE(writes) - 1);
	writes[write_count].field = field;
	writes[write_count++].value = value;
}

/* Reads back what was written last; 0 for a field that was not. */
u64 vmcs_read(enum vmcs_field field)
{
	for (unsigned i = write_count; i-- > 0;) {
		if (writes[i].field == field)
			return writes[i].value;
	}
	return 0;
}

static void set_msr(struct vmx_capability *capability, u32 msr, u64 value)
{
	capability->msr[msr - VMX_MSR_FIRST] = value;
	capability->present |= (u32)BIT(msr - VMX_MSR_FIRST);
}

/* Control words: 8 must be 1, FFH may be; the true MSRs ask for nothing. */
static struct vmx_capability processor(u64 basic)
{
	struct vmx_capability capability = {.feature_control = 5};

	set_msr(&capability, IA32_VMX_BASIC, basic);
	for (u32 msr = 0x481; msr <= 0x484; msr++)
		set_msr(&capability, msr, 0xffull << 32 | 8);
	set_msr(&capability, 0x48b, 0x7full << 32);
	for (u32 msr = 0x48d; msr <= 0x490; msr++)
		set_msr(&capability, msr, 0xffull << 32);
	return capability;
}

/* Capability. */

static void test_judgement(void **state)
{
	static const struct {
		u64 basic;
		u64 feature_control;
		enum vmx_support expected;
	} cases[] = {
		{BASIC, 5, VMX_SUPPORTED},
		{BASIC, 7, VMX_SUPPORTED},
		{BASIC, 1, VMX_LOCKED_OFF},
		{BASIC, 3, VMX_LOCKED_OFF}, /* inside SMX only */
		{BASIC & ~(0x1fffull << 32), 5, VMX_UNSUITABLE},
		{BASIC | 1ull << 32, 5, VMX_UNSUITABLE}, /* 4097 bytes */
		{BASIC | BIT(48), 5, VMX_UNSUITABLE},
		{BASIC & ~(0xfull << 50), 5, VMX_UNSUITABLE}, /* uncacheable */
		{BASIC | 1ull << 50, 5, VMX_UNSUITABLE},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vmx_capability capability = processor(cases[i].basic);
		const char *why = NULL;

		capability.feature_control = cases[i].feature_control;
		assert_int_equal(vmx_judge(&capability, &why), cases[i].expected);
		assert_int_equal(why == NULL, cases[i].expected == VMX_SUPPORTED);
	}
}

static void test_judgement_without_basic(void **state)
{
	struct vmx_capability capability = processor(BASIC);
	const char *why = NULL;

	(void)state;
	capability.present &= ~1u;
	assert_int_equal(vmx_judge(&capability, &why), VMX_UNSUITABLE);
	assert_non_null(strstr(why, "480H"));
}

static void test_questions(void **state)
{
	struct vmx_capability capability = processor(BASIC | TRUE_CONTROLS | BIT(31));

	(void)state;
	assert_int_equal(vmx_revision(&capability), 4); /* bit 31 is always 0 */
	assert_int_equal(vmx_region_size(&capability), 0x1000);
	assert_true(vmx_capable(&capability, CAPABILITY_TRUE_CONTROLS));
	assert_false(vmx_capable(&capability, CAPABILITY_STRING_IO_INFORMATION));
	set_msr(&capability, IA32_VMX_MISC, 0x600401e5);
	assert_int_equal(vmx_preemption_timer_shift(&capability), 5);
	set_msr(&capability, IA32_VMX_EPT_VPID_CAP, BIT(20) | BIT(43));
	assert_true(vmx_capable(&capability, CAPABILITY_INVEPT));
	assert_true(vmx_capable(&capability, CAPABILITY_INVVPID_RETAINING));
	assert_false(vmx_capable(&capability, CAPABILITY_EPT_2M));
}

static void test_msrs_that_are_not_there(void **state)
{
	struct vmx_capability capability = processor(BASIC);

	(void)state;
	capability.msr[IA32_VMX_EPT_VPID_CAP - VMX_MSR_FIRST] = ~0ull;
	assert_int_equal(vmx_capability_msr(&capability, IA32_VMX_EPT_VPID_CAP), 0);
	assert_false(vmx_capable(&capability, CAPABILITY_INVEPT));
	assert_int_equal(vmx_capability_msr(&capability, VMX_MSR_FIRST - 1), 0);
	assert_int_equal(vmx_capability_msr(&capability, VMX_MSR_LAST + 1), 0);
	assert_int_equal(vmx_capability_msr(&capability, 0), 0);
	assert_int_equal(vmx_capability_msr(&capability, ~0u), 0);
}

/* Controls. */

/* SDM, "Algorithms for Determining VMX Capabilities": the true MSRs count where IA32_VMX_BASIC bit 55 is set.
 */
static void test_limits(void **state)
{
	struct vmx_capability without = processor(BASIC);
	struct vmx_capability with = processor(BASIC | TRUE_CONTROLS);

	(void)state;
	for (enum control_word word = 0; word < CONTROL_WORD_COUNT; word++) {
		bool has_true = word != CONTROL_WORD_SECONDARY && word != CONTROL_WORD_TERTIARY;

		assert_int_equal(control_limits(&without, word).must_be_1, has_true ? 8 : 0);
		assert_int_equal(control_limits(&with, word).must_be_1, 0);
		assert_int_equal(controls_least(&without).value[word], has_true ? 8 : 0);
		assert_int_equal(controls_least(&with).value[word], 0);
	}
	assert_int_equal(control_limits(&with, CONTROL_WORD_SECONDARY).may_be_1, 0x7f);
	assert_int_equal(control_limits(&with, CONTROL_WORD_TERTIARY).may_be_1, 0);
	/* All 64 bits of IA32_VMX_PROCBASED_CTLS3 are "may be 1". */
	set_msr(&with, IA32_VMX_PROCBASED_CTLS3, 0xf00000001);
	assert_int_equal(control_limits(&with, CONTROL_WORD_TERTIARY).may_be_1, 0xf00000001);
	assert_int_equal(control_limits(&with, CONTROL_WORD_TERTIARY).must_be_1, 0);
}

static void test_changes(void **state)
{
	struct vmx_capability capability = processor(BASIC);
	struct controls controls = controls_least(&capability);
	struct controls before = controls;

	(void)state;
	assert_true(control_change(&controls, &capability, CONTROL_USE_TSC_OFFSETTING,
				   true)); /* bit 3: set already */
	assert_memory_equal(&controls, &before, sizeof(controls));
	assert_false(control_change(&controls, &capability, CONTROL_USE_TSC_OFFSETTING, false));
	assert_false(control_change(&controls, &capability, CONTROL_USE_IO_BITMAPS, true));
	assert_memory_equal(&controls, &before, sizeof(controls));
	assert_true(control_change(&controls, &capability, CONTROL_USE_IO_BITMAPS, false));
	assert_true(control_change(&controls, &capability, CONTROL_HLT_EXITING, true));
	assert_true(control_is_set(&controls, CONTROL_HLT_EXITING));
	assert_int_equal(controls.value[CONTROL_WORD_PRIMARY], 0x88);
	assert_true(control_change(&controls, &capability, CONTROL_HLT_EXITING, false));
	assert_memory_equal(&controls, &before, sizeof(controls));
}

/* A secondary control counts only while the word is activated; where it cannot be, nothing changes. */
static void test_activation(void **state)
{
	struct vmx_capability capability = processor(BASIC);
	struct controls controls = controls_least(&capability);
	struct controls before = controls;

	(void)state;
	assert_false(control_change(&controls, &capability, CONTROL_ENABLE_EPT, true));
	assert_memory_equal(&controls, &before, sizeof(controls));
	set_msr(&capability, 0x482, 0xffffffffull << 32 | 8);
	assert_true(control_change(&controls, &capability, CONTROL_ENABLE_EPT, true));
	assert_true(control_is_set(&controls, CONTROL_ACTIVATE_SECONDARY_CONTROLS));
	assert_int_equal(controls.value[CONTROL_WORD_SECONDARY], 2);
	assert_false(control_is_set(&controls, CONTROL_ACTIVATE_TERTIARY_CONTROLS));
	assert_false(control_change(&controls, &capability, CONTROL_IPI_VIRTUALIZATION, true));
	set_msr(&capability, IA32_VMX_PROCBASED_CTLS3, BIT(4));
	assert_true(control_change(&controls, &capability, CONTROL_IPI_VIRTUALIZATION, true));
	assert_true(control_is_set(&controls, CONTROL_ACTIVATE_TERTIARY_CONTROLS));
}

static void test_words_that_the_processor_lacks_are_not_written(void **state)
{
	struct vmx_capability capability = processor(BASIC);
	struct controls controls = {{1, 2, 3, 4, 5, 6}};

	(void)state;
	write_count = 0;
	controls_write(&controls, &capability);
	assert_int_equal(write_count, CONTROL_WORD_COUNT - 1);
	for (unsigned i = 0; i < write_count; i++)
		assert_int_not_equal(writes[i].field, VMCS_TERTIARY_PROCESSOR_BASED_CONTROLS);
	assert_int_equal(writes[0].field, VMCS_PIN_BASED_CONTROLS);
	assert_int_equal(writes[0].value, 1);
	assert_int_equal(controls_read(&capability).value[CONTROL_WORD_PRIMARY], 2);
	assert_int_equal(controls_read(&capability).value[CONTROL_WORD_TERTIARY], 0);
	set_msr(&capability, IA32_VMX_PROCBASED_CTLS3, 1);
	write_count = 0;
	controls_write(&controls, &capability);
	assert_int_equal(write_count, CONTROL_WORD_COUNT);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(control_name(CONTROL_HLT_EXITING), "HLT exiting");
	assert_string_equal(control_name(CONTROL_AT(CONTROL_WORD_PIN, 63)),
			    "a bit that controls.def does not name");
	assert_non_null(strstr(control_word_name(CONTROL_WORD_ENTRY), "VM-Entry"));
	assert_int_equal(control_word(CONTROL_ENABLE_EPT), CONTROL_WORD_SECONDARY);
	assert_int_equal(control_mask(CONTROL_ENABLE_EPT), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_judgement_without_basic),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_msrs_that_are_not_there),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_words_that_the_processor_lacks_are_not_written),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
