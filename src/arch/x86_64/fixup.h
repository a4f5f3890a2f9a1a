/*
 * Instructions that are expected to fault: a pair of addresses in the section .fixup_table says where to go on
 * when the instruction at the first raises an exception (not an NMI or #MC). traps.c looks it up. Registers and
 * memory are as they were before the instruction, so the code presets "it faulted" and clears that behind it:
 *
 *	asm volatile("1: rdmsr\n\t"
 *		     "movb $0, %[faulted]\n\t"
 *		     "2:\n\t" FIXUP("1b", "2b") : ...
 */
#ifndef ARCH_FIXUP_H
#define ARCH_FIXUP_H

#include "lib/types.h"

#define FIXUP(from, to)                                                                                      \
	".pushsection .fixup_table, \"a\"\n\t"                                                               \
	".balign 8\n\t"                                                                                      \
	".quad " from ", " to "\n\t"                                                                         \
	".popsection\n\t"

/* Where to go on after an exception at rip; 0 when none is expected there. */
u64 fixup_find(u64 rip);

#endif
