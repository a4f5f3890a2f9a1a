/*
 * Waits with channel 2 of the 8254, whose output can be read at port 61H, and the TSC's rate.
 */
#include "arch/x86_64/pit.h"
#include "arch/x86_64/cpu.h"

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL2_ONE_SHOT                                                                                \
	0xb0 /* channel 2, both bytes, mode 0: the output rises when the count is done */
#define PIT_HERTZ 1193182

#define CONTROL_PORT 0x61
#define CONTROL_GATE2 0x01
#define CONTROL_SPEAKER 0x02
#define CONTROL_OUTPUT2 0x20

#define MICROSECONDS_MAX 50000 /* of one count, which has 16 bits */

/* A read of the port takes at least a tenth of a microsecond; the longest count takes 500000 of those. */
#define POLL_LIMIT 1000000

static bool wait_once(unsigned microseconds)
{
	unsigned count = (unsigned)((u64)microseconds * PIT_HERTZ / 1000000) + 1;
	u8 control = in8(CONTROL_PORT) & ~(CONTROL_SPEAKER | CONTROL_GATE2);

	out8(CONTROL_PORT, control | CONTROL_GATE2);
	out8(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
	out8(PIT_CHANNEL2, count & 0xff);
	out8(PIT_CHANNEL2, count >> 8);
	for (unsigned i = 0; i < POLL_LIMIT; i++) {
		if (in8(CONTROL_PORT) & CONTROL_OUTPUT2)
			return true;
	}
	return false;
}

bool pit_wait_microseconds(unsigned microseconds)
{
	for (; microseconds > MICROSECONDS_MAX; microseconds -= MICROSECONDS_MAX) {
		if (!wait_once(MICROSECONDS_MAX))
			return false;
	}
	return wait_once(microseconds);
}

u64 tsc_per_millisecond(void)
{
	static u64 rate;

	if (rate == 0) {
		u64 start = rdtsc();

		pit_wait_microseconds(1000);
		rate = rdtsc() - start;
		if (rate == 0)
			rate = 1;
	}
	return rate;
}
