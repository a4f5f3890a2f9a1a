/*
 * Model-specific registers: their numbers, and access to ones that may not exist. The capability MSRs of VMX
 * stand in vmx/capability.h. rdmsr and wrmsr in cpu.h are for registers that are sure to exist.
 */
#ifndef ARCH_MSR_H
#define ARCH_MSR_H

#include "lib/types.h"

#define IA32_TIME_STAMP_COUNTER 0x10
#define IA32_APIC_BASE 0x1b
#define IA32_TSC_ADJUST 0x3b
#define IA32_BIOS_SIGN_ID 0x8b
#define IA32_UMWAIT_CONTROL 0xe1
#define IA32_MTRRCAP 0xfe
#define IA32_SYSENTER_CS 0x174
#define IA32_SYSENTER_ESP 0x175
#define IA32_SYSENTER_EIP 0x176
#define IA32_MISC_ENABLE 0x1a0
#define IA32_DEBUGCTL 0x1d9
#define IA32_PAT 0x277
#define IA32_PERF_GLOBAL_CTRL 0x38f
#define IA32_TSC_DEADLINE 0x6e0
#define IA32_X2APIC_FIRST 0x800
#define IA32_X2APIC_LAST 0x8ff
#define IA32_BNDCFGS 0xd90
#define IA32_XSS 0xda0
#define IA32_EFER 0xc0000080
#define IA32_STAR 0xc0000081
#define IA32_LSTAR 0xc0000082
#define IA32_FMASK 0xc0000084
#define IA32_FS_BASE 0xc0000100
#define IA32_GS_BASE 0xc0000101
#define IA32_KERNEL_GS_BASE 0xc0000102
#define IA32_TSC_AUX 0xc0000103

#ifndef __ASSEMBLER__

/*
 * RDMSR, WRMSR and XSETBV (SDM, instruction reference). False when the instruction faults: no such register,
 * or a value that it does not take; *value is then unchanged.
 */
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool xsetbv_safe(u32 xcr, u64 value);

#endif

#endif
