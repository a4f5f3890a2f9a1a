/*
 * What the kernel keeps for each processor, reached through GS base. A VM exit loads GS base from the VMCS's
 * host state, which must therefore hold the address of the structure: (u64)this_processor().
 */
#ifndef ARCH_PROCESSOR_H
#define ARCH_PROCESSOR_H

#include "lib/types.h"
#include "arch/x86_64/descriptors.h"

#define PROCESSOR_LIMIT 16
#define PROCESSOR_STACK_SIZE 0x4000

#define NO_VECTOR (-1)

struct processor {
	struct processor *self; /* first, so that %gs:0 is the structure's own address */
	unsigned index;		/* 0 is the boot processor */
	u32 apic_id;
	u64 stack_top;

	volatile int vector; /* the last interrupt that was accepted, NO_VECTOR for none since
				interrupts_accept began */

	/* The function that another processor wants to run here (smp.c), and whether it has returned. */
	void (*function)(void *argument);
	void *argument;
	bool called; /* set by the caller, cleared here; with online, accessed atomically only */
	bool online;

	struct global_descriptor_table gdt __aligned(16);
	struct task_state_segment tss __aligned(16);
	u8 interrupt_stacks[INTERRUPT_STACK_COUNT][INTERRUPT_STACK_SIZE] __aligned(16);
};

/*
 * Prepares the processor that it runs on: control registers (CR0.WP and NE, SSE state and, where there is
 * XSAVE, CR4.OSXSAVE), descriptor tables, GS base. The structure's index and stack_top are set by the caller.
 */
void processor_init(struct processor *processor);

/* The boot processor's: the first thing that the kernel calls, so that an exception becomes a panic. */
void boot_processor_init(void);

/* NULL before boot_processor_init. */
struct processor *boot_processor(void);

static inline struct processor *this_processor(void)
{
	struct processor *processor;

	asm volatile("mov %%gs:0, %0" : "=r"(processor));
	return processor;
}

#endif
