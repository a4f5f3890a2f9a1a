/*
 * The descriptor tables of a processor: GDT and TSS of its own, one IDT for all. main calls it through
 * processor_init; the VMCS's host state asks for the selectors and bases.
 */
#ifndef ARCH_DESCRIPTORS_H
#define ARCH_DESCRIPTORS_H

/* Selectors of the kernel's GDT; the TSS descriptor takes two slots. boot.S's first GDT has the same code and
 * data. */
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define KERNEL_TSS 0x18

#ifndef __ASSEMBLER__

#include "lib/types.h"

struct processor;

/* Stacks that the processor switches to whatever the old one was like (SDM, "Interrupt Stack Table"). */
enum interrupt_stack {
	INTERRUPT_STACK_DOUBLE_FAULT,
	INTERRUPT_STACK_NMI,
	INTERRUPT_STACK_MACHINE_CHECK,
	INTERRUPT_STACK_COUNT
};

#define INTERRUPT_STACK_SIZE 4096

/* SDM, "Task-State Segment (TSS) in 64-bit Mode". */
struct task_state_segment {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* ist[0] is IST1 */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
} __packed;

struct global_descriptor_table {
	u64 null;
	u64 code;
	u64 data;
	u64 tss[2];
};

/*
 * Fills the processor's GDT and TSS, and loads GDTR, IDTR, TR and the segment registers. Must run on that
 * processor, once, and on the boot processor first, which also fills the IDT. Sets GS base to the structure.
 */
void descriptors_init(struct processor *processor);

/* Linear addresses, for VMCS host state. */
u64 descriptors_gdt_base(const struct processor *processor);
u64 descriptors_tss_base(const struct processor *processor);
u64 descriptors_idt_base(void);

#endif

#endif
