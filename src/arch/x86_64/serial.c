/*
 * The serial port, polled. One byte goes out for each time that the transmitter says it is ready.
 */
#include "arch/x86_64/serial.h"
#include "arch/x86_64/cpu.h"

/* At 115200 baud a byte takes 87 microseconds, and a port read at least a tenth of one. */
#define POLL_LIMIT 100000

/* What an absent port reads as. */
#define LINE_STATUS_ABSENT 0xff

/* After one wait that came to nothing there are no more waits, or every byte would cost one. */
static bool stuck;

static bool wait_for(u8 status)
{
	for (unsigned i = 0; i < (stuck ? 1 : POLL_LIMIT); i++) {
		u8 now = in8(SERIAL_PORT + SERIAL_LINE_STATUS);

		if ((now & status) && now != LINE_STATUS_ABSENT) {
			stuck = false;
			return true;
		}
	}
	stuck = true;
	return false;
}

void serial_init(void)
{
	out8(SERIAL_PORT + SERIAL_INTERRUPT_ENABLE, 0);
	out8(SERIAL_PORT + SERIAL_LINE_CONTROL, SERIAL_DIVISOR_ACCESS);
	out8(SERIAL_PORT + SERIAL_DIVISOR_LOW, SERIAL_DIVISOR);
	out8(SERIAL_PORT + SERIAL_DIVISOR_HIGH, 0);
	out8(SERIAL_PORT + SERIAL_LINE_CONTROL, SERIAL_8N1);
	out8(SERIAL_PORT + SERIAL_FIFO_CONTROL, SERIAL_FIFO_ENABLE_AND_CLEAR);
	out8(SERIAL_PORT + SERIAL_MODEM_CONTROL, SERIAL_DTR_RTS);
	stuck = false;
}

void serial_write(const void *bytes, size_t size)
{
	const u8 *byte = bytes;

	for (size_t i = 0; i < size; i++) {
		if (wait_for(SERIAL_TRANSMIT_READY))
			out8(SERIAL_PORT + SERIAL_DATA, byte[i]);
	}
}

void serial_flush(void)
{
	wait_for(SERIAL_TRANSMIT_IDLE);
}
