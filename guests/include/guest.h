/*
 * The language that a micro-guest is written in: macros for its head, which turn into ELF notes (src/guest/notes.def),
 * and for its end. Names of exit reasons, VMCS fields, controls and so on come from the kernel's own tables; a wrong
 * one is an error that names the table. docs/guests.md describes every macro.
 */
#ifndef GUEST_H
#define GUEST_H

#include "guest/layout.h"
#include "vmx/exit_port.h"

	.intel_syntax noprefix

/* Every table becomes local symbols (.L: the assembler leaves no trace of them in the guest's file). */
#define EXIT_REASON(number, name, ...) .set .Lreason_##name, number;
#include "vmx/exit_reasons.def"
#undef EXIT_REASON
#define INSTRUCTION_ERROR(number, name, meaning) .set .Lerror_##name, number;
#include "vmx/instruction_errors.def"
#undef INSTRUCTION_ERROR
#define VMCS_FIELD(encoding, name) .set .Lfield_##name, encoding;
#include "vmx/vmcs_fields.def"
#undef VMCS_FIELD
	.set .Lword_PIN, 0
	.set .Lword_PRIMARY, 1
	.set .Lword_SECONDARY, 2
	.set .Lword_TERTIARY, 3
	.set .Lword_EXIT, 4
	.set .Lword_ENTRY, 5
#define CONTROL(word, bit, name, title) .set .Lcontrol_word_##name, .Lword_##word; .set .Lcontrol_bit_##name, bit;
#include "vmx/controls.def"
#undef CONTROL
#define CAPABILITY(name, msr, bit, title) .set .Lcapability_msr_##name, msr; .set .Lcapability_bit_##name, bit;
#include "vmx/capabilities.def"
#undef CAPABILITY
#define CPUID_FEATURE(name, leaf, subleaf, register, bit)                                                              \
	.set .Lcpuid_leaf_##name, leaf; .set .Lcpuid_subleaf_##name, subleaf;                                          \
	.set .Lcpuid_register_##name, register; .set .Lcpuid_bit_##name, bit;
#include "arch/x86_64/cpuid_features.def"
#undef CPUID_FEATURE
#define MODE(number, name, bits, meaning) .set .Lmode_##name, number; .set .Lmode_bits_##name, bits;
#include "guest/modes.def"
#undef MODE
#define NOTE(type, name, layout, meaning) .set .Lnote_##name, type;
#include "guest/notes.def"
#undef NOTE
#define VALUE(group, number, name) .set .L##group##_##name, number;
#include "vmx/exit_fields.def"
#undef VALUE

/* One ELF note: NOTE type, payload, NOTE_END. */
	.macro NOTE type
	.pushsection .note.exitscope, "", @note
	.balign 4
	.long 10, 99902f - 99901f, \type
	.asciz "Exitscope"
	.balign 4
99901:
	.endm

	.macro NOTE_END
99902:
	.balign 4
	.popsection
	.endm

/* Stops the assembly when a table has no such name. */
	.macro KNOWN symbol, name, table
	.ifndef \symbol
	.error "guest.h: \table has no \name"
	.endif
	.endm

/* GUEST name [, variant]: opens a guest; the name is the file's. */
	.macro GUEST name:req, variant
	NOTE .Lnote_GUEST
	.ascii "\name"
	.ifnb \variant
	.ascii ".\variant"
	.endif
	.byte 0
	NOTE_END
	.endm

/* MODE name [, ring]: the mode of modes.def that it starts in, and its privilege level (0 or 3). */
	.macro MODE name:req, ring=0
	KNOWN .Lmode_\name, \name, "src/guest/modes.def"
	NOTE .Lnote_MODE
	.long .Lmode_\name, \ring
	NOTE_END
	.set .Lbits, .Lmode_bits_\name
	.endm

/* REASON name: the exit reason that the guest is for. */
	.macro REASON name:req
	KNOWN .Lreason_\name, \name, "src/vmx/exit_reasons.def"
	NOTE .Lnote_REASON
	.long .Lreason_\name
	NOTE_END
	.endm

/* SECTION "title": where the SDM says what must happen. */
	.macro SECTION title:req
	NOTE .Lnote_SECTION
	.asciz "\title"
	NOTE_END
	.endm

/* EXPECT name, label: the next exit, and the label (or label+offset) that RIP must hold at it. */
	.macro EXPECT name:req, label:req
	KNOWN .Lreason_\name, \name, "src/vmx/exit_reasons.def"
	NOTE .Lnote_EXPECT
	.long .Lreason_\name
	.quad \label
	NOTE_END
	.endm

/* EXPECT_VMFAIL name: VM entry itself must fail, with this VM-instruction error. */
	.macro EXPECT_VMFAIL name:req
	KNOWN .Lerror_\name, \name, "src/vmx/instruction_errors.def"
	NOTE .Lnote_EXPECT_VMFAIL
	.long .Lerror_\name
	NOTE_END
	.endm

