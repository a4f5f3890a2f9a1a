/*
 * exit_fields.def for C: FIELD_CR_ACCESS_register(qualification) takes a field out of a value, and
 * VALUE_CR_ACCESS_TYPE_lmsw names what it may hold. Handlers read qualifications this way only.
 */
#ifndef VMX_EXIT_FIELDS_H
#define VMX_EXIT_FIELDS_H

#include "lib/types.h"

#define FIELD(format, name, last, first, values, condition)                                                  \
	static inline u64 FIELD_##format##_##name(u64 value)                                                 \
	{                                                                                                    \
		return (value >> (first)) & (~0ull >> (63 - ((last) - (first))));                            \
	}
#include "vmx/exit_fields.def"
#undef FIELD

enum {
#define VALUE(set, number, name) VALUE_##set##_##name = number,
#include "vmx/exit_fields.def"
#undef VALUE
};

#endif
