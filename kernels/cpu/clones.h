/* The micro-kernels, compiled for each instruction set and number type, and the choice between them at run time.
 * One binary serves every processor of its family: SSE2, AVX2 with FMA, or AVX-512 on x86-64; NEON on arm64. */
#ifndef MINIDL_CLONES_H
#define MINIDL_CLONES_H

#include <stdint.h>
#include <string.h>
#include "tiles.h"

#if defined(__GNUC__) && !defined(MINIDL_PORTABLE)
#define MINIDL_VECTORS 1
#else
#define MINIDL_VECTORS 0
#endif
#if MINIDL_VECTORS && defined(__x86_64__)
#define MINIDL_X86 1
#include <immintrin.h>
#else
#define MINIDL_X86 0
#endif

#define PASTE_(x, type, isa) x##_##type##_##isa
#define PASTE(x, type, isa) PASTE_(x, type, isa)
#define NAME(x) PASTE(x, REAL, SUFFIX)

/* How many numbers of the type at hand a vector register holds. */
#define LANES (REGISTER_BYTES / (int)sizeof_REAL)

/* The instruction set that every processor of the family has; without vectors, a register holds one number. */
#define ISA 0
#if MINIDL_X86
#define SUFFIX sse2
#define REGISTER_BYTES 16
#define REGISTERS 16
#elif MINIDL_VECTORS && defined(__aarch64__)
#define SUFFIX neon
#define REGISTER_BYTES 16
#define REGISTERS 32
#else
#define SUFFIX portable
#define REGISTER_BYTES (int)sizeof_REAL
#define REGISTERS 16
#endif
#include "clone.h"

#if MINIDL_X86
#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#ifdef __clang__
#define BEGIN_ISA(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_ISA PRAGMA(clang attribute pop)
#else
#define BEGIN_ISA(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define END_ISA PRAGMA(GCC pop_options)
#endif

BEGIN_ISA("avx2,fma")
#define ISA 1
#define REGISTER_BYTES 32
#define REGISTER(x) _mm256_##x
#define SUFFIX avx2
#define REGISTERS 16
#include "clone.h"
END_ISA

BEGIN_ISA("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#define ISA 2
#define REGISTER_BYTES 64
#define REGISTER(x) _mm512_##x
#define SUFFIX avx512
#define REGISTERS 32
#include "clone.h"
END_ISA
#endif

/* The instruction sets compiled, best last. */
typedef struct {
    const char *name;
    const tile_table *floats, *doubles;
} instruction_set;

static const instruction_set instruction_sets[] = {
#if MINIDL_X86
    {"sse2", &table_float_sse2, &table_double_sse2},
    {"avx2", &table_float_avx2, &table_double_avx2},
    {"avx512", &table_float_avx512, &table_double_avx512},
#elif MINIDL_VECTORS && defined(__aarch64__)
    {"neon", &table_float_neon, &table_double_neon},
#else
    {"portable", &table_float_portable, &table_double_portable},
#endif
};
enum { INSTRUCTION_SETS = sizeof instruction_sets / sizeof instruction_sets[0] };

/* How many of them, counted from the first, this processor has. */
static int instruction_sets_here(void) {
#if MINIDL_X86
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return !avx2 ? 1 : !avx512 ? 2 : 3;
#else
    return 1;
#endif
}

#endif
