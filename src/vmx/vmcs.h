/*
 * The VMCS: field names, access to the current one, and its life (VMCLEAR, VMPTRLD). A failing VMX
 * instruction is a panic that names the instruction, the field and the VM-instruction error, because the
 * hypervisor itself never asks for what cannot be; the one entry that may fail, VM entry, has its own way
 * (entry.S).
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "lib/types.h"
#include "vmx/capability.h"

enum vmcs_field {
#define VMCS_FIELD(encoding, name) VMCS_##name = encoding,
#include "vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

/* The parts of an encoding (SDM, "Field Encoding in VMCS"). */
enum vmcs_field_type { VMCS_TYPE_CONTROL, VMCS_TYPE_EXIT_INFORMATION, VMCS_TYPE_GUEST, VMCS_TYPE_HOST };
#define VMCS_FIELD_TYPE(encoding) ((enum vmcs_field_type)(((encoding) >> 10) & 3))

/* The current VMCS pointer when there is none, and the link pointer of a VMCS without a shadow. */
#define VMCS_NO_POINTER 0xffffffffffffffff

enum vm_instruction_error {
#define INSTRUCTION_ERROR(number, name, meaning) VM_ERROR_##name = number,
#include "vmx/instruction_errors.def"
#undef INSTRUCTION_ERROR
};

/* A VMXON or VMCS region: one page (the size in IA32_VMX_BASIC never exceeds it), starting with the revision.
 */
struct vmx_region {
	u32 revision;
	u32 abort_indicator;
	u8 data[4096 - 8];
};

/* What the SDM calls the error ("VM Instruction Error Numbers"); "unassigned number" for one that it does not
 * list. */
const char *vm_instruction_error_meaning(u32 error);

/* The field's name as vmcs_fields.def has it; "unknown field" for an encoding that is not there. */
const char *vmcs_field_name(u32 encoding);

/* A zeroed region with the processor's revision; NULL when memory is out. */
struct vmx_region *vmx_region_create(const struct vmx_capability *capability);

/* Zeroes a region whose VMCS is clear and gives it its revision again. */
void vmx_region_reset(struct vmx_region *region, const struct vmx_capability *capability);

void vmcs_clear(struct vmx_region *region);
void vmcs_load(struct vmx_region *region);
/* The physical address of the current VMCS (VMPTRST), VMCS_NO_POINTER when there is none. */
u64 vmcs_current(void);

/*
 * Finds out, with the current VMCS, which fields of vmcs_fields.def the processor has. Once, at boot; all processors of
 * a machine are taken to be alike.
 */
void vmcs_probe(void);
/* Whether vmcs_probe found the field. */
bool vmcs_has(enum vmcs_field field);

/* Access to the current VMCS. The field must exist on this processor. */
u64 vmcs_read(enum vmcs_field field);
void vmcs_write(enum vmcs_field field, u64 value);

/* The same for a field that may not exist, or not be writable: false then, with the error in *error. */
bool vmcs_try_read(u32 encoding, u64 *value, u32 *error);
bool vmcs_try_write(u32 encoding, u64 value, u32 *error);

/* Writes 0 to every control and guest-state field that the processor has: the slate is clean. */
void vmcs_zero(void);

#endif
