/*
 * Control fields under the capability MSRs. The guest set-up asks for bits by name; the vCPU writes the
 * result into the VMCS.
 */
#include "vmx/controls.h"
#include "vmx/vmcs.h"

static const struct {
	enum vmcs_field field;
	u32 msr;
	u32 true_msr;
	const char *name;
} words[CONTROL_WORD_COUNT] = {
#define CONTROL_WORD(word, field_, msr_, true_msr_, title)                                                   \
	[CONTROL_WORD_##word] = {.field = VMCS_##field_, .msr = msr_, .true_msr = true_msr_, .name = title},
#include "vmx/controls.def"
#undef CONTROL_WORD
};

static const struct {
	enum control control;
	const char *name;
} names[] = {
#define CONTROL(word, bit, name_, title) {.control = CONTROL_##name_, .name = title},
#include "vmx/controls.def"
#undef CONTROL
};

struct control_limits control_limits(const struct vmx_capability *capability, enum control_word word)
{
	bool use_true = words[word].true_msr && vmx_capable(capability, CAPABILITY_TRUE_CONTROLS);
	u64 msr = vmx_capability_msr(capability, use_true ? words[word].true_msr : words[word].msr);

	/* The tertiary word is 64 bits wide: its MSR has no room for bits that must be 1, and none must. */
	if (word == CONTROL_WORD_TERTIARY)
		return (struct control_limits){.must_be_1 = 0, .may_be_1 = msr};
	return (struct control_limits){.must_be_1 = msr & 0xffffffff, .may_be_1 = msr >> 32};
}

struct controls controls_least(const struct vmx_capability *capability)
{
	struct controls controls;

	for (unsigned word = 0; word < CONTROL_WORD_COUNT; word++)
		controls.value[word] = control_limits(capability, word).must_be_1;
	return controls;
}

/* The control that makes the processor look at a word at all; false for words that always count. */
static bool activation_of(enum control_word word, enum control *activation)
{
	if (word == CONTROL_WORD_SECONDARY)
		*activation = CONTROL_ACTIVATE_SECONDARY_CONTROLS;
	else if (word == CONTROL_WORD_TERTIARY)
		*activation = CONTROL_ACTIVATE_TERTIARY_CONTROLS;
	else
		return false;
	return true;
}

bool control_change(struct controls *controls, const struct vmx_capability *capability, enum control control,
		    bool value)
{
	enum control_word word = control_word(control);
	struct control_limits limits = control_limits(capability, word);
	u64 bit = control_mask(control);
	enum control activation;

	if (!value) {
		if (limits.must_be_1 & bit)
			return false;
		controls->value[word] &= ~bit;
		return true;
	}
	if (!(limits.may_be_1 & bit))
		return false;
	if (activation_of(word, &activation) && !control_change(controls, capability, activation, true))
		return false;
	controls->value[word] |= bit;
	return true;
}

bool control_is_set(const struct controls *controls, enum control control)
{
	return controls->value[control_word(control)] & control_mask(control);
}

const char *control_name(enum control control)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].control == control)
			return names[i].name;
	}
	return "a bit that controls.def does not name";
}

const char *control_word_name(enum control_word word)
{
	return words[word].name;
}

void controls_write(const struct controls *controls, const struct vmx_capability *capability)
{
	for (unsigned word = 0; word < CONTROL_WORD_COUNT; word++) {
		/* A word that the processor lacks has no VMCS field to write. */
		if (control_limits(capability, word).may_be_1)
			vmcs_write(words[word].field, controls->value[word]);
	}
}

struct controls controls_read(const struct vmx_capability *capability)
{
	struct controls controls = {0};

	for (unsigned word = 0; word < CONTROL_WORD_COUNT; word++) {
		if (control_limits(capability, word).may_be_1)
			controls.value[word] = vmcs_read(words[word].field);
	}
	return controls;
}
