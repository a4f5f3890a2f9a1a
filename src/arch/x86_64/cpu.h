/*
 * Single instructions of the processor as functions: everything privileged or unknown to C. Each does what
 * the SDM's instruction reference says under its name and faults where the instruction does; msr.h has
 * versions that survive.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "lib/types.h"

struct cpuid_result {
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result result;

	asm volatile("cpuid"
		     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
		     : "a"(leaf), "c"(subleaf));
	return result;
}

/* The initial local APIC identifier: the same as APIC ID on processors without x2APIC. */
static inline u32 processor_id(void)
{
	return cpuid(1, 0).ebx >> 24;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low;
	u32 high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define CONTROL_REGISTER_ACCESS(n)                                                                           \
	static inline u64 read_cr##n(void)                                                                   \
	{                                                                                                    \
		u64 value;                                                                                   \
                                                                                                             \
		asm volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");                               \
		return value;                                                                                \
	}                                                                                                    \
                                                                                                             \
	static inline void write_cr##n(u64 value)                                                            \
	{                                                                                                    \
		asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory");                                   \
	}

CONTROL_REGISTER_ACCESS(0)
CONTROL_REGISTER_ACCESS(2)
CONTROL_REGISTER_ACCESS(3)
CONTROL_REGISTER_ACCESS(4)
CONTROL_REGISTER_ACCESS(8)

/* Debug registers 0 to 3, 6 and 7; any other number reads 0 and is not written. */
u64 read_dr(unsigned n);
void write_dr(unsigned n, u64 value);

static inline u64 rdtsc(void)
{
	u32 low;
	u32 high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* The area is aligned to 64 bytes, zeroed before its first use, and as large as CPUID.(EAX=0DH,ECX=0):EBX
 * says. */
static inline void xsave(void *area, u64 components)
{
	asm volatile("xsave64 (%0)"
		     :
		     : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
		     : "memory");
}

static inline void xsaveopt(void *area, u64 components)
{
	asm volatile("xsaveopt64 (%0)"
		     :
		     : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
		     : "memory");
}

static inline void xrstor(const void *area, u64 components)
{
	asm volatile("xrstor64 (%0)"
		     :
		     : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
		     : "memory");
}

/* For processors without XSAVE: 512 bytes, aligned to 16. */
static inline void fxsave(void *area)
{
	asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void fxrstor(const void *area)
{
	asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* IRET to where it is, for what else IRET does: NMIs, blocked since the last one came, are no longer blocked.
 */
static inline void unblock_nmis(void)
{
	u64 scratch;

	asm volatile("mov %%ss, %k0\n\t"
		     "push %0\n\t"
		     "lea 8(%%rsp), %0\n\t"
		     "push %0\n\t"
		     "pushf\n\t"
		     "mov %%cs, %k0\n\t"
		     "push %0\n\t"
		     "lea 1f(%%rip), %0\n\t"
		     "push %0\n\t"
		     "iretq\n"
		     "1:"
		     : "=&r"(scratch)
		     :
		     : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* Lets interrupts in and sleeps in one step: none can slip in between and leave the processor asleep. */
static inline void sti_hlt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

static inline void pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* What GDTR and IDTR hold: limit in bytes, minus one, and linear base address. */
struct descriptor_table {
	u16 limit;
	u64 base;
} __packed;

static inline void lgdt(const struct descriptor_table *table)
{
	asm volatile("lgdt %0" : : "m"(*table) : "memory");
}

static inline void lidt(const struct descriptor_table *table)
{
	asm volatile("lidt %0" : : "m"(*table) : "memory");
}

static inline void ltr(u16 selector)
{
	asm volatile("ltr %0" : : "r"(selector) : "memory");
}

#endif
