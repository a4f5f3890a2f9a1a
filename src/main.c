/*
 * Composes the rest: boot, find the work, run it, end. boot.S calls kernel_main on the boot processor.
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/multiboot2.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/processor.h"
#include "arch/x86_64/screen.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/stop.h"
#include "build_id.h"
#include "guest/catalogue.h"
#include "lib/format.h"
#include "lib/string.h"
#include "options.h"
#include "run.h"
#include "trace/recorder.h"
#include "vmx/vmx.h"
#include "vmx/xstate.h"

/* A multiboot2 information block says its own size; none that a loader makes is larger. */
#define BOOT_BLOCK_MAX (1 << 20)

#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_BRAND_FIRST 0x80000002
#define LEAF_BRAND_LAST 0x80000004

static struct boot_info boot;
static struct options options;
static struct catalogue catalogue;
static struct vmx_capability capability;
static struct vcpu vcpu;
static u32 guests_begun;

void kernel_main(u32 magic, const void *boot_information);

static void end_recording(enum stop_code code, const char *detail)
{
	record_end(code, detail, guests_begun);
}

static void boot_machine(u32 magic, const void *boot_information)
{
	const char *why;

	boot_processor_init();
	serial_init();
	screen_init();
	if (magic != MULTIBOOT2_LOADER_MAGIC)
		stop(STOP_NOT_MULTIBOOT2, "EAX held 0x%x: boot with a multiboot2 loader such as GRUB", magic);
	if (!multiboot2_parse(boot_information, BOOT_BLOCK_MAX, &boot, &why))
		stop(STOP_NOT_MULTIBOOT2, "the loader's information is damaged: %s", why);
	pages_init(&boot);
	pic_disable();
	if (!apic_init())
		stop(STOP_VMX_UNSUITABLE, "the processor has no local APIC");
}

static void find_work(void)
{
	const char *why;

	if (!options_parse(&options, boot.command_line))
		stop(STOP_BAD_COMMAND_LINE, "%s", options.error);
	if (boot.module_start == boot.module_end)
		stop(STOP_NO_CATALOGUE,
		     "load build/catalogue.a as the kernel's module (module2 in grub.cfg)");
	if (!catalogue_read(&catalogue, (const void *)boot.module_start, boot.module_end - boot.module_start,
			    &why))
		stop(STOP_BAD_CATALOGUE, "%s", why);
}

/* A guest may run on any processor: they must all have the boot processor's VMX. */
static void compare_capability(const struct vmx_capability *mine)
{
	for (unsigned i = 0; i < VMX_MSR_COUNT; i++) {
		if (mine->msr[i] != capability.msr[i] || mine->present != capability.present)
			stop(STOP_VMX_UNSUITABLE,
			     "processor %u has another VMX than processor 0: MSR 0x%x is 0x%lx, and not "
			     "0x%lx",
			     this_processor()->index, VMX_MSR_FIRST + i, mine->msr[i], capability.msr[i]);
	}
}

/* On each processor: VMX must be there and alike everywhere, and is switched on. */
static void start_vmx(void *argument)
{
	struct vmx_capability mine;
	const char *why;

	(void)argument;
	switch (vmx_detect(&mine, &why)) {
	case VMX_SUPPORTED:
		break;
	case VMX_ABSENT:
		stop(STOP_NO_VMX, "%s", why);
	case VMX_LOCKED_OFF:
		stop(STOP_VMX_LOCKED_OFF, "%s", why);
	case VMX_UNSUITABLE:
		stop(STOP_VMX_UNSUITABLE, "%s", why);
	}

	if (this_processor()->index == 0)
		capability = mine;
	compare_capability(&mine);

	struct vmx_region *region = vmx_region_create(&capability);

	if (!region)
		stop(STOP_OUT_OF_MEMORY, "there is no page for a VMXON region");
	vmx_on(region, &capability);
	xstate_init();
}

static void stop_vmx(void *argument)
{
	(void)argument;
	vmx_off();
}

/* Leaves every processor as firmware and boot loaders expect it. */
static void stop_processors(unsigned processors)
{
	for (unsigned i = processors; i-- > 0;) {
		if (!smp_call(i, stop_vmx, NULL))
			panic("processor %u did not leave VMX operation", i);
	}
}

static unsigned start_processors(void)
{
	unsigned limit = options.processors ? options.processors : PROCESSOR_LIMIT;

	start_vmx(NULL);

	unsigned processors = smp_start(&boot, limit);

	for (unsigned i = 1; i < processors; i++) {
		if (!smp_call(i, start_vmx, NULL))
			panic("processor %u did not enter VMX operation", i);
	}
	if (!vcpu_create(&vcpu, &capability))
		stop(STOP_OUT_OF_MEMORY, "there are no pages for a vCPU");
	return processors;
}

