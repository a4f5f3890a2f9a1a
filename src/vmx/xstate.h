/*
 * Extended state: XCR0, IA32_XSS and the XSAVE area, switched around each VM entry (SDM, "Managing State
 * Using the XSAVE Feature Set"). The kernel itself uses no floating point, so the host's side is just XCR0
 * and XSS.
 */
#ifndef VMX_XSTATE_H
#define VMX_XSTATE_H

#include "lib/types.h"

/* Room for every component that processors have today (AVX-512, PKRU, CET and AMX's tile configuration). */
#define XSTATE_BYTES 16384

struct xstate {
	u8 area[XSTATE_BYTES];
} __attribute__((aligned(64)));

/* Sets the host's XCR0, all that is supported, on this processor, where it has XSAVE. */
void xstate_init(void);

/* The state after processor reset, as XRSTOR would load it. */
void xstate_reset(struct xstate *xstate);

/* Loads the guest's extended state under its XCR0 and XSS; xstate_save stores it and brings the host's back.
 */
void xstate_load(struct xstate *xstate, u64 xcr0, u64 xss);
void xstate_save(struct xstate *xstate, u64 xcr0, u64 xss);

#endif
