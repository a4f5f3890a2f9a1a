/*
 * What an exit handler may see and do: every input and every effect of src/vmx/exits goes through these
 * functions, and through nothing else. The hypervisor implements them over the hardware (vcpu_access.c); unit
 * tests over a made-up vCPU (tests/unit).
 */
#ifndef VMX_VCPU_ACCESS_H
#define VMX_VCPU_ACCESS_H

#include "lib/types.h"
#include "vmx/exit.h"
#include "vmx/vmcs.h"

struct vcpu;

/* A VMCS field that exists on every processor, or that vcpu_has_vmcs_field says exists. */
u64 vcpu_read_vmcs(struct vcpu *vcpu, enum vmcs_field field);
void vcpu_write_vmcs(struct vcpu *vcpu, enum vmcs_field field, u64 value);
bool vcpu_has_vmcs_field(struct vcpu *vcpu, enum vmcs_field field);

/* A general register, all 64 bits; RSP is the guest's like the others. */
u64 vcpu_read_register(struct vcpu *vcpu, enum general_register number);
void vcpu_write_register(struct vcpu *vcpu, enum general_register number, u64 value);

/* A fault that an access to guest memory met. */
struct memory_fault {
	u64 address;
	u32 error_code; /* of the page fault that the guest would get */
	bool no_memory; /* there is no memory behind the translation: not the guest's fault to handle */
};

/*
 * Guest memory by linear address (segment base already added), through the guest's paging and EPT, setting
 * accessed and dirty flags as the guest's own instruction would. At most one page is crossed. False, with
 * nothing written, and *fault filled, when any of it cannot be accessed.
 */
bool vcpu_read_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size, struct memory_fault *fault);
bool vcpu_write_memory(struct vcpu *vcpu, u64 linear, const void *data, size_t size,
		       struct memory_fault *fault);
/* The bytes of an instruction, for the record: whether or not the guest may execute them, and without a trace
 * in the guest's page tables. */
bool vcpu_fetch_memory(struct vcpu *vcpu, u64 linear, void *data, size_t size);

/* Guest memory by guest-physical address; false when there is none. At most up to the end of a 4 KiB page. */
bool vcpu_read_physical(struct vcpu *vcpu, u64 physical, void *data, size_t size);

/* Debug registers 0 to 3 and 6; DR7 is a VMCS field. */
u64 vcpu_read_dr(struct vcpu *vcpu, unsigned number);
void vcpu_write_dr(struct vcpu *vcpu, unsigned number, u64 value);

/* Registers that the hardware does not switch: CR2, the guest's CR8 (0 to 15), XCR0, IA32_XSS. */
enum vcpu_state { VCPU_CR2, VCPU_CR8, VCPU_XCR0, VCPU_XSS, VCPU_STATE_COUNT };
u64 vcpu_read_state(struct vcpu *vcpu, enum vcpu_state state);
void vcpu_write_state(struct vcpu *vcpu, enum vcpu_state state, u64 value);

/* An MSR of the processor that the guest has to itself: its host value comes back when the guest ends. False:
 * #GP. */
bool vcpu_read_msr(struct vcpu *vcpu, u32 msr, u64 *value);
bool vcpu_write_msr(struct vcpu *vcpu, u32 msr, u64 value);

/* What the processor says of itself. */
struct vcpu_cpuid {
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
};
struct vcpu_cpuid vcpu_host_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf);
u64 vcpu_host_tsc(struct vcpu *vcpu);

/* Bits that guest CR0 and CR4 must have and may have (IA32_VMX_CR*_FIXED*; PE and PG free for an unrestricted
 * guest). */
struct vcpu_limits {
	u64 cr0_must_be_1;
	u64 cr0_may_be_1;
	u64 cr4_must_be_1;
	u64 cr4_may_be_1;
};
struct vcpu_limits vcpu_limits(struct vcpu *vcpu);

/*
 * Lets the guest do what an EPT violation stopped: gives the page of a guest-physical address all access.
 * False when the address is not in the guest's memory.
 */
bool vcpu_grant_ept(struct vcpu *vcpu, u64 physical);

/*
 * Takes the external interrupt that stopped the guest away from the processor: acknowledged (vector from the
 * interruption information) or still pending (vector -1), it is delivered to the host and ended.
 */
void vcpu_take_interrupt(struct vcpu *vcpu, int acknowledged_vector);

#endif
