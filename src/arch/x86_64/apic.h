/*
 * The local APIC in xAPIC mode, and the old PIC, which is masked (SDM, "Advanced Programmable Interrupt
 * Controller (APIC)"). Interrupts to guests and between processors are made here.
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include "lib/types.h"

/* Remaps the PIC to VECTOR_PIC, out of the exceptions' way, and masks all of it. Once, on the boot processor.
 */
void pic_disable(void);

/*
 * Enables the local APIC of the processor that it runs on, with every local interrupt but NMI masked and the
 * task priority 0. False when there is none. Every other function here needs it first.
 */
bool apic_init(void);

/* The local APIC's identifier of the processor that it runs on, 0 to 255. */
u32 apic_id(void);

/* Ends the interrupt in service. The trap handler does it for interrupts that the kernel accepts. */
void apic_eoi(void);

/* Whether that interrupt has been accepted and not yet ended. */
bool apic_in_service(u8 vector);

/* Interrupts for the processor with that identifier, by kind. False when the APIC does not take it within its
 * limit. */
bool apic_send_ipi(u32 apic_id, u8 vector);
bool apic_send_init(u32 apic_id);
/* Starts a processor that waits for it at physical address page * 4096, in real mode. */
bool apic_send_startup(u32 apic_id, u8 page);

/* For the processor itself. vector: 16 to 255. */
bool apic_self_ipi(u8 vector);

/*
 * One-shot timer: counts down from initial_count (1 on), one step each `divide` ticks (1, 2, 4, 8, 16, 32, 64
 * or 128; any other number counts as 1), then raises vector.
 */
void apic_timer_start(u8 vector, u32 initial_count, unsigned divide);
void apic_timer_stop(void);

/*
 * The same, after at least so many milliseconds (as far as 32 bits of ticks reach). The first call measures
 * the timer's rate against the PIT, which takes a millisecond.
 */
void apic_timer_start_milliseconds(u8 vector, unsigned milliseconds);

#endif
