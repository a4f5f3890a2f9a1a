/*
 * Integer types and the few language helpers that every file uses. Assembly includes it too, for BIT().
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#ifdef __ASSEMBLER__

#define BIT(n) (1 << (n))

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef uintptr_t uptr;

/* Strict C17 has no keyword for inline assembly; the reserved spelling is the same thing. */
#ifdef __STRICT_ANSI__
#define asm __asm__
#endif

/* A u64 with only bit n set, n from 0 to 63. */
#define BIT(n) ((u64)1 << (n))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define __packed __attribute__((packed))
#define __aligned(bytes) __attribute__((aligned(bytes)))
#define __maybe_unused __attribute__((unused))
#define __must_check __attribute__((warn_unused_result))
/* A function that takes a format string (its parameter number `text`) and arguments from number `first` on.
 */
#define __printf_like(text, first) __attribute__((format(printf, text, first)))

#endif

#endif
