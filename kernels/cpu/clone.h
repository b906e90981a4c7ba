/* All micro-kernels for one instruction set, in float and in double; clones.h includes this once for each set. */

#define REAL float
#define sizeof_REAL 4
#define INTEGER int32_t
#define AVX(x) REGISTER(x##_ps)
#define WIDEN REGISTER(cvtepu8_epi32)
#define NARROW _mm512_mask_cvtepi32_storeu_epi8
#include "kernels_of_type.h"

#define REAL double
#define sizeof_REAL 8
#define INTEGER int64_t
#define AVX(x) REGISTER(x##_pd)
#define WIDEN REGISTER(cvtepu8_epi64)
#define NARROW _mm512_mask_cvtepi64_storeu_epi8
#include "kernels_of_type.h"
#undef ISA
#undef REGISTER_BYTES
#undef REGISTER
#undef SUFFIX
#undef REGISTERS
