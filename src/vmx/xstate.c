/*
 * XSAVE around VM entries. XSAVES and XRSTORS where the processor has them, XSAVE and XRSTOR else, FXSAVE and
 * FXRSTOR on a processor without XSAVE.
 */
#include "vmx/xstate.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"
#include "lib/string.h"

#define CPUID_1_ECX_XSAVE BIT(26)
#define CPUID_D1_EAX_XSAVES BIT(3)
#define LEAF_XSTATE 0xd

#define HOST_XSS 0

/* Places in the legacy region and the header of an XSAVE area, in bytes. */
#define FCW_OFFSET 0
#define MXCSR_OFFSET 24
#define XCOMP_BV_OFFSET 520
#define XCOMP_BV_COMPACTED BIT(63)

/* What FNINIT and processor reset leave. */
#define FCW_RESET 0x37f
#define MXCSR_RESET 0x1f80

static enum { USE_FXSAVE, USE_XSAVE, USE_XSAVES } method;

void xstate_init(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
		method = USE_FXSAVE;
		return;
	}
	xsetbv_safe(0, XCR0_X87);
	method = cpuid(LEAF_XSTATE, 1).eax & CPUID_D1_EAX_XSAVES ? USE_XSAVES : USE_XSAVE;
}

void xstate_reset(struct xstate *xstate)
{
	static const u16 fcw = FCW_RESET;
	static const u32 mxcsr = MXCSR_RESET;

	memset(xstate->area, 0, sizeof(xstate->area));
	memcpy(xstate->area + FCW_OFFSET, &fcw, sizeof(fcw));
	memcpy(xstate->area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

/* XRSTORS takes the compacted form only, and only of components that XCR0 and XSS have. */
static void say_compacted(struct xstate *xstate, u64 components)
{
	u64 value = XCOMP_BV_COMPACTED | components;

	memcpy(xstate->area + XCOMP_BV_OFFSET, &value, sizeof(value));
}

void xstate_load(struct xstate *xstate, u64 xcr0, u64 xss)
{
	u8 *area = xstate->area;

	if (method == USE_FXSAVE) {
		fxrstor(area);
		return;
	}
	if (xcr0 != XCR0_X87)
		xsetbv_safe(0, xcr0);
	if (method == USE_XSAVE) {
		xrstor(area, xcr0);
		return;
	}
	u64 components = xcr0 | xss;

	if (xss != HOST_XSS)
		wrmsr_safe(IA32_XSS, xss);
	say_compacted(xstate, components);
	asm volatile("xrstors64 (%0)"
		     :
		     : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
		     : "memory");
}

void xstate_save(struct xstate *xstate, u64 xcr0, u64 xss)
{
	u8 *area = xstate->area;
	u64 components = xcr0 | xss;

	switch (method) {
	case USE_FXSAVE:
		fxsave(area);
		return;
	case USE_XSAVE:
		xsave(area, xcr0);
		break;
	case USE_XSAVES:
		asm volatile("xsaves64 (%0)"
			     :
			     : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
			     : "memory");
		if (xss != HOST_XSS)
			wrmsr_safe(IA32_XSS, HOST_XSS);
		break;
	}
	if (xcr0 != XCR0_X87)
		xsetbv_safe(0, XCR0_X87);
}
