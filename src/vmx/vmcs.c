/*
 * VMCS access and life. Each VMX instruction stands in one small function; flags come back as outputs of the
 * assembly: CF is VMfailInvalid (no current VMCS), ZF is VMfailValid (the error number is in the VMCS) (SDM,
 * "Conventions").
 */
#include "vmx/vmcs.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/stop.h"
#include "lib/string.h"

static const struct {
	u32 encoding;
	const char *name;
} fields[] = {
#define VMCS_FIELD(encoding_, name_) {.encoding = encoding_, .name = #name_},
#include "vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

static const char *const error_meanings[] = {
#define INSTRUCTION_ERROR(number, name, meaning) [number] = meaning,
#include "vmx/instruction_errors.def"
#undef INSTRUCTION_ERROR
};

const char *vm_instruction_error_meaning(u32 error)
{
	if (error >= ARRAY_SIZE(error_meanings) || !error_meanings[error])
		return "unassigned number";
	return error_meanings[error];
}

const char *vmcs_field_name(u32 encoding)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].encoding == encoding)
			return fields[i].name;
	}
	return "unknown field";
}

/* How a VMX instruction came out. */
struct vm_result {
	bool invalid; /* VMfailInvalid */
	bool valid;   /* VMfailValid */
};

static struct vm_result vmread(u64 encoding, u64 *value)
{
	struct vm_result result;

	asm volatile("vmread %[field], %[value]"
		     : [value] "=rm"(*value), "=@ccc"(result.invalid), "=@ccz"(result.valid)
		     : [field] "r"(encoding)
		     : "memory");
	return result;
}

static struct vm_result vmwrite(u64 encoding, u64 value)
{
	struct vm_result result;

	asm volatile("vmwrite %[value], %[field]"
		     : "=@ccc"(result.invalid), "=@ccz"(result.valid)
		     : [field] "r"(encoding), [value] "rm"(value)
		     : "memory");
	return result;
}

static u32 error_of(struct vm_result result)
{
	u64 error = 0;

	if (result.valid)
		vmread(VMCS_VM_INSTRUCTION_ERROR, &error);
	return (u32)error;
}

static inline bool failed(struct vm_result result)
{
	return __builtin_expect(result.invalid || result.valid, 0);
}

static noreturn void fail(struct vm_result result, const char *instruction, const char *operand, u64 value)
{
	u32 error = error_of(result);

	if (result.invalid)
		panic("%s of %s (0x%lx): VMfailInvalid, there is no current VMCS", instruction, operand,
		      value);
	panic("%s of %s (0x%lx): VM-instruction error %u, %s", instruction, operand, value, error,
	      vm_instruction_error_meaning(error));
}

u64 vmcs_read(enum vmcs_field field)
{
	u64 value;
	struct vm_result result = vmread(field, &value);

	if (failed(result))
		fail(result, "VMREAD", vmcs_field_name(field), field);
	return value;
}

void vmcs_write(enum vmcs_field field, u64 value)
{
	struct vm_result result = vmwrite(field, value);

	if (failed(result))
		fail(result, "VMWRITE", vmcs_field_name(field), value);
}

bool vmcs_try_read(u32 encoding, u64 *value, u32 *error)
{
	struct vm_result result = vmread(encoding, value);

	*error = error_of(result);
	return !failed(result);
}

bool vmcs_try_write(u32 encoding, u64 value, u32 *error)
{
	struct vm_result result = vmwrite(encoding, value);

	*error = error_of(result);
	return !failed(result);
}

/* One bit of knowledge for each field, at its width, type and index (SDM, "Field Encoding in VMCS"). */
#define FIELD_INDEX_MAX 64
static bool present[4][4][FIELD_INDEX_MAX];

static bool *presence(u32 encoding)
{
	return &present[encoding >> 13 & 3][encoding >> 10 & 3][(encoding >> 1) % FIELD_INDEX_MAX];
}

void vmcs_probe(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 value;
		u32 error;

		*presence(fields[i].encoding) = vmcs_try_read(fields[i].encoding, &value, &error);
	}
}

bool vmcs_has(enum vmcs_field field)
{
	return *presence(field);
}

void vmcs_zero(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		enum vmcs_field_type type = VMCS_FIELD_TYPE(fields[i].encoding);

		if ((type == VMCS_TYPE_CONTROL || type == VMCS_TYPE_GUEST) && vmcs_has(fields[i].encoding))
			vmcs_write(fields[i].encoding, 0);
	}
}

struct vmx_region *vmx_region_create(const struct vmx_capability *capability)
{
	struct vmx_region *region = pages_alloc(1, 1);

	if (region)
		vmx_region_reset(region, capability);
	return region;
}

void vmx_region_reset(struct vmx_region *region, const struct vmx_capability *capability)
{
	memset(region, 0, sizeof(*region));
	region->revision = vmx_revision(capability);
}

void vmcs_clear(struct vmx_region *region)
{
	u64 address = (u64)region;
	struct vm_result result;

	asm volatile("vmclear %[address]"
		     : "=@ccc"(result.invalid), "=@ccz"(result.valid)
		     : [address] "m"(address)
		     : "memory");
	if (failed(result))
		fail(result, "VMCLEAR", "a VMCS region", address);
}

void vmcs_load(struct vmx_region *region)
{
	u64 address = (u64)region;
	struct vm_result result;

	asm volatile("vmptrld %[address]"
		     : "=@ccc"(result.invalid), "=@ccz"(result.valid)
		     : [address] "m"(address)
		     : "memory");
	if (failed(result))
		fail(result, "VMPTRLD", "a VMCS region", address);
}

u64 vmcs_current(void)
{
	u64 address;

	asm volatile("vmptrst %[address]" : [address] "=m"(address) : : "cc", "memory");
	return address;
}
