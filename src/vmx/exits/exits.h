/*
 * The exit handlers, one for each family of exits, and the few steps that they share. A handler is given the
 * exit and a vCPU behind accessors (vcpu_access.h), decides what happens next, and knows nothing of
 * recording. To add one: write it in a file of this folder, declare it here, name it in exit_reasons.def.
 */
#ifndef VMX_EXITS_EXITS_H
#define VMX_EXITS_EXITS_H

#include "arch/x86_64/traps.h"
#include "lib/types.h"
#include "vmx/controls.h"
#include "vmx/exit.h"
#include "vmx/vcpu_access.h"

typedef enum exit_next exit_handler(struct vcpu *vcpu, const struct vm_exit *exit);

exit_handler exit_cpuid;
exit_handler exit_cr_access;
exit_handler exit_dr_access;
exit_handler exit_ept_violation;
exit_handler exit_external_interrupt;
exit_handler exit_hlt;
exit_handler exit_io;
exit_handler exit_rdmsr;
exit_handler exit_rdtsc;
exit_handler exit_rdtscp;
exit_handler exit_unhandled;
exit_handler exit_vmcall;
exit_handler exit_wrmsr;
exit_handler exit_xsetbv;

/*
 * Moves RIP past the instruction that exited, and ends what lasts for one instruction only: blocking by STI
 * and by MOV SS; a single step (RFLAGS.TF) becomes pending. Always returns EXIT_RESUME_PAST. SDM, "Guest
 * Non-Register State", "Debug Exceptions".
 */
enum exit_next resume_past(struct vcpu *vcpu, const struct vm_exit *exit);

/*
 * The same between two iterations of a REP: RIP stays, and RFLAGS.RF is set, as for any event that is
 * delivered there (SDM, "Instruction-Breakpoint Exception Condition"). Always returns EXIT_RESUME_HERE.
 */
enum exit_next resume_between(struct vcpu *vcpu, const struct vm_exit *exit);

/*
 * Resumes where the guest is, and gives back what the exit interrupted: an event whose delivery it cut short
 * is delivered again; nmi_unblocking: an IRET that had already ended blocking by NMI blocks again. Always
 * returns EXIT_RESUME_HERE. SDM, "Resuming Guest Software after Handling an Exception".
 */
enum exit_next resume_here(struct vcpu *vcpu, const struct vm_exit *exit, bool nmi_unblocking);

/* Raises a fault in the guest at the instruction that exited. Always returns EXIT_RESUME_HERE. */
enum exit_next inject_exception(struct vcpu *vcpu, unsigned vector);
enum exit_next inject_exception_with_code(struct vcpu *vcpu, unsigned vector, u32 error_code);
enum exit_next inject_page_fault(struct vcpu *vcpu, const struct memory_fault *fault);

/* The guest's time-stamp counter, in ticks (time_stamp.c). */
u64 read_guest_tsc(struct vcpu *vcpu);
void write_guest_tsc(struct vcpu *vcpu, u64 value);

/* True when a secondary processor-based control is set, and these controls are active. */
bool has_secondary_control(struct vcpu *vcpu, enum control control);

/* True when the processor has a basic CPUID leaf; one above the highest gives the data of another. */
bool has_cpuid_leaf(struct vcpu *vcpu, u32 leaf);

/* True in 64-bit mode: IA-32e mode with CS.L set. */
bool in_64_bit_mode(const struct vm_exit *exit);

/* The stack fault: what a bad access through SS raises where another segment's raises #GP. */
#define VECTOR_STACK_FAULT 12

/* True for an address whose bits 63:47 are all equal; no guest has CR4.LA57. SDM, "Canonical Addressing". */
bool is_canonical(u64 address);

#endif
