/*
 * Starts the application processors, one at a time, by INIT and start-up IPIs (SDM, "MP Initialization
 * Protocol"), and hands them functions. A processor sleeps until VECTOR_SMP_CALL wakes it.
 */
#include "arch/x86_64/smp.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/pit.h"
#include "arch/x86_64/traps.h"
#include "lib/string.h"

/* The SDM's waits, and for how long a started processor may stay silent. */
#define INIT_WAIT_MICROSECONDS 10000
#define STARTUP_WAIT_MICROSECONDS 200
#define ONLINE_MILLISECONDS 100

/* Pages below 1 MiB that are plain memory on every PC: above the interrupt vectors and below firmware's data.
 */
#define TRAMPOLINE_FIRST 0x8000
#define TRAMPOLINE_END 0x80000

/* From boot.S. */
extern const char trampoline_start[];
extern const char trampoline_end[];

/* What boot.S gives the processor that is being started. */
u64 smp_start_stack_top;
struct processor *smp_start_processor;

noreturn void smp_processor_main(struct processor *processor);

static struct processor *processors[PROCESSOR_LIMIT];
static unsigned processor_count;

/* What was written before a flag was set is seen by whoever sees the flag. */
static bool get_flag(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set_flag(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

static bool wait_for_flag(const bool *flag, bool value, unsigned milliseconds)
{
	u64 start = rdtsc();
	u64 limit = milliseconds * tsc_per_millisecond();

	while (get_flag(flag) != value) {
		if (rdtsc() - start > limit)
			return false;
		pause();
	}
	return true;
}

/* The started processor's own side: prepares itself, then runs what it is given, for ever. */
void smp_processor_main(struct processor *processor)
{
	processor_init(processor);
	apic_init();
	set_flag(&processor->online, true);
	for (;;) {
		if (get_flag(&processor->called)) {
			processor->function(processor->argument);
			cli();
			set_flag(&processor->called, false);
		} else {
			sti_hlt();
			cli();
		}
	}
}

static bool overlaps(u64 page, u64 start, u64 end)
{
	return start < page + PAGE_SIZE && page < end;
}

/* A page for the trampoline that holds nothing of the boot loader's which is still wanted; 0 when there is
 * none. */
static u64 find_trampoline_page(const struct boot_info *boot)
{
	for (u64 page = TRAMPOLINE_FIRST; page < TRAMPOLINE_END; page += PAGE_SIZE) {
		if (!overlaps(page, boot->block_start, boot->block_end) &&
		    !overlaps(page, boot->module_start, boot->module_end))
			return page;
	}
	return 0;
}

static struct processor *create_processor(unsigned index)
{
	size_t processor_pages = (sizeof(struct processor) + PAGE_SIZE - 1) / PAGE_SIZE;
	struct processor *processor = pages_alloc(processor_pages, 1);
	u8 *stack = pages_alloc(PROCESSOR_STACK_SIZE / PAGE_SIZE, 1);

	if (!processor || !stack)
		return NULL;
	processor->index = index;
	processor->stack_top = (u64)stack + PROCESSOR_STACK_SIZE;
	return processor;
}

/* A processor that does not answer keeps its memory: it may yet come. */
static bool start_processor(struct processor *processor, u32 apic_id, u64 trampoline)
{
	smp_start_stack_top = processor->stack_top;
	smp_start_processor = processor;
	apic_send_init(apic_id);
	pit_wait_microseconds(INIT_WAIT_MICROSECONDS);
	apic_send_startup(apic_id, (u8)(trampoline / PAGE_SIZE));
	pit_wait_microseconds(STARTUP_WAIT_MICROSECONDS);
	if (!get_flag(&processor->online))
		apic_send_startup(apic_id, (u8)(trampoline / PAGE_SIZE));
	return wait_for_flag(&processor->online, true, ONLINE_MILLISECONDS);
}

unsigned smp_start(const struct boot_info *boot, unsigned limit)
{
	u32 apic_ids[PROCESSOR_LIMIT];
	unsigned found = acpi_processors(boot->acpi_rsdp, boot->acpi_rsdp_size, apic_ids, PROCESSOR_LIMIT);
	u64 trampoline = find_trampoline_page(boot);

	processors[0] = boot_processor();
	processor_count = 1;
	if (found < 2 || limit < 2 || trampoline == 0)
		return processor_count;
	memcpy((void *)trampoline, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	for (unsigned i = 0; i < found && processor_count < limit; i++) {
		struct processor *processor;

		if (apic_ids[i] == apic_id())
			continue;
		processor = create_processor(processor_count);
		if (!processor || !start_processor(processor, apic_ids[i], trampoline))
			break;
		processors[processor_count++] = processor;
	}
	return processor_count;
}

struct processor *smp_processor(unsigned index)
{
	return index < processor_count ? processors[index] : NULL;
}

bool smp_begin(unsigned index, void (*function)(void *argument), void *argument)
{
	struct processor *processor = smp_processor(index);

	if (!processor || processor == this_processor() || get_flag(&processor->called))
		return false;
	processor->function = function;
	processor->argument = argument;
	set_flag(&processor->called, true);
	return apic_send_ipi(processor->apic_id, VECTOR_SMP_CALL);
}

bool smp_finish(unsigned index, unsigned milliseconds)
{
	struct processor *processor = smp_processor(index);

	return processor && wait_for_flag(&processor->called, false, milliseconds);
}

bool smp_call(unsigned index, void (*function)(void *argument), void *argument)
{
	if (smp_processor(index) == this_processor()) {
		function(argument);
		return true;
	}
	return smp_begin(index, function, argument) && smp_finish(index, SMP_CALL_LIMIT);
}
