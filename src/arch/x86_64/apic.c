/*
 * The local APIC, through its memory-mapped registers, and the two 8259 chips that it replaces.
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/pit.h"
#include "arch/x86_64/traps.h"

#define CPUID_1_EDX_APIC BIT(9)

/* IA32_APIC_BASE (SDM, "Local APIC Status and Location"). */
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDRESS 0xffffff000

/* Offsets of registers (SDM, "Local APIC Register Address Map"). */
#define REGISTER_ID 0x20
#define REGISTER_TASK_PRIORITY 0x80
#define REGISTER_EOI 0xb0
#define REGISTER_SPURIOUS 0xf0
#define REGISTER_IN_SERVICE 0x100
#define REGISTER_ICR_LOW 0x300
#define REGISTER_ICR_HIGH 0x310
#define REGISTER_LVT_TIMER 0x320
#define REGISTER_LVT_LINT0 0x350
#define REGISTER_LVT_LINT1 0x360
#define REGISTER_LVT_ERROR 0x370
#define REGISTER_INITIAL_COUNT 0x380
#define REGISTER_CURRENT_COUNT 0x390
#define REGISTER_DIVIDE 0x3e0

#define ID_SHIFT 24
#define SPURIOUS_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_NMI 0x400

/* Interrupt command register (SDM, "Interrupt Command Register (ICR)"). */
#define ICR_FIXED 0x000
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600
#define ICR_PENDING BIT(12)
#define ICR_ASSERT BIT(14)
#define ICR_SELF BIT(18)
#define ICR_DESTINATION_SHIFT 24

#define ICR_POLL_LIMIT 100000

/* Divide configuration: bits 3, 1 and 0 hold log2 of the divisor minus 1, where 111b is a divisor of 1. */
#define DIVIDE_BY_1 0xb

/* The 8259 pair. */
#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1
#define PIC_INIT_CASCADED 0x11
#define PIC_CASCADE_LINE 2
#define PIC_8086_MODE 0x01
#define PIC_MASK_ALL 0xff

/* The same for every processor: nobody moves it. */
static uptr base;

static u32 read_register(u32 offset)
{
	return *(volatile u32 *)(base + offset);
}

static void write_register(u32 offset, u32 value)
{
	*(volatile u32 *)(base + offset) = value;
}

void pic_disable(void)
{
	out8(PIC1_COMMAND, PIC_INIT_CASCADED);
	out8(PIC2_COMMAND, PIC_INIT_CASCADED);
	out8(PIC1_DATA, VECTOR_PIC);
	out8(PIC2_DATA, VECTOR_PIC + 8);
	out8(PIC1_DATA, 1 << PIC_CASCADE_LINE);
	out8(PIC2_DATA, PIC_CASCADE_LINE);
	out8(PIC1_DATA, PIC_8086_MODE);
	out8(PIC2_DATA, PIC_8086_MODE);
	out8(PIC1_DATA, PIC_MASK_ALL);
	out8(PIC2_DATA, PIC_MASK_ALL);
}

bool apic_init(void)
{
	u64 apic_base;

	if (!(cpuid(1, 0).edx & CPUID_1_EDX_APIC))
		return false;
	apic_base = rdmsr(IA32_APIC_BASE);
	/* From x2APIC mode the way back leads through "disabled" (SDM, "x2APIC State Transitions"). */
	if (apic_base & APIC_BASE_X2APIC) {
		apic_base &= ~(APIC_BASE_X2APIC | APIC_BASE_ENABLE);
		wrmsr(IA32_APIC_BASE, apic_base);
	}
	wrmsr(IA32_APIC_BASE, apic_base | APIC_BASE_ENABLE);
	base = apic_base & APIC_BASE_ADDRESS;

	write_register(REGISTER_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	write_register(REGISTER_LVT_TIMER, LVT_MASKED);
	write_register(REGISTER_LVT_LINT0, LVT_MASKED);
	write_register(REGISTER_LVT_LINT1, LVT_NMI);
	write_register(REGISTER_LVT_ERROR, LVT_MASKED);
	write_register(REGISTER_TASK_PRIORITY, 0);
	return true;
}

u32 apic_id(void)
{
	return read_register(REGISTER_ID) >> ID_SHIFT;
}

bool apic_in_service(u8 vector)
{
	return read_register(REGISTER_IN_SERVICE + vector / 32 * 0x10) & BIT(vector % 32);
}

void apic_eoi(void)
{
	write_register(REGISTER_EOI, 0);
}

static bool send(u32 destination, u32 command)
{
	write_register(REGISTER_ICR_HIGH, destination << ICR_DESTINATION_SHIFT);
	write_register(REGISTER_ICR_LOW, command | ICR_ASSERT);
	for (unsigned i = 0; i < ICR_POLL_LIMIT; i++) {
		if (!(read_register(REGISTER_ICR_LOW) & ICR_PENDING))
			return true;
		pause();
	}
	return false;
}

bool apic_send_ipi(u32 destination, u8 vector)
{
	return send(destination, ICR_FIXED | vector);
}

bool apic_send_init(u32 destination)
{
	return send(destination, ICR_INIT);
}

bool apic_send_startup(u32 destination, u8 page)
{
	return send(destination, ICR_STARTUP | page);
}

bool apic_self_ipi(u8 vector)
{
	return send(0, ICR_FIXED | ICR_SELF | vector);
}

static u32 divide_configuration(unsigned divide)
{
	u32 exponent = 0;

	while (exponent < 7 && 2u << exponent != divide)
		exponent++;
	if (exponent == 7)
		return DIVIDE_BY_1;
	return (exponent & 3) | (exponent & 4) << 1;
}

void apic_timer_start(u8 vector, u32 initial_count, unsigned divide)
{
	write_register(REGISTER_DIVIDE, divide_configuration(divide));
	write_register(REGISTER_LVT_TIMER, vector);
	write_register(REGISTER_INITIAL_COUNT, initial_count);
}

void apic_timer_stop(void)
{
	write_register(REGISTER_INITIAL_COUNT, 0);
	write_register(REGISTER_LVT_TIMER, LVT_MASKED);
}

#define CALIBRATION_MICROSECONDS 1000
#define MILLISECOND_DIVIDE 128

/* Steps of the timer, divided by MILLISECOND_DIVIDE, in a millisecond; at least 1. */
static u32 timer_rate(void)
{
	static u32 rate;

	if (rate == 0) {
		write_register(REGISTER_DIVIDE, divide_configuration(MILLISECOND_DIVIDE));
		write_register(REGISTER_LVT_TIMER, LVT_MASKED);
		write_register(REGISTER_INITIAL_COUNT, UINT32_MAX);
		pit_wait_microseconds(CALIBRATION_MICROSECONDS);
		rate = UINT32_MAX - read_register(REGISTER_CURRENT_COUNT);
		apic_timer_stop();
		rate += rate == 0;
	}
	return rate;
}

void apic_timer_start_milliseconds(u8 vector, unsigned milliseconds)
{
	u64 count = (u64)timer_rate() * milliseconds;

	apic_timer_start(vector, count < UINT32_MAX ? (u32)count : UINT32_MAX, MILLISECOND_DIVIDE);
}
