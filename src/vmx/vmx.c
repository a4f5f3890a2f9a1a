/*
 * VMXON and VMXOFF. The instructions can fault as well as fail, so they stand behind a fix-up.
 */
#include "vmx/vmx.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fixup.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/stop.h"

/* SDM, "VMX-Fixed Bits in CR0", "VMX-Fixed Bits in CR4": a bit set in FIXED0 must be 1, one clear in FIXED1
 * must be 0. */
static void fix_control_registers(const struct vmx_capability *capability)
{
	write_cr0((read_cr0() | vmx_capability_msr(capability, IA32_VMX_CR0_FIXED0)) &
		  vmx_capability_msr(capability, IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | CR4_VMXE | vmx_capability_msr(capability, IA32_VMX_CR4_FIXED0)) &
		  vmx_capability_msr(capability, IA32_VMX_CR4_FIXED1));
}

void vmx_on(struct vmx_region *vmxon_region, const struct vmx_capability *capability)
{
	u64 address = (u64)vmxon_region;
	bool faulted = true;
	bool invalid = false;
	bool valid = false;

	fix_control_registers(capability);
	asm volatile("1: vmxon %[address]\n\t"
		     "setc %[invalid]\n\t"
		     "setz %[valid]\n\t"
		     "movb $0, %[faulted]\n\t"
		     "2:\n\t" FIXUP("1b", "2b")
		     : [faulted] "+m"(faulted), [invalid] "+m"(invalid), [valid] "+m"(valid)
		     : [address] "m"(address)
		     : "cc", "memory");
	if (faulted)
		panic("VMXON faulted: CR0=0x%lx CR4=0x%lx IA32_FEATURE_CONTROL=0x%lx", read_cr0(), read_cr4(),
		      capability->feature_control);
	if (invalid || valid)
		panic("VMXON of region 0x%lx with revision 0x%x failed", address, vmxon_region->revision);
}

void vmx_off(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}
