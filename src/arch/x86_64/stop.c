/*
 * The ends of the kernel. A fault on the way, in a hook or in the printing, comes back here as a panic: each
 * such round does less, and the third ends the machine at once.
 */
#include "arch/x86_64/stop.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/processor.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/traps.h"
#include "lib/format.h"
#include <stdarg.h>

static const struct {
	const char *name;
} stops[] = {
#define STOP(code, name_, meaning) [code] = {.name = #name_},
#include "stops.def"
#undef STOP
};

enum round { ROUND_FULL = 1, ROUND_WITHOUT_HOOKS = 2 };

static void (*stop_hook)(enum stop_code code, const char *detail);
static void (*panic_hook)(const struct panic_info *info);
static volatile unsigned round;
/* The first message, which a panic inside the panic hook would otherwise hide. */
static char first_message[STOP_DETAIL_MAX];

static const char *stop_name(enum stop_code code)
{
	return code < ARRAY_SIZE(stops) ? stops[code].name : "unknown";
}

void stop_set_hook(void (*hook)(enum stop_code code, const char *detail))
{
	stop_hook = hook;
}

void panic_set_hook(void (*hook)(const struct panic_info *info))
{
	panic_hook = hook;
}

static noreturn void machine_end(enum stop_code code)
{
	serial_flush();
	out32(QEMU_EXIT_PORT, code);
	out8(BOCHS_EXIT_PORT, BOCHS_EXIT_VALUE);
	for (;;) {
		cli();
		hlt();
	}
}

/* Every end comes through here, and again when something in it fails. */
static void begin_round(enum stop_code code)
{
	cli();
	if (++round > ROUND_WITHOUT_HOOKS)
		machine_end(code);
}

static noreturn void finish(enum stop_code code, const char *detail)
{
	print("exitscope: stop %s: %s\n", stop_name(code), detail);
	if (round == ROUND_FULL && stop_hook)
		stop_hook(code, detail);
	machine_end(code);
}

void stop(enum stop_code code, const char *fmt, ...)
{
	char detail[STOP_DETAIL_MAX];
	va_list arguments;

	va_start(arguments, fmt);
	vformat(detail, sizeof(detail), fmt, arguments);
	va_end(arguments);
	begin_round(code);
	finish(code, detail);
}

static void print_registers(const struct panic_info *info)
{
	static const char *const names[TRAP_REGISTER_COUNT] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
	};
	const struct trap_frame *frame = info->frame;

	if (frame) {
		print("  %s (vector %lu), error code 0x%lx\n", trap_name(frame->vector), frame->vector,
		      frame->error);
		print("  RIP %04lx:%016lx  RSP %04lx:%016lx  RFLAGS %016lx\n", frame->cs, frame->rip,
		      frame->ss, frame->rsp, frame->rflags);
		for (unsigned i = 0; i < TRAP_REGISTER_COUNT; i++)
			print("%s%s %016lx%s", i % 4 == 0 ? "  " : "", names[i], frame->general[i],
			      i % 4 == 3 ? "\n" : "  ");
	}
	print("  CR0 %016lx  CR2 %016lx  CR3 %016lx  CR4 %016lx\n", read_cr0(), info->cr2, info->cr3,
	      read_cr4());
}

/*
 * The hook comes before the text: if the panic struck inside a record, the hook's own record is what makes a
 * reader of the serial port find its place again.
 */
static noreturn void panic_with(const struct trap_frame *frame, u64 caller, const char *fmt,
				va_list arguments)
{
	char message[STOP_DETAIL_MAX];
	struct processor *processor = boot_processor() ? this_processor() : NULL;
	struct panic_info info = {
		.message = message,
		.frame = frame,
		.cr2 = read_cr2(),
		.cr3 = read_cr3(),
		.processor = processor ? processor->index : 0,
	};

	begin_round(STOP_PANIC);
	vformat(message, sizeof(message), fmt, arguments);
	if (round == ROUND_FULL) {
		format(first_message, sizeof(first_message), "%s", message);
		if (panic_hook)
			panic_hook(&info);
	} else {
		print("\nexitscope: failed again while reporting: %s\n", first_message);
	}
	print("\nexitscope: panic on processor %u, from 0x%lx: %s\n", info.processor, caller, message);
	print_registers(&info);
	finish(STOP_PANIC, message);
}

void panic(const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	panic_with(NULL, (u64)__builtin_return_address(0), fmt, arguments);
}

void panic_at(const struct trap_frame *frame, const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	panic_with(frame, frame->rip, fmt, arguments);
}
