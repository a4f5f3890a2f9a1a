/*
 * Exceptions and interrupts in the kernel itself. An exception with a fix-up goes on there, an NMI is
 * let go, an interrupt is noted and acknowledged; everything else is a panic with all registers.
 */
#ifndef ARCH_TRAPS_H
#define ARCH_TRAPS_H

/* Interrupt and exception vectors that the kernel knows by name. Assembly uses them too. */
#define VECTOR_DEBUG 1
#define VECTOR_NMI 2
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_EXCEPTION_COUNT 32 /* from here on: interrupts */
#define VECTOR_PIC 0x20		  /* 16 vectors, masked: only spurious ones arrive */
#define VECTOR_SMP_CALL 0xf0	  /* wakes a processor for smp_call; not noted */
#define VECTOR_SPURIOUS 0xff	  /* of the local APIC; not noted, not acknowledged */
#define VECTOR_COUNT 256

#ifndef __ASSEMBLER__

#include "lib/types.h"

#define TRAP_REGISTER_COUNT 16
#define TRAP_RSP 4

/* What traps.S pushes. general[] is in the order of instruction encodings: RAX RCX RDX RBX RSP RBP RSI RDI R8
 * to R15. */
struct trap_frame {
	u64 general[TRAP_REGISTER_COUNT];
	u64 vector;
	u64 error; /* 0 where the exception has none */
	u64 rip;
	u64 cs;
	u64 rflags;
	u64 rsp;
	u64 ss;
};

/* "#PF page fault" and so on, "interrupt" from vector 32 on. */
const char *trap_name(u64 vector);

/*
 * Lets pending external interrupts in, then closes the door again (RFLAGS.IF is 0 afterwards). Returns the
 * vector of the last one accepted, or NO_VECTOR. All of them have been acknowledged at the local APIC.
 */
int interrupts_accept(void);

#endif

#endif
