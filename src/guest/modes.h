/*
 * The processor modes that a micro-guest can start in: its descriptor tables and page tables in guest memory,
 * and the guest state of the VMCS (SDM, "Guest Register State", "Checks on Guest Segment Registers").
 */
#ifndef GUEST_MODES_H
#define GUEST_MODES_H

#include "lib/types.h"
#include "vmx/vcpu.h"

enum mode {
#define MODE(number, name, bits, meaning) MODE_##name = number,
#include "guest/modes.def"
#undef MODE
	MODE_COUNT
};

const char *mode_name(enum mode mode);

/* Adds the controls that the mode needs; false, with *missing the control's name, when the processor lacks
 * one. */
bool mode_need_controls(enum mode mode, struct vcpu *vcpu, const char **missing);

/*
 * Fills GDT, TSS and page tables (layout.h) in the vCPU's memory, and writes the guest state of the VMCS:
 * segments, control registers, EFER, RSP, RFLAGS. ring is 0 or 3. The controls must have been applied.
 */
void mode_set_up(enum mode mode, unsigned ring, struct vcpu *vcpu);

/* Puts a gate for a vector (0 to 255) into the guest's IDT, in the mode's format: an interrupt gate to ring
 * 0. */
void mode_set_gate(enum mode mode, struct vcpu *vcpu, unsigned vector, u64 handler);

/* How many bytes from 0 on the mode's page tables map: 0 without paging, just the guest's memory without EPT. */
u64 mode_mapped_bytes(enum mode mode, const struct vcpu *vcpu);

/*
 * Sets and clears bits of the page-table entries of [address, address+length), below mode_mapped_bytes. Bits above bit 31
 * count only where entries have 64 bits.
 */
void mode_change_pages(enum mode mode, struct vcpu *vcpu, u64 address, u64 length, u64 set, u64 clear);

#endif
