/*
 * From the boot loader to C: the multiboot2 header, the entry in 32-bit mode, the checks that need no C, the
 * first page tables and the way into long mode. The application processors come in by the trampoline below
 * and take the same way.
 */
#include "arch/x86_64/descriptors.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/multiboot2.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/screen.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/stop.h"

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_ARCHITECTURE_I386 0
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002

#define BOOT_CS32 0x18			/* after KERNEL_CS and KERNEL_DS, only in this file's GDT */
#define BOOT_STACK_SIZE 0x8000
#define SERIAL_POLL_LIMIT 100000

#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_EDX_LONG_MODE BIT(29)

/* Of page-table entries of every level (SDM, "4-Level Paging"). */
#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_UNCACHED 0x18
#define PAGE_LARGE 0x80
#define LARGE_PAGE_SHIFT 21
#define DEVICES_START 0xfec00000	/* I/O APIC, local APIC, firmware: uncached, whatever MTRRs say */

	.section .multiboot, "a"
	.balign 8
multiboot2_header:
	.long MULTIBOOT2_HEADER_MAGIC
	.long MULTIBOOT2_ARCHITECTURE_I386
	.long multiboot2_header_end - multiboot2_header
	.long -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCHITECTURE_I386 + \
		(multiboot2_header_end - multiboot2_header))
	.short 0, 0			/* end tag: type, flags */
	.long 8				/* and size */
multiboot2_header_end:

	/*
	 * The header of the older protocol is here only so that `multiboot` instead of `multiboot2` gets a
	 * clear answer.
	 */
	.balign 4
	.long MULTIBOOT1_HEADER_MAGIC
	.long 0				/* flags */
	.long -MULTIBOOT1_HEADER_MAGIC

	.text
	.code32

/*
 * Entered by the boot loader with paging off: EAX holds its magic number, EBX the address of the information
 * block.
 */
	.globl boot_entry
boot_entry:
	cli
	cld
	mov $boot_stack_top, %esp
	mov %eax, %edi			/* the two arguments of kernel_main */
	mov %ebx, %esi
	cmp $MULTIBOOT2_LOADER_MAGIC, %edi
	mov $STOP_NOT_MULTIBOOT2, %ebx
	mov $stop_text_NOT_MULTIBOOT2, %ecx
	jne boot_stop
	call has_long_mode
	mov $STOP_NO_LONG_MODE, %ebx
	mov $stop_text_NO_LONG_MODE, %ecx
	jz boot_stop
	mov $boot_processor_entry, %ebp
	jmp enter_long_mode

/* ZF is 1 when the processor has no long mode. EDI and ESI are kept. SDM, "CPUID - CPU Identification". */
has_long_mode:
	pushfl				/* RFLAGS.ID can be changed where there is CPUID */
	pop %eax
	mov %eax, %ecx
	xor $RFLAGS_ID, %eax
	push %eax
	popfl
	pushfl
	pop %eax
	xor %ecx, %eax
	and $RFLAGS_ID, %eax
	jz 1f
	mov $CPUID_EXTENDED_MAX, %eax
	cpuid
	xor %edx, %edx
	cmp $CPUID_EXTENDED_FEATURES, %eax
	jb 2f
	mov $CPUID_EXTENDED_FEATURES, %eax
	cpuid
2:	test $CPUID_EDX_LONG_MODE, %edx
1:	ret

/*
 * SDM, "Initializing IA-32e Mode". Goes on at EBP in 64-bit mode, with flat segments. CR0 is written whole,
 * because a processor after INIT has its caches off.
 */
enter_long_mode:
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $IA32_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	mov %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $KERNEL_CS, $1f

	.code64
1:	mov $KERNEL_DS, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov %ebp, %eax
	xor %ebp, %ebp			/* the outermost frame */
	jmp *%rax

boot_processor_entry:
	mov $boot_stack_top, %esp
	mov %edi, %edi			/* their upper halves are not defined after the switch */
	mov %esi, %esi
	call kernel_main
1:	cli				/* it never returns */
	hlt
	jmp 1b

application_processor_entry:
	mov smp_start_stack_top, %rsp
	mov smp_start_processor, %rdi
	call smp_processor_main
1:	cli
	hlt
	jmp 1b

	.code32

/* Ends the machine as stop() does, before there is any C: EBX is the code, ECX the line to print. */
boot_stop:
	mov %ecx, %esi
	call stop_on_screen
	mov %ecx, %esi
	call stop_on_serial
	mov %ebx, %eax
	mov $QEMU_EXIT_PORT, %edx
	out %eax, %dx
	mov $BOCHS_EXIT_VALUE, %al
	mov $BOCHS_EXIT_PORT, %edx
	out %al, %dx
1:	cli
	hlt
	jmp 1b

/* Clears the screen and writes the text at ESI on it. ECX is kept. */
stop_on_screen:
	push %ecx
	mov $SCREEN_MEMORY, %edi
	mov $(SCREEN_ATTRIBUTE << 8 | ' '), %eax
	mov $(SCREEN_COLUMNS * SCREEN_ROWS), %ecx
	rep stosw
	mov $SCREEN_MEMORY, %edi
