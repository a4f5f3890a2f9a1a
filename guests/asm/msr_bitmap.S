/*
 * The MSR bitmap has a bit for reading and one for writing: with the one clear and the other set, only the
 * other access exits, and both see the same register.
 */
#include "guest.h"
#include "arch/x86_64/msr.h"

#define VALUE_READ 0x1230
#define VALUE_WRITTEN 0x4560

	.macro HEAD variant, reason
	GUEST msr_bitmap, \variant
	MODE LONG64
	REASON \reason
	SECTION "MSR-Bitmap Address"
	SECTION "Instructions That Cause VM Exits Conditionally"
	VMCS GUEST_SYSENTER_CS, VALUE_READ
	.endm

	HEAD read_passes, WRMSR
	PASS_MSR IA32_SYSENTER_CS, 1
	EXPECT WRMSR, read_passes_write
	CODE

	mov ecx, IA32_SYSENTER_CS
	rdmsr
	cmp eax, VALUE_READ
	jne wrong
	mov eax, VALUE_WRITTEN
read_passes_write:
	wrmsr
	rdmsr
	cmp eax, VALUE_WRITTEN
	jne wrong
	END_GUEST

	HEAD write_passes, RDMSR
	PASS_MSR IA32_SYSENTER_CS, 2
	EXPECT RDMSR, write_passes_read
	CODE

	mov ecx, IA32_SYSENTER_CS
	mov eax, VALUE_WRITTEN
	xor edx, edx
	wrmsr
write_passes_read:
	rdmsr
	cmp eax, VALUE_WRITTEN
	jne wrong
	END_GUEST

	/* The mark after both is the first exit. */
	HEAD both_pass, RDMSR
	PASS_MSR IA32_SYSENTER_CS
	EXPECT VMCALL, mark
	CODE

	mov ecx, IA32_SYSENTER_CS
	mov eax, VALUE_WRITTEN
	xor edx, edx
	wrmsr
	rdmsr
	cmp eax, VALUE_WRITTEN
	jne wrong
mark:
	vmcall
	END_GUEST

	/* Without "use MSR bitmaps" every access exits, whatever the bitmap holds. */
	HEAD unused, RDMSR
	CONTROL USE_MSR_BITMAPS, 0
	PASS_MSR IA32_SYSENTER_CS
	EXPECT RDMSR, unused_read
	EXPECT WRMSR, unused_write
	CODE

	mov ecx, IA32_SYSENTER_CS
unused_read:
	rdmsr
	cmp eax, VALUE_READ
	jne wrong
unused_write:
	wrmsr
	END_GUEST

wrong:
	ud2
