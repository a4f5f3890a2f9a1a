/*
 * Accesses whose register is part of the instruction and must be chosen at run time.
 */
#include "arch/x86_64/cpu.h"

#define READ_DR(n)                                                                                           \
	case n:                                                                                              \
		asm volatile("mov %%db" #n ", %0" : "=r"(value));                                            \
		break;

#define WRITE_DR(n)                                                                                          \
	case n:                                                                                              \
		asm volatile("mov %0, %%db" #n : : "r"(value));                                              \
		break;

u64 read_dr(unsigned n)
{
	u64 value = 0;

	switch (n) {
		READ_DR(0)
		READ_DR(1)
		READ_DR(2)
		READ_DR(3)
		READ_DR(6)
		READ_DR(7)
	}
	return value;
}

void write_dr(unsigned n, u64 value)
{
	switch (n) {
		WRITE_DR(0)
		WRITE_DR(1)
		WRITE_DR(2)
		WRITE_DR(3)
		WRITE_DR(6)
		WRITE_DR(7)
	}
}
