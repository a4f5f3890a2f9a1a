/*
 * A vCPU that moves to the next processor at each exit, by VMCLEAR there and VMPTRLD and VMLAUNCH here, keeps its state:
 * general, extended, control and debug registers, and an MSR that does not exit.
 */
#include "guest.h"

#define CR4_OSFXSR 0x200
#define IA32_KERNEL_GS_BASE 0xc0000102
#define PATTERN 0x0000111122223333

	GUEST moves
	MODE LONG64
	REASON VMCALL
	SECTION "Software Use of Virtual-Machine Control Structures"
	NEED_PROCESSORS 2
	MOVES
	PASS_MSR IA32_KERNEL_GS_BASE
	REGISTER RBX, PATTERN
	REGISTER RBP, PATTERN + 5
	REGISTER RSI, PATTERN + 6
	REGISTER RDI, PATTERN + 7
	REGISTER R8, PATTERN + 8
	REGISTER R15, PATTERN + 15
	EXPECT VMCALL, first
	EXPECT VMCALL, second
	EXPECT VMCALL, third
	CODE

	mov rax, cr4
	or eax, CR4_OSFXSR
	mov cr4, rax
	movq xmm7, rbx
	mov cr2, rsi
	mov dr3, rdi
	mov ecx, IA32_KERNEL_GS_BASE
	mov eax, ebx
	mov rdx, rbx
	shr rdx, 32
	wrmsr
	xor eax, eax
first:
	vmcall
	call check
	xor eax, eax
second:
	vmcall
	call check
	xor eax, eax
third:
	vmcall
	call check
	END_GUEST

check:
	mov r9, PATTERN
	cmp rbx, r9
	jne wrong
	.irp register, rbp, rsi, rdi, r8
	sub \register, r9
	.endr
	cmp rbp, 5
	jne wrong
	cmp rsi, 6
	jne wrong
	cmp rdi, 7
	jne wrong
	cmp r8, 8
	jne wrong
	.irp register, rbp, rsi, rdi, r8
	add \register, r9
	.endr
	movq r10, xmm7
	cmp r10, r9
	jne wrong
	mov r10, cr2
	cmp r10, rsi
	jne wrong
	mov r10, dr3
	cmp r10, rdi
	jne wrong
	mov r10, cr4
	test r10d, CR4_OSFXSR
	jz wrong
	mov ecx, IA32_KERNEL_GS_BASE
	rdmsr
	shl rdx, 32
	or rax, rdx
	cmp rax, r9
	jne wrong
	ret
wrong:
	ud2
