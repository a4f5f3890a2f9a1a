/*
 * MSR and XCR accesses that survive a fault: each goes round the instruction that clears "faulted" by its
 * fix-up.
 */
#include "arch/x86_64/msr.h"
#include "arch/x86_64/fixup.h"

bool rdmsr_safe(u32 msr, u64 *value)
{
	bool faulted = true;
	u32 low;
	u32 high;

	asm volatile("1: rdmsr\n\t"
		     "movb $0, %[faulted]\n\t"
		     "2:\n\t" FIXUP("1b", "2b")
		     : [faulted] "+m"(faulted), "=a"(low), "=d"(high)
		     : "c"(msr)
		     : "memory");
	if (!faulted)
		*value = (u64)high << 32 | low;
	return !faulted;
}

bool wrmsr_safe(u32 msr, u64 value)
{
	bool faulted = true;

	asm volatile("1: wrmsr\n\t"
		     "movb $0, %[faulted]\n\t"
		     "2:\n\t" FIXUP("1b", "2b")
		     : [faulted] "+m"(faulted)
		     : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32))
		     : "memory");
	return !faulted;
}

bool xsetbv_safe(u32 xcr, u64 value)
{
	bool faulted = true;

	asm volatile("1: xsetbv\n\t"
		     "movb $0, %[faulted]\n\t"
		     "2:\n\t" FIXUP("1b", "2b")
		     : [faulted] "+m"(faulted)
		     : "c"(xcr), "a"((u32)value), "d"((u32)(value >> 32))
		     : "memory");
	return !faulted;
}
