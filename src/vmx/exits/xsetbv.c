/*
 * XSETBV (SDM, "XSETBV - Set Extended Control Register"): which components of extended state the guest uses.
 */
#include "arch/x86_64/registers.h"
#include "vmx/exits/exits.h"

/* XCR0's components (SDM, "Extended Control Registers (Including XCR0)"). */
#define XCR0_BNDREGS BIT(3)
#define XCR0_BNDCSR BIT(4)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_AMX (BIT(17) | BIT(18))
#define LEAF_XSTATE 0xd

/* Which combinations of components are allowed. */
static bool xcr0_is_valid(u64 value, u64 supported)
{
	if ((value & ~supported) || !(value & XCR0_X87))
		return false;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return false;
	if (!(value & XCR0_BNDREGS) != !(value & XCR0_BNDCSR))
		return false;
	if ((value & XCR0_AMX) && (value & XCR0_AMX) != XCR0_AMX)
		return false;
	return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

enum exit_next exit_xsetbv(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_cpuid components = vcpu_host_cpuid(vcpu, LEAF_XSTATE, 0);
	u64 supported = components.eax | (u64)components.edx << 32;
	u64 value = (u32)vcpu_read_register(vcpu, RAX) | vcpu_read_register(vcpu, RDX) << 32;
	u32 number = (u32)vcpu_read_register(vcpu, RCX);

	/* The fault of ring 3 has priority over the exit, but not on every processor that there is. */
	if ((exit->cr0 & CR0_PE) &&
	    CPL_OF_ACCESS_RIGHTS(vcpu_read_vmcs(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS)) != 0)
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	if (number != 0 || !xcr0_is_valid(value, supported))
		return inject_exception_with_code(vcpu, VECTOR_GENERAL_PROTECTION, 0);
	vcpu_write_state(vcpu, VCPU_XCR0, value);
	return resume_past(vcpu, exit);
}
