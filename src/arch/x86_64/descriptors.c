/*
 * GDT, TSS and IDT. The code and data segments are flat; the IDT's gates all lead to traps.S and leave
 * interrupts off.
 */
#include "arch/x86_64/descriptors.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/processor.h"
#include "arch/x86_64/traps.h"

/* SDM, "Segment Descriptors"; present, ring 0. */
#define DESCRIPTOR_CODE64 0x00af9a000000ffff
#define DESCRIPTOR_DATA 0x00cf92000000ffff

/* SDM, "TSS Descriptor in 64-bit mode". */
#define TSS_PRESENT_AVAILABLE 0x89ull
#define TSS_TYPE_SHIFT 40

/* SDM, "64-Bit Mode IDT". */
#define GATE_PRESENT_INTERRUPT 0x8e

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist; /* 0: stay on the stack that is in use; n: take ist[n - 1] of the TSS */
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

/* From traps.S: VECTOR_COUNT entries of the same size. */
extern const char trap_stubs[];
extern const char trap_stubs_end[];

static struct gate idt[VECTOR_COUNT] __aligned(16);

static u8 stack_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_DOUBLE_FAULT:
		return INTERRUPT_STACK_DOUBLE_FAULT + 1;
	case VECTOR_NMI:
		return INTERRUPT_STACK_NMI + 1;
	case VECTOR_MACHINE_CHECK:
		return INTERRUPT_STACK_MACHINE_CHECK + 1;
	default:
		return 0;
	}
}

static void fill_idt(void)
{
	size_t stub_size = (size_t)(trap_stubs_end - trap_stubs) / VECTOR_COUNT;

	for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
		u64 offset = (u64)trap_stubs + vector * stub_size;

		idt[vector] = (struct gate){
			.offset_low = (u16)offset,
			.selector = KERNEL_CS,
			.ist = stack_of(vector),
			.type = GATE_PRESENT_INTERRUPT,
			.offset_middle = (u16)(offset >> 16),
			.offset_high = (u32)(offset >> 32),
		};
	}
}

static void fill_tss(struct processor *processor)
{
	struct task_state_segment *tss = &processor->tss;

	*tss = (struct task_state_segment){.io_map_base = sizeof(*tss)};
	tss->rsp[0] = processor->stack_top;
	for (unsigned i = 0; i < INTERRUPT_STACK_COUNT; i++)
		tss->ist[i] = (u64)processor->interrupt_stacks[i] + INTERRUPT_STACK_SIZE;
}

static void fill_gdt(struct processor *processor)
{
	u64 base = (u64)&processor->tss;
	u64 limit = sizeof(processor->tss) - 1;

	processor->gdt = (struct global_descriptor_table){
		.code = DESCRIPTOR_CODE64,
		.data = DESCRIPTOR_DATA,
		.tss = {limit | (base & 0xffffff) << 16 | TSS_PRESENT_AVAILABLE << TSS_TYPE_SHIFT |
				(base >> 24 & 0xff) << 56,
			base >> 32},
	};
}

/* CS can only be loaded by a far transfer: a far return to the next instruction. */
static void load_segments(void)
{
	asm volatile("pushq %[cs]\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n\t"
		     "1: mov %[ds], %%ds\n\t"
		     "mov %[ds], %%es\n\t"
		     "mov %[ds], %%ss\n\t"
		     "mov %[null], %%fs\n\t"
		     "mov %[null], %%gs"
		     :
		     : [cs] "i"(KERNEL_CS), [ds] "r"(KERNEL_DS), [null] "r"(0)
		     : "rax", "memory");
}

void descriptors_init(struct processor *processor)
{
	struct descriptor_table gdtr = {sizeof(processor->gdt) - 1, (u64)&processor->gdt};
	struct descriptor_table idtr = {sizeof(idt) - 1, (u64)idt};

	if (processor->index == 0)
		fill_idt();
	fill_tss(processor);
	fill_gdt(processor);
	lgdt(&gdtr);
	load_segments();
	ltr(KERNEL_TSS);
	processor->self = processor;
	wrmsr(IA32_GS_BASE, (u64)processor);
	lidt(&idtr);
}

u64 descriptors_gdt_base(const struct processor *processor)
{
	return (u64)&processor->gdt;
}

u64 descriptors_tss_base(const struct processor *processor)
{
	return (u64)&processor->tss;
}

u64 descriptors_idt_base(void)
{
	return (u64)idt;
}
