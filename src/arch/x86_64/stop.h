/*
 * The ends of the kernel: a stop with its reason from stops.def, and a panic, which is a stop with all
 * registers. Both print, run the recorder's hook, and end the machine with a status that the harness reads.
 */
#ifndef ARCH_STOP_H
#define ARCH_STOP_H

/* QEMU's isa-debug-exit takes the code; its status is code * 2 + 1. Bochs goes to its debugger, which quits.
 */
#define QEMU_EXIT_PORT 0xf4
#define BOCHS_EXIT_PORT 0x8900
#define BOCHS_EXIT_VALUE 0x44 /* 'D' */

#ifndef __ASSEMBLER__

#include "lib/types.h"

struct trap_frame;

enum stop_code {
#define STOP(code, name, meaning) STOP_##name = code,
#include "stops.def"
#undef STOP
};

/* Messages longer than this are cut short. */
#define STOP_DETAIL_MAX 256

/*
 * Prints "exitscope: stop NAME: details", calls the hook, and ends the machine: by QEMU_EXIT_PORT, by
 * BOCHS_EXIT_PORT, and where neither ends it, by HLT for ever.
 */
noreturn void stop(enum stop_code code, const char *fmt, ...) __printf_like(2, 3);

/* Called once by every stop, a panic's too (after the panic hook), before the machine ends. */
void stop_set_hook(void (*hook)(enum stop_code code, const char *detail));

struct panic_info {
	const char *message;
	const struct trap_frame *frame; /* NULL when no exception led here */
	u64 cr2;
	u64 cr3;
	unsigned processor;
};

/* Prints the message with the caller's address, then as stop(STOP_PANIC). */
noreturn void panic(const char *fmt, ...) __printf_like(1, 2);

/* The same for an exception: prints all registers too. */
noreturn void panic_at(const struct trap_frame *frame, const char *fmt, ...) __printf_like(2, 3);

/* Called once, by the first panic. A panic or stop inside a hook calls no more hooks and ends the machine. */
void panic_set_hook(void (*hook)(const struct panic_info *info));

#endif

#endif
