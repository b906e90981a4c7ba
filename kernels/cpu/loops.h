/* Plain loops over numbers, compiled once for each instruction set and number type.
 *
 * A header defines LOOPS as the name of a file of plain loops and includes this one, which includes LOOPS several times,
 * with REAL (float or double), BITS (unsigned, as wide), IS_DOUBLE (0 or 1), TARGET (before every function), INDEPENDENT
 * (before a loop no round of which reads what another one writes) and NAME(x). LOOPS ends with a table of its functions,
 * `static const TABLE NAME(table) = {...}`; loops_for(itemsize, vector_bytes) gives the one to use, by the bytes of a
 * vector register of the instruction set that is in use (tiles.pyx). The compiler turns the loops into vectors. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && defined(__x86_64__) && !defined(MINIDL_PORTABLE)
#define LOOPS_X86 1
#else
#define LOOPS_X86 0
#endif

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#define REAL float
#define BITS uint32_t
#define IS_DOUBLE 0

#define TARGET
#define NAME(x) x##_float_any
#include LOOPS
#undef TARGET
#undef NAME
#if LOOPS_X86
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) x##_float_avx2
#include LOOPS
#undef TARGET
#undef NAME
#ifdef __clang__
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#else
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,prefer-vector-width=512")))
#endif
#define TARGET TARGET_AVX512
#define NAME(x) x##_float_avx512
#include LOOPS
#undef TARGET
#undef NAME
#endif

#undef REAL
#undef BITS
#undef IS_DOUBLE
#define REAL double
#define BITS uint64_t
#define IS_DOUBLE 1

#define TARGET
#define NAME(x) x##_double_any
#include LOOPS
#undef TARGET
#undef NAME
#if LOOPS_X86
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) x##_double_avx2
#include LOOPS
#undef TARGET
#undef NAME
#define TARGET TARGET_AVX512
#define NAME(x) x##_double_avx512
#include LOOPS
#undef TARGET
#undef NAME
#endif

static const TABLE *loops_for(size_t itemsize, size_t vector_bytes) {
#if LOOPS_X86
    if (vector_bytes == 64) return itemsize == sizeof(float) ? &table_float_avx512 : &table_double_avx512;
    if (vector_bytes == 32) return itemsize == sizeof(float) ? &table_float_avx2 : &table_double_avx2;
#endif
    return itemsize == sizeof(float) ? &table_float_any : &table_double_any;
}
