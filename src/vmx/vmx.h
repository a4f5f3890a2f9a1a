/*
 * VMX operation of a processor: CR0 and CR4 brought within the fixed bits, VMXON, VMXOFF. main.c turns it on
 * for each processor before the first guest.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "lib/types.h"
#include "vmx/vmcs.h"

/*
 * Enters VMX operation on the processor that calls, with a VMXON region of its own (from vmx_region_create,
 * not used for anything else). Panics, naming the reason, when the processor refuses. SDM, "Enabling and
 * Entering VMX Operation".
 */
void vmx_on(struct vmx_region *vmxon_region, const struct vmx_capability *capability);

/* Leaves VMX operation; every VMCS must have been cleared. */
void vmx_off(void);

#endif
