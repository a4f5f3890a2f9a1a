/*
 * Runs one micro-guest from its clean slate to its end, and records it. main.c calls it for each guest of the
 * run.
 */
#ifndef RUN_H
#define RUN_H

#include "guest/catalogue.h"
#include "vmx/vcpu.h"

/* Exits that a guest may make before the watchdog ends it. */
#define EXIT_BUDGET 1000

/* Milliseconds of host time that a guest may run without an exit. */
#define TIME_BUDGET_MILLISECONDS 100

/*
 * Runs the guest on the vCPU (created, not bound) of this processor; processors: how many the machine has.
 * Everything that happens is recorded, from GUEST_BEGIN to GUEST_END.
 */
void run_guest(struct vcpu *vcpu, const struct guest *guest, unsigned processors);

#endif
