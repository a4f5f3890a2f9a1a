/*
 * Preparation of one processor, the boot processor or another.
 */
#include "arch/x86_64/processor.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"

#define CPUID_1_ECX_XSAVE BIT(26)

/* From boot.S. */
extern char boot_stack_top[];

static struct processor first;

/* What boot.S set is kept; SSE state becomes usable, because guests' is saved and loaded with it. */
static void enable_features(void)
{
	u64 cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
}

void processor_init(struct processor *processor)
{
	processor->vector = NO_VECTOR;
	processor->apic_id = processor_id();
	descriptors_init(processor);
	enable_features();
}

void boot_processor_init(void)
{
	first.stack_top = (u64)boot_stack_top;
	first.online = true;
	processor_init(&first);
}

struct processor *boot_processor(void)
{
	return first.self;
}
