/*
 * The trap handler, which traps.S calls with the interrupts off, and the look-up of fix-ups.
 */
#include "arch/x86_64/traps.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fixup.h"
#include "arch/x86_64/processor.h"
#include "arch/x86_64/stop.h"

struct fixup {
	u64 from;
	u64 to;
};

/* From kernel.ld. */
extern const struct fixup fixup_table_start[];
extern const struct fixup fixup_table_end[];

void trap_handle(struct trap_frame *frame);

static const char *const names[VECTOR_EXCEPTION_COUNT] = {
	[0] = "#DE divide error",
	[1] = "#DB debug",
	[2] = "NMI",
	[3] = "#BP breakpoint",
	[4] = "#OF overflow",
	[5] = "#BR bound range exceeded",
	[6] = "#UD invalid opcode",
	[7] = "#NM device not available",
	[8] = "#DF double fault",
	[10] = "#TS invalid TSS",
	[11] = "#NP segment not present",
	[12] = "#SS stack-segment fault",
	[13] = "#GP general protection",
	[14] = "#PF page fault",
	[16] = "#MF x87 floating-point error",
	[17] = "#AC alignment check",
	[18] = "#MC machine check",
	[19] = "#XM SIMD floating-point error",
	[20] = "#VE virtualization exception",
	[21] = "#CP control protection",
};

const char *trap_name(u64 vector)
{
	if (vector >= VECTOR_EXCEPTION_COUNT)
		return "interrupt";
	return names[vector] ? names[vector] : "reserved exception";
}

u64 fixup_find(u64 rip)
{
	for (const struct fixup *fixup = fixup_table_start; fixup < fixup_table_end; fixup++) {
		if (fixup->from == rip)
			return fixup->to;
	}
	return 0;
}

/* #DF and #MC say nothing about the instruction at RIP, so they have no fix-up. */
static void handle_exception(struct trap_frame *frame)
{
	bool precise = frame->vector != VECTOR_DOUBLE_FAULT && frame->vector != VECTOR_MACHINE_CHECK;
	u64 landing = precise ? fixup_find(frame->rip) : 0;

	if (!landing)
		panic_at(frame, "unexpected %s, error code 0x%lx, at 0x%lx", trap_name(frame->vector),
			 frame->error, frame->rip);
	frame->rip = landing;
}

/* A masked PIC raises only spurious interrupts, and those, like the local APIC's, are not acknowledged. */
static bool is_spurious(u64 vector)
{
	return vector == VECTOR_SPURIOUS ||
	       (vector >= VECTOR_PIC && vector < VECTOR_PIC + 16 && !apic_in_service(vector));
}

static void handle_interrupt(struct processor *processor, u64 vector)
{
	if (is_spurious(vector))
		return;
	if (vector != VECTOR_SMP_CALL)
		processor->vector = (int)vector;
	apic_eoi();
}

void trap_handle(struct trap_frame *frame)
{
	frame->general[TRAP_RSP] = frame->rsp;
	if (frame->vector == VECTOR_NMI)
		return; /* of whatever made it: the hypervisor waits for none */
	if (frame->vector < VECTOR_EXCEPTION_COUNT)
		handle_exception(frame);
	else
		handle_interrupt(this_processor(), frame->vector);
}

int interrupts_accept(void)
{
	struct processor *processor = this_processor();

	processor->vector = NO_VECTOR;
	/* STI lets interrupts in only after the instruction that follows it. */
	asm volatile("sti\n\t"
		     "nop\n\t"
		     "cli"
		     :
		     :
		     : "memory");
	return processor->vector;
}
