/*
 * How the run of a micro-guest ended: outcomes.def for C. The run loop decides it, the recorder writes it.
 */
#ifndef GUEST_OUTCOME_H
#define GUEST_OUTCOME_H

enum outcome {
#define OUTCOME(code, name, meaning) OUTCOME_##name = code,
#include "guest/outcomes.def"
#undef OUTCOME
};

#endif
