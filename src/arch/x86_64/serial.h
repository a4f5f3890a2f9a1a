/*
 * The first serial port (COM1, 3F8H) at 115200 baud, 8N1: console text and records go out here. Every wait is
 * bounded: a port that is missing or stuck loses bytes and never hangs the kernel.
 */
#ifndef ARCH_SERIAL_H
#define ARCH_SERIAL_H

#define SERIAL_PORT 0x3f8

/* The port's registers, as offsets from SERIAL_PORT (16550 data sheet). */
#define SERIAL_DATA 0
#define SERIAL_INTERRUPT_ENABLE 1
#define SERIAL_FIFO_CONTROL 2
#define SERIAL_LINE_CONTROL 3
#define SERIAL_MODEM_CONTROL 4
#define SERIAL_LINE_STATUS 5
#define SERIAL_DIVISOR_LOW 0  /* with SERIAL_DIVISOR_ACCESS set */
#define SERIAL_DIVISOR_HIGH 1 /* likewise */

#define SERIAL_DIVISOR 1 /* 115200 baud */
#define SERIAL_8N1 0x03
#define SERIAL_DIVISOR_ACCESS 0x80
#define SERIAL_FIFO_ENABLE_AND_CLEAR 0x07
#define SERIAL_DTR_RTS 0x03
#define SERIAL_TRANSMIT_READY 0x20 /* line status: the transmitter takes a byte */
#define SERIAL_TRANSMIT_IDLE 0x40  /* line status: everything has gone out */

#ifndef __ASSEMBLER__

#include "lib/types.h"

void serial_init(void);

void serial_write(const void *bytes, size_t size);

/* Waits until everything has left the port, so that the machine can be ended. */
void serial_flush(void);

#endif

#endif
