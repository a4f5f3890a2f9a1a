/*
 * VMLAUNCH with VMX controls that the SDM forbids: VMfailValid with VM-instruction error 7, and nothing is entered. Each
 * guest breaks one rule.
 */
#include "guest.h"

#define EXECUTION "VM-Execution Control Fields"
#define EXIT "VM-Exit Control Fields"
#define ENTRY "VM-Entry Control Fields"

/* IA32_VMX_MISC has nine bits (24:16) for the highest count: no processor allows this one. */
#define CR3_TARGETS_TOO_MANY 512

	.macro HEAD variant, section
	GUEST entry_bad_control, \variant
	MODE LONG64
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION "\section"
	EXPECT_VMFAIL ENTRY_BAD_CONTROL_FIELD
	.endm

	.macro BREAK variant, section, field, value, control, field2, value2
	HEAD \variant, "\section"
	.ifnb \control
	CONTROL \control
	.endif
	VMCS \field, \value
	.ifnb \field2
	VMCS \field2, \value2
	.endif
	CODE
	END_GUEST
	.endm

/* Interruption information: valid, then type and vector. */
#define INJECT_NMI_3 0x80000203
#define INJECT_RESERVED_TYPE 0x80000106
#define INJECT_NMI_WITH_CODE 0x80000a02
#define INJECT_GP_WITH_CODE 0x80000b0d
#define INJECT_INT3 0x80000603

	/* VM-execution controls */
	BREAK cr3_target_count, EXECUTION, CR3_TARGET_COUNT, CR3_TARGETS_TOO_MANY
	BREAK io_bitmap_unaligned, EXECUTION, IO_BITMAP_A, 1
	BREAK io_bitmap_too_high, EXECUTION, IO_BITMAP_B, 1<<63
	BREAK msr_bitmap_unaligned, EXECUTION, MSR_BITMAP, 1
	BREAK tpr_threshold, EXECUTION, TPR_THRESHOLD, 0x10, USE_TPR_SHADOW
	BREAK vpid_zero, EXECUTION, VPID, 0, ENABLE_VPID
	BREAK ept_memory_type, EXECUTION, EPT_POINTER, 0x1a, ENABLE_EPT
	BREAK ept_walk_length, EXECUTION, EPT_POINTER, 0x36, ENABLE_EPT

	HEAD virtual_nmis_alone, EXECUTION
	CONTROL NMI_EXITING, 0
	CONTROL VIRTUAL_NMIS
	CODE
	END_GUEST

	HEAD nmi_window_alone, EXECUTION
	CONTROL NMI_WINDOW_EXITING
	CODE
	END_GUEST

	HEAD posted_interrupts_alone, EXECUTION
	CONTROL PROCESS_POSTED_INTERRUPTS
	CODE
	END_GUEST

	/* VM-exit controls */
	HEAD save_timer_alone, EXIT
	CONTROL ACTIVATE_PREEMPTION_TIMER, 0
	CONTROL SAVE_PREEMPTION_TIMER
	CODE
	END_GUEST

	BREAK exit_msr_store_unaligned, EXIT, EXIT_MSR_STORE_ADDRESS, 8, , EXIT_MSR_STORE_COUNT, 1
	BREAK exit_msr_load_unaligned, EXIT, EXIT_MSR_LOAD_ADDRESS, 8, , EXIT_MSR_LOAD_COUNT, 1

	/* VM-entry controls, event injection among them */
	BREAK entry_msr_load_unaligned, ENTRY, ENTRY_MSR_LOAD_ADDRESS, 8, , ENTRY_MSR_LOAD_COUNT, 1
	BREAK inject_reserved_type, ENTRY, ENTRY_INTERRUPTION_INFORMATION, INJECT_RESERVED_TYPE
	BREAK inject_nmi_vector, ENTRY, ENTRY_INTERRUPTION_INFORMATION, INJECT_NMI_3
	BREAK inject_nmi_with_code, ENTRY, ENTRY_INTERRUPTION_INFORMATION, INJECT_NMI_WITH_CODE
	BREAK inject_code_reserved, ENTRY, ENTRY_INTERRUPTION_INFORMATION, INJECT_GP_WITH_CODE, , ENTRY_EXCEPTION_ERROR_CODE, 1<<31
	BREAK inject_length, ENTRY, ENTRY_INTERRUPTION_INFORMATION, INJECT_INT3, , ENTRY_INSTRUCTION_LENGTH, 16

	HEAD entry_to_smm, ENTRY
	CONTROL ENTRY_TO_SMM
	CODE
	END_GUEST
