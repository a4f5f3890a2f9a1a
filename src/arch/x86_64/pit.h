/*
 * Time: waits by channel 2 of the PIT (8254, no interrupt needed), and the TSC's rate measured with it.
 */
#ifndef ARCH_PIT_H
#define ARCH_PIT_H

#include "lib/types.h"

/* Waits at least so long. False when the PIT does not count: then it has waited for its own limit, below a
 * second. */
bool pit_wait_microseconds(unsigned microseconds);

/* TSC ticks in a millisecond, at least 1. The first call measures it and takes a millisecond. */
u64 tsc_per_millisecond(void);

#endif