/* CPUID's texts, 12 bytes of vendor from EBX, EDX, ECX (or EBX, ECX, EDX for a hypervisor), 48 of brand. */
struct cpuid_texts {
	char vendor[13];
	char hypervisor[13];
	char brand[49];
};

static void read_cpuid_texts(struct cpuid_texts *texts)
{
	struct cpuid_result leaf = cpuid(0, 0);

	memset(texts, 0, sizeof(*texts));
	memcpy(texts->vendor, &leaf.ebx, 4);
	memcpy(texts->vendor + 4, &leaf.edx, 4);
	memcpy(texts->vendor + 8, &leaf.ecx, 4);
	if (cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) {
		leaf = cpuid(LEAF_HYPERVISOR, 0);
		memcpy(texts->hypervisor, &leaf.ebx, 12);
	}
	for (u32 i = LEAF_BRAND_FIRST; i <= LEAF_BRAND_LAST && cpuid(0x80000000, 0).eax >= i; i++) {
		leaf = cpuid(i, 0);
		memcpy(texts->brand + (i - LEAF_BRAND_FIRST) * sizeof(leaf), &leaf, sizeof(leaf));
	}
}

/* A guest's name need not be UTF-8 when its file is malformed, nor a brand: what is not ASCII becomes '?'. */
static void make_ascii(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static void record_beginning(unsigned processors, u32 selected)
{
	struct cpuid_texts texts;

	read_cpuid_texts(&texts);
	make_ascii(texts.vendor);
	make_ascii(texts.hypervisor);
	make_ascii(texts.brand);
	record_header(&(struct record_header){
		.build = BUILD_ID,
		.command_line = boot.command_line,
		.loader = boot.loader,
		.hypervisor = texts.hypervisor,
		.vendor = texts.vendor,
		.brand = texts.brand,
		.signature = cpuid(1, 0).eax,
		.processors = processors,
		.capability = &capability,
		.guests = catalogue.count,
		.selected = selected,
	});
	for (u32 i = 0; i < catalogue.count; i++) {
		make_ascii(catalogue.guests[i].name);
		record_catalogue(i, catalogue.guests[i].name, catalogue.guests[i].digest);
	}
}

static void log_memory(void)
{
	char text[80];

	format(text, sizeof(text), "%zu KiB of memory, %zu KiB of it free",
	       pages_statistics().total * (PAGE_SIZE / 1024), pages_statistics().free * (PAGE_SIZE / 1024));
	record_log(text);
}

/* Fills `numbers` with the guests to run, in order; how many they are. */
static u32 select_guests(u32 *numbers)
{
	bool started = options.from[0] == '\0';
	u32 selected = 0;

	options_arrange(&options, numbers, catalogue.count);
	for (u32 i = 0; i < catalogue.count; i++) {
		const char *name = catalogue.guests[numbers[i]].name;

		started = started || strcmp(name, options.from) == 0;
		if (started && options_select(&options, name))
			numbers[selected++] = numbers[i];
	}
	return selected;
}

static u32 *allocate_numbers(void)
{
	u32 *numbers = pages_alloc((catalogue.count * sizeof(u32) + PAGE_SIZE - 1) / PAGE_SIZE, 1);

	if (!numbers)
		stop(STOP_OUT_OF_MEMORY, "there is no page for the order of the run");
	return numbers;
}

void kernel_main(u32 magic, const void *boot_information)
{
	boot_machine(magic, boot_information);
	find_work();

	unsigned processors = start_processors();
	u32 *numbers = allocate_numbers();
	u32 selected = select_guests(numbers);

	recorder_start(serial_write);
	stop_set_hook(end_recording);
	panic_set_hook(record_panic);
	record_beginning(processors, selected);
	log_memory();
	if (selected == 0)
		stop(STOP_NO_SUCH_GUEST, "none of %u guests matches guests=%s from=%s", catalogue.count,
		     options.guests, options.from);
	for (u32 i = 0; i < selected; i++) {
		const struct guest *guest = &catalogue.guests[numbers[i]];

		if (options.verbose)
			print("guest %u of %u: %s\n", i + 1, selected, guest->name);
		guests_begun++;
		run_guest(&vcpu, guest, processors);
	}
	stop_processors(processors);
	stop(STOP_DONE, "%u guests were run", guests_begun);
}