1:	lodsb
	cmp $'\r', %al			/* the line's end */
	je 2f
	stosw				/* AH still holds the attribute */
	jmp 1b
2:	pop %ecx
	ret

	.macro serial_set register, value
	mov $(SERIAL_PORT + \register), %edx
	mov $\value, %al
	out %al, %dx
	.endm

/* Sets up the serial port and writes the text at ESI to it, to its last byte. */
stop_on_serial:
	serial_set SERIAL_INTERRUPT_ENABLE, 0
	serial_set SERIAL_LINE_CONTROL, SERIAL_DIVISOR_ACCESS
	serial_set SERIAL_DIVISOR_LOW, SERIAL_DIVISOR
	serial_set SERIAL_DIVISOR_HIGH, 0
	serial_set SERIAL_LINE_CONTROL, SERIAL_8N1
	serial_set SERIAL_FIFO_CONTROL, SERIAL_FIFO_ENABLE_AND_CLEAR
	serial_set SERIAL_MODEM_CONTROL, SERIAL_DTR_RTS
1:	mov $SERIAL_TRANSMIT_READY, %ah
	call wait_for_serial
	lodsb
	test %al, %al
	jz 2f
	mov $(SERIAL_PORT + SERIAL_DATA), %edx
	out %al, %dx
	jmp 1b
2:	mov $SERIAL_TRANSMIT_IDLE, %ah

/* Waits for the line-status bit in AH, for a limited time. Changes AL, ECX, EDX. */
wait_for_serial:
	mov $SERIAL_POLL_LIMIT, %ecx
	mov $(SERIAL_PORT + SERIAL_LINE_STATUS), %edx
1:	in %dx, %al
	test %ah, %al
	jnz 2f
	dec %ecx
	jnz 1b
2:	ret

/*
 * Where an application processor starts, in real mode, at offset 0 of a page below 1 MiB that smp.c copies
 * this to. It knows nothing of that page but what CS says.
 */
	.section .rodata
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt_pointer - trampoline_start
	mov %cr0, %eax
	or $CR0_PE, %eax
	mov %eax, %cr0
	ljmpl $BOOT_CS32, $application_processor_entry32
trampoline_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt
trampoline_end:

	.text
	.code32
application_processor_entry32:
	mov $KERNEL_DS, %eax
	mov %eax, %ds
	mov $application_processor_entry, %ebp
	jmp enter_long_mode

/* One text for each row of stops.def. */
	.section .rodata
#define STOP(code, name, meaning) \
	stop_text_##name: .ascii "exitscope: stop ", #name, ": ", meaning; .asciz "\r\n"
#include "stops.def"
#undef STOP

/* And the codes, which stop.h gives to C only. */
#define STOP(code, name, meaning) .set STOP_##name, code
#include "stops.def"
#undef STOP

	.data
	.balign 8
/* SDM, "Segment Descriptors"; the processor sets accessed bits in it. */
boot_gdt:
	.quad 0
	.quad 0x00af9a000000ffff	/* KERNEL_CS: 64-bit code, ring 0 */
	.quad 0x00cf92000000ffff	/* KERNEL_DS: data, flat */
	.quad 0x00cf9a000000ffff	/* BOOT_CS32: 32-bit code, flat */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt

/*
 * The kernel's page tables, for good: the first 4 GiB one to one, in pages of 2 MiB. The first 2 MiB are in
 * pages of 4 KiB, so that page 0 can be left out and a NULL pointer faults.
 */
	.balign 4096
boot_pml4:
	.quad boot_pdpt + PAGE_PRESENT_WRITABLE
	.fill 511, 8, 0
boot_pdpt:
	.quad boot_pd + PAGE_PRESENT_WRITABLE
	.quad boot_pd + 0x1000 + PAGE_PRESENT_WRITABLE
	.quad boot_pd + 0x2000 + PAGE_PRESENT_WRITABLE
	.quad boot_pd + 0x3000 + PAGE_PRESENT_WRITABLE
	.fill 508, 8, 0
boot_pd:
	.quad boot_pt + PAGE_PRESENT_WRITABLE
	.set page, 1
	.rept (1 << (32 - LARGE_PAGE_SHIFT)) - 1
	.if (page << LARGE_PAGE_SHIFT) >= DEVICES_START
	.quad (page << LARGE_PAGE_SHIFT) | PAGE_LARGE | PAGE_UNCACHED | PAGE_PRESENT_WRITABLE
	.else
	.quad (page << LARGE_PAGE_SHIFT) | PAGE_LARGE | PAGE_PRESENT_WRITABLE
	.endif
	.set page, page + 1
	.endr
boot_pt:
	.quad 0				/* NULL */
	.set page, 1
	.rept 511
	.quad (page << 12) | PAGE_PRESENT_WRITABLE
	.set page, page + 1
	.endr

	.bss
	.balign 16
	.globl boot_stack_top
	.skip BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
