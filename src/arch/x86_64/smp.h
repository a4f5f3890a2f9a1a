/*
 * The other processors: starting them, and running functions on them. They sleep in HLT between calls.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include "arch/x86_64/multiboot2.h"
#include "arch/x86_64/processor.h"
#include "lib/types.h"

/* How long smp_call waits, in milliseconds. */
#define SMP_CALL_LIMIT 10000

/*
 * Starts the processors that ACPI names, one after another, until `limit` run, this one included; how many
 * then do. Needs the page allocator and the local APIC. A machine with one processor waits for nothing.
 */
unsigned smp_start(const struct boot_info *boot, unsigned limit);

/* NULL when there is no such processor. */
struct processor *smp_processor(unsigned index);

/*
 * Runs function(argument) on a processor other than this one. smp_begin returns at once, false when there is
 * no such processor or it is still busy; smp_finish waits until it has returned, false when that takes longer
 * than `milliseconds`: the processor stays busy then. smp_call is both, with SMP_CALL_LIMIT; on this very
 * processor it just calls.
 */
bool smp_begin(unsigned index, void (*function)(void *argument), void *argument);
bool smp_finish(unsigned index, unsigned milliseconds);
bool smp_call(unsigned index, void (*function)(void *argument), void *argument);

#endif
