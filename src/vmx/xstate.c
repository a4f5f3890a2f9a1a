/*
 * XSAVE and XRSTOR around VM entries, of every component that the processor has, whatever the guest's XCR0
 * says: SSE registers work without their bit in XCR0, and a component that the guest switches off keeps its
 * state. FXSAVE and FXRSTOR on a processor without XSAVE. Always the standard format: supervisor components
 * are MSRs, and switched as such.
 */
#include "vmx/xstate.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/stop.h"
#include "lib/string.h"

#define CPUID_1_ECX_XSAVE BIT(26)
#define CPUID_D1_EAX_XSAVEOPT BIT(0)
#define LEAF_XSTATE 0xd

#define HOST_XSS 0

/* Places in the legacy region of an XSAVE area, in bytes. */
#define FCW_OFFSET 0
#define MXCSR_OFFSET 24

/* What FNINIT and processor reset leave. */
#define FCW_RESET 0x37f
#define MXCSR_RESET 0x1f80

/* The host's XCR0: all that the processor supports. 0 on a processor without XSAVE. */
static u64 host_xcr0;
/* XSAVEOPT does not write what is still as XRSTOR loaded it. */
static bool has_xsaveopt;
static size_t area_bytes = XSTATE_BYTES;

void xstate_init(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return;

	struct cpuid_result supported = cpuid(LEAF_XSTATE, 0);

	if (supported.ecx > XSTATE_BYTES)
		panic("this processor's XSAVE area has %u bytes, more than the %u that there is room for",
		      supported.ecx, XSTATE_BYTES);
	area_bytes = supported.ecx;
	has_xsaveopt = cpuid(LEAF_XSTATE, 1).eax & CPUID_D1_EAX_XSAVEOPT;
	host_xcr0 = (u64)supported.edx << 32 | supported.eax;
	xsetbv_safe(0, host_xcr0);
}

void xstate_reset(struct xstate *xstate)
{
	static const u16 fcw = FCW_RESET;
	static const u32 mxcsr = MXCSR_RESET;

	memset(xstate->area, 0, area_bytes);
	memcpy(xstate->area + FCW_OFFSET, &fcw, sizeof(fcw));
	memcpy(xstate->area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

void xstate_load(struct xstate *xstate, u64 xcr0, u64 xss)
{
	if (!host_xcr0) {
		fxrstor(xstate->area);
		return;
	}
	xrstor(xstate->area, host_xcr0);
	if (xcr0 != host_xcr0)
		xsetbv_safe(0, xcr0);
	if (xss != HOST_XSS)
		wrmsr_safe(IA32_XSS, xss);
}

void xstate_save(struct xstate *xstate, u64 xcr0, u64 xss)
{
	if (!host_xcr0) {
		fxsave(xstate->area);
		return;
	}
	if (xss != HOST_XSS)
		wrmsr_safe(IA32_XSS, HOST_XSS);
	if (xcr0 != host_xcr0)
		xsetbv_safe(0, host_xcr0);
	if (has_xsaveopt)
		xsaveopt(xstate->area, host_xcr0);
	else
		xsave(xstate->area, host_xcr0);
}
