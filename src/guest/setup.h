/*
 * From a micro-guest's head to a vCPU that is ready to be entered: memory, mode, and each note applied in
 * order.
 */
#ifndef GUEST_SETUP_H
#define GUEST_SETUP_H

#include "guest/catalogue.h"
#include "guest/modes.h"
#include "vmx/vcpu.h"

#define SETUP_DETAIL_MAX 160

enum setup_result {
	SETUP_READY,
	SETUP_SKIPPED,	 /* the processor or the machine lacks what detail names */
	SETUP_MALFORMED, /* the guest's file is wrong, as detail says */
};

/* What the set-up of a guest settles for the run loop, besides the vCPU itself. */
struct setup {
	enum mode mode;
	unsigned ring;
	u64 entry;
	bool moves;		/* the vCPU changes processors after each exit */
	bool owns_timer;	/* the guest itself uses the VMX-preemption timer */
	bool timer_is_watchdog; /* the VMX-preemption timer ends the guest when it runs too long */
	int pending_interrupt;	/* a vector to raise before the first entry, -1 for none */
	char detail[SETUP_DETAIL_MAX];
};

/*
 * Prepares the vCPU (vcpu_create was called) for the guest from a clean slate, on this processor. processors:
 * how many the machine has. time_limit: TSC ticks that the guest may run without an exit, which the
 * VMX-preemption timer will watch if the processor has one and the guest leaves it free. On SETUP_READY the
 * vCPU is bound and can be entered. Whatever the result, setup_release follows.
 */
enum setup_result setup_guest(struct setup *setup, struct vcpu *vcpu, const struct guest *guest,
			      unsigned processors, u64 time_limit);

/* Gives back the guest's memory. The vCPU must have been retired. */
void setup_release(struct vcpu *vcpu);

#endif
