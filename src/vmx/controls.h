/*
 * The VMX control fields of one guest, built bit by bit under the capability MSRs: no bit is ever set that
 * the processor does not allow, and none cleared that it needs (SDM, "Algorithms for Determining VMX
 * Capabilities").
 */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include "lib/types.h"
#include "vmx/capability.h"

enum control_word {
#define CONTROL_WORD(word, field, msr, true_msr, title) CONTROL_WORD_##word,
#include "vmx/controls.def"
#undef CONTROL_WORD
	CONTROL_WORD_COUNT
};

/* A control is a bit of a word: CONTROL_HLT_EXITING. Words have at most 64 bits. */
#define CONTROL_AT(word, bit) ((enum control)((word)*64 + (bit)))

enum control {
#define CONTROL(word, bit, name, title) CONTROL_##name = CONTROL_WORD_##word * 64 + bit,
#include "vmx/controls.def"
#undef CONTROL
};

static inline enum control_word control_word(enum control control)
{
	return (enum control_word)(control / 64);
}

/* The control's bit in its word, as a mask. */
static inline u64 control_mask(enum control control)
{
	return BIT(control % 64);
}

struct controls {
	u64 value[CONTROL_WORD_COUNT];
};

/* The bits of a control word that must be 1, and those that may be 1. */
struct control_limits {
	u64 must_be_1;
	u64 may_be_1;
};

struct control_limits control_limits(const struct vmx_capability *capability, enum control_word word);

/* The least that the processor accepts: each word holds just the bits that must be 1. */
struct controls controls_least(const struct vmx_capability *capability);

/*
 * Sets or clears one control. Setting a control of a secondary or tertiary word also activates that word.
 * False, with nothing changed, when the processor does not allow it.
 */
bool control_change(struct controls *controls, const struct vmx_capability *capability, enum control control,
		    bool value);

bool control_is_set(const struct controls *controls, enum control control);

/* The control's SDM name, for messages. */
const char *control_name(enum control control);
const char *control_word_name(enum control_word word);

/* Writes all words that the processor has to the current VMCS. */
void controls_write(const struct controls *controls, const struct vmx_capability *capability);
/* What they hold now: a guest's set-up may have written the fields themselves. 0 for a word that is not there. */
struct controls controls_read(const struct vmx_capability *capability);

#endif