/* NEED feature: a CPUID feature of cpuid_features.def, or a bit of capabilities.def. */
	.macro NEED name:req
	.ifdef .Lcapability_msr_\name
	NOTE .Lnote_NEED_CAPABILITY
	.long .Lcapability_msr_\name, .Lcapability_bit_\name
	.asciz "\name"
	NOTE_END
	.else
	KNOWN .Lcpuid_leaf_\name, \name, "neither src/arch/x86_64/cpuid_features.def nor src/vmx/capabilities.def"
	NOTE .Lnote_NEED_CPUID
	.long .Lcpuid_leaf_\name, .Lcpuid_subleaf_\name, .Lcpuid_register_\name, .Lcpuid_bit_\name
	.asciz "\name"
	NOTE_END
	.endif
	.endm

/* NEED_PROCESSORS count */
	.macro NEED_PROCESSORS count:req
	NOTE .Lnote_NEED_PROCESSORS
	.long \count
	NOTE_END
	.endm

/* CONTROL name [, value]: sets (or, with 0, clears) a VMX control; a processor that does not allow it skips the guest. */
	.macro CONTROL name:req, value=1
	KNOWN .Lcontrol_bit_\name, \name, "src/vmx/controls.def"
	NOTE .Lnote_CONTROL
	.long .Lcontrol_word_\name, .Lcontrol_bit_\name, \value
	NOTE_END
	.endm

/* VMCS field, value: writes a VMCS field last of all, after the mode and the controls were set up. */
	.macro VMCS field:req, value:req
	KNOWN .Lfield_\field, \field, "src/vmx/vmcs_fields.def"
	NOTE .Lnote_VMCS
	.long .Lfield_\field
	.quad \value
	NOTE_END
	.endm

/* Vectors of exceptions, for EXIT_ON_EXCEPTIONS and GATE. */
#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_DF 8
#define VECTOR_GP 13
#define VECTOR_PF 14

/* EXIT_ON_EXCEPTIONS bits: the exception bitmap, as a sum of 1 << vector. */
	.macro EXIT_ON_EXCEPTIONS bits:req
	VMCS EXCEPTION_BITMAP, \bits
	.endm

/* PASS_PORTS first [, last]: these I/O ports do not exit (all others do). */
	.macro PASS_PORTS first:req, last
	NOTE .Lnote_PASS_PORTS
	.ifb \last
	.long \first, \first
	.else
	.long \first, \last
	.endif
	NOTE_END
	.endm

/* PASS_MSR number [, accesses]: reading (1), writing (2) or both (3) of this MSR does not exit (all others do). */
	.macro PASS_MSR number:req, accesses=3
	NOTE .Lnote_PASS_MSR
	.long \number, \accesses
	NOTE_END
	.endm

/* EPT_ACCESS address, length, access: what EPT allows there: 1 read, 2 write, 4 execute, added up. */
	.macro EPT_ACCESS address:req, length:req, access:req
	NOTE .Lnote_EPT_ACCESS
	.quad \address, \length
	.long \access
	NOTE_END
	.endm

/* LARGE_EPT_PAGES: the guest has 2 MiB of memory, mapped by one 2 MiB EPT page. */
	.macro LARGE_EPT_PAGES
	NOTE .Lnote_LARGE_EPT_PAGES
	NOTE_END
	.endm

/* PAGE address, length [, set] [, clear]: changes the guest's own page-table entries; see PTE_ below. */
	.macro PAGE address:req, length:req, set=0, clear=0
	NOTE .Lnote_PAGE
	.quad \address, \length, \set, \clear
	NOTE_END
	.endm

#define PTE_PRESENT 0x1
#define PTE_WRITABLE 0x2
#define PTE_USER 0x4
#define PTE_EXECUTE_DISABLE 0x8000000000000000

/* GATE vector, handler: the guest's own handler for an exception or interrupt, in ring 0. */
	.macro GATE vector:req, handler:req
	NOTE .Lnote_GATE
	.long \vector
	.quad \handler
	NOTE_END
	.endm

/* REGISTER name, value: an initial general register (RAX to R15, not RSP: use VMCS GUEST_RSP). All others are 0. */
	.macro REGISTER name:req, value:req
	KNOWN .LGENERAL_REGISTER_\name, \name, "src/vmx/exit_fields.def (GENERAL_REGISTER)"
	NOTE .Lnote_REGISTER
	.long .LGENERAL_REGISTER_\name
	.quad \value
	NOTE_END
	.endm

/* PENDING_INTERRUPT vector: an external interrupt is pending when the guest is entered. */
	.macro PENDING_INTERRUPT vector:req
	NOTE .Lnote_PENDING_INTERRUPT
	.long \vector
	NOTE_END
	.endm

/* MOVES: the vCPU moves to the next processor after each exit. */
	.macro MOVES
	NOTE .Lnote_MOVES
	NOTE_END
	.endm

/* CODE [label]: ends the head; the guest starts here, in the mode's code size. */
	.macro CODE
	.text
	.if .Lbits == 16
	.code16
	.elseif .Lbits == 32
	.code32
	.else
	.code64
	.endif
	NOTE .Lnote_ENTRY
	.quad 99903f
	NOTE_END
99903:
	.endm

/* END_GUEST: ends the guest by the exit port. */
	.macro END_GUEST
	mov dx, EXIT_PORT
	mov ax, EXIT_PORT_VALUE
	out dx, ax
	.endm

#endif
