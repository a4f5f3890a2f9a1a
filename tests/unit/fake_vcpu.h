/*
 * A made-up vCPU for the tests of exit handlers: it implements vmx/vcpu_access.h over plain arrays, starts in
 * any processor mode, and keeps what a handler did so that the test can look at it.
 */
#ifndef FAKE_VCPU_H
#define FAKE_VCPU_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "vmx/exits/exits.h"

#define FAKE_VMCS_FIELDS 0x7000
#define FAKE_PAGES 4
#define FAKE_PAGE 4096
#define FAKE_ENTRIES 32

/* What a page of the fake's memory allows. */
enum fake_page { FAKE_ABSENT, FAKE_READ_ONLY, FAKE_WRITABLE, FAKE_NO_MEMORY };

/* Where RIP is at the exit, in every mode. */
#define FAKE_RIP 0x8000

struct vcpu {
	u64 vmcs[FAKE_VMCS_FIELDS];
	bool absent[FAKE_VMCS_FIELDS]; /* fields that this processor lacks */
	u64 registers[GENERAL_REGISTER_COUNT];
	u64 debug_registers[8];
	u64 state[VCPU_STATE_COUNT];

	u64 memory_base; /* linear and physical address of memory[0] */
	u8 memory[FAKE_PAGES * FAKE_PAGE];
	enum fake_page pages[FAKE_PAGES];
	bool user; /* page faults of this guest are user accesses */

	struct {
		u32 number;
		u64 value;
	} msrs[FAKE_ENTRIES];
	unsigned msr_count;
	struct {
		u32 leaf;
		u32 subleaf;
		struct vcpu_cpuid result;
	} leaves[FAKE_ENTRIES];
	unsigned leaf_count;
	u64 tsc;
	struct vcpu_limits limits;

	/* Effects. */
	bool grants; /* what vcpu_grant_ept answers */
	u64 granted; /* the address that it was asked for */
	unsigned interrupts_taken;
	int taken_vector;
	unsigned vmcs_writes;
};

enum fake_mode { FAKE_REAL16, FAKE_PROT32, FAKE_PAE32, FAKE_COMPAT32, FAKE_LONG64 };
#define FAKE_MODES 5

/* A new vCPU in a mode, at CPL 0, all of whose memory is writable; and an exit that it took there. */
struct vcpu *fake_vcpu(enum fake_mode mode, struct vm_exit *exit, unsigned reason, u64 qualification,
		       u32 length);

/* Sets CR0, CR4 or IA32_EFER for guest and exit alike, with all of CR0 and CR4 owned by the host. */
void fake_set_cr0(struct vcpu *vcpu, struct vm_exit *exit, u64 value);
void fake_set_cr4(struct vcpu *vcpu, struct vm_exit *exit, u64 value);
void fake_set_efer(struct vcpu *vcpu, struct vm_exit *exit, u64 value);

void fake_set_msr(struct vcpu *vcpu, u32 number, u64 value);
u64 fake_msr(const struct vcpu *vcpu, u32 number);
void fake_set_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf, struct vcpu_cpuid result);

/* Runs the exit's handler by the table, as the run loop does. */
enum exit_next fake_run(struct vcpu *vcpu, const struct vm_exit *exit);

/* The guest goes on behind the instruction, and nothing is injected. */
void assert_past(struct vcpu *vcpu, const struct vm_exit *exit, enum exit_next next);
/* The guest goes on at the instruction with a fault; code: its error code, NO_CODE for none. */
#define NO_CODE (-1)
void assert_fault(struct vcpu *vcpu, enum exit_next next, unsigned vector, int code);
/* Nothing at all was done. */
void assert_unhandled(struct vcpu *vcpu, enum exit_next next);

#endif
