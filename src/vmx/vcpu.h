/*
 * A virtual processor: its VMCS, the registers that the hardware does not switch, and its binding to a
 * processor. The run loop prepares one, enters it, and reads the exit; handlers reach it through
 * vcpu_access.h only.
 */
#ifndef VMX_VCPU_H
#define VMX_VCPU_H

#include "lib/types.h"
#include "vmx/bitmaps.h"
#include "vmx/capability.h"
#include "vmx/controls.h"
#include "vmx/exit.h"
#include "vmx/guest_memory.h"
#include "vmx/vcpu_access.h"
#include "vmx/vmcs.h"
#include "vmx/xstate.h"

/* MSRs of the processor that this guest has to itself (vcpu_own_msr). */
#define VCPU_OWNED_MSRS_MAX 32
struct owned_msr {
	u32 number;
	u64 host;
	u64 guest;
};

struct vcpu {
	u64 registers[GENERAL_REGISTER_COUNT]; /* entry.S: first. The slot of RSP is unused: it is a VMCS
						  field */
	const struct vmx_capability *capability;
	unsigned
		physical_bits; /* of the processor's physical addresses; asked for once, as CPUID may be slow */
	bool has_1g_pages;
	struct vmx_region *vmcs;
	bool launched; /* the VMCS's launch state: VMRESUME rather than VMLAUNCH */
	bool bound;    /* the VMCS is current on bound_to */
	u32 bound_to;

	struct controls controls;
	struct io_bitmaps *io_bitmaps;
	struct msr_bitmap *msr_bitmap;
	struct guest_memory memory;

	u64 debug_registers[7]; /* DR0 to DR3 and DR6; 4 and 5 unused */
	u64 state[VCPU_STATE_COUNT];
	struct xstate *xstate;
	struct owned_msr owned_msrs[VCPU_OWNED_MSRS_MAX];
	unsigned owned_msr_count;

	u64 ticks_in_guest; /* host TSC ticks from VM entries to the exits that followed, summed up */
	u32 exits;	    /* so far */
};

/* How an attempt to enter the guest came out. */
enum vcpu_entry {
	VCPU_EXITED,	     /* there is a VM exit to read; a VM-entry failure is one, too */
	VCPU_VMFAIL_INVALID, /* no current VMCS */
	VCPU_VMFAIL_VALID,   /* *error holds the VM-instruction error */
};

/* Gets the pages that a vCPU needs. False when memory is out. Once; vcpu_reset then prepares it for each
 * guest. */
bool vcpu_create(struct vcpu *vcpu, const struct vmx_capability *capability);

/*
 * The clean slate: every register and VMCS field 0, the VMCS clear, the least controls that the processor
 * accepts plus those that keep the guest inside (external interrupts and NMIs exit, all ports and MSRs exit).
 * The vCPU is bound to this processor afterwards and VMCS fields can be written; host state is set. Memory
 * and mode are the caller's.
 */
void vcpu_reset(struct vcpu *vcpu);

/* Writes controls and EPT pointer into the VMCS; after it, VMCS fields may be changed at will. */
void vcpu_apply_controls(struct vcpu *vcpu);

/*
 * Makes the VMCS current on this processor and writes this processor's host state; the vCPU must not be bound
 * elsewhere. vcpu_unbind gives it up: VMCLEAR, so that any processor can take it (SDM, "VMCLEAR").
 */
void vcpu_bind(struct vcpu *vcpu);
void vcpu_unbind(struct vcpu *vcpu);

/* Enters the bound guest and returns after its next VM exit, or when VM entry failed. */
enum vcpu_entry vcpu_enter(struct vcpu *vcpu, u32 *error);

/* Reads everything that the architecture defines for the exit that vcpu_enter has just returned from. */
void vcpu_read_exit(struct vcpu *vcpu, struct vm_exit *exit);

/* The guest's IA32_EFER, also where the VMCS has no field for it. */
u64 vcpu_efer(void);

/* Lets the guest use an MSR of the processor; the host's value is kept. False: no such MSR, or too many. */
bool vcpu_own_msr(struct vcpu *vcpu, u32 msr);

/* Puts the processor's own values back (debug registers, owned MSRs) and unbinds the vCPU. */
void vcpu_retire(struct vcpu *vcpu);

#endif
