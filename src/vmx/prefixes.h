/*
 * What the prefixes of an instruction say about its memory operand (SDM, "Instruction Prefixes"). Pure. For exits
 * of INS and OUTS, whose instruction information not every processor gives: exit.c asks which segment is used,
 * exits/io.c the address size, too.
 */
#ifndef VMX_PREFIXES_H
#define VMX_PREFIXES_H

#include "vmx/exit.h"

struct prefixes {
	unsigned segment;  /* number of the segment register: the given one where no prefix counts */
	bool address_size; /* 67H is there */
};

/* Reads the prefixes of the instruction that exited. 64-bit mode ignores those for ES, CS, SS and DS. */
struct prefixes read_prefixes(const struct vm_exit *exit, bool is_64_bit, unsigned segment);

#endif
