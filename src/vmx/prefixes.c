/*
 * One pass over the prefixes, up to the opcode: the last segment prefix that counts wins.
 */
#include "vmx/prefixes.h"
#include "vmx/exit_fields.h"

struct prefixes read_prefixes(const struct vm_exit *exit, bool is_64_bit, unsigned segment)
{
	struct prefixes prefixes = {.segment = segment};

	for (u32 i = 0; i < exit->instruction_size; i++) {
		switch (exit->instruction[i]) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e: /* ES, CS, SS, DS */
			if (!is_64_bit)
				prefixes.segment = exit->instruction[i] >> 3 & 3;
			break;
		case 0x64:
			prefixes.segment = VALUE_SEGMENT_REGISTER_FS;
			break;
		case 0x65:
			prefixes.segment = VALUE_SEGMENT_REGISTER_GS;
			break;
		case 0x67:
			prefixes.address_size = true;
			break;
		case 0x66: /* operand size, LOCK, REPNE, REP */
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		default:
			return prefixes;
		}
	}
	return prefixes;
}
