/*
 * VM entry and the way back. vcpu_enter in vcpu.c calls it with interrupts off; everything that is neither a general
 * register nor in the VMCS has been switched by then.
 *
 *	u64 vmx_enter(u64 registers[16], bool launched)
 *
 * Returns 0 after a VM exit, with the guest's registers stored; 1 for VMfailInvalid, 2 for VMfailValid, with the
 * guest's registers untouched. The slot of RSP is skipped: the VMCS has it.
 *
 * The stack while the guest runs; HOST_RSP points at its end:
 *	+8 return address
 *	   rbx rbp r12 r13 r14 r15
 *	+0 registers
 */
#define REGISTER(number) 8 * number(%rdi)
#define HOST_RSP_FIELD 0x6c14

	.text
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov $HOST_RSP_FIELD, %eax
	vmwrite %rsp, %rax
	jna .Lfailed

	test %sil, %sil /* ZF stays until the jump below: MOV changes no flags */
	mov REGISTER(0), %rax
	mov REGISTER(1), %rcx
	mov REGISTER(2), %rdx
	mov REGISTER(3), %rbx
	mov REGISTER(5), %rbp
	mov REGISTER(6), %rsi
	mov REGISTER(8), %r8
	mov REGISTER(9), %r9
	mov REGISTER(10), %r10
	mov REGISTER(11), %r11
	mov REGISTER(12), %r12
	mov REGISTER(13), %r13
	mov REGISTER(14), %r14
	mov REGISTER(15), %r15
	mov REGISTER(7), %rdi
	jz .Llaunch
	vmresume
	jmp .Lfailed
.Llaunch:
	vmlaunch

/* CF: VMfailInvalid; ZF: VMfailValid. */
.Lfailed:
	setz %al
	movzbl %al, %eax
	inc %eax
	pop %rdi
	jmp .Lreturn

/* HOST_RIP: the guest's registers are in the processor, the host's stack is as it was. */
	.globl vmx_exit
vmx_exit:
	push %rdi
	mov 8(%rsp), %rdi
	mov %rax, REGISTER(0)
	mov %rcx, REGISTER(1)
	mov %rdx, REGISTER(2)
	mov %rbx, REGISTER(3)
	mov %rbp, REGISTER(5)
	mov %rsi, REGISTER(6)
	mov %r8, REGISTER(8)
	mov %r9, REGISTER(9)
	mov %r10, REGISTER(10)
	mov %r11, REGISTER(11)
	mov %r12, REGISTER(12)
	mov %r13, REGISTER(13)
	mov %r14, REGISTER(14)
	mov %r15, REGISTER(15)
	pop REGISTER(7)
	add $8, %rsp
	xor %eax, %eax

.Lreturn:
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
