/* One vector register of numbers, for the instruction set and number type that clones.h has defined:
 * REAL (float or double), INTEGER (as wide), LANES (numbers in a vector), ISA (0 any, 1 AVX2, 2 AVX-512), NAME(x).
 *
 * Arithmetic uses the vector extension of GCC and Clang, which is the same on every processor; only masked loads and
 * stores, which do not touch memory beyond an array's end, need the processor's own instructions.
 * Other compilers get LANES = 1: a vector is a number. */

#if MINIDL_VECTORS
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define PREFETCH(p, writes) __builtin_prefetch(p, writes)
#define LANE(v, j) (v)[j]
#define CONVERT(v, type) __builtin_convertvector(v, type)
typedef REAL NAME(vec_type) __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef INTEGER NAME(mask_type) __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef uint8_t NAME(bytes_type) __attribute__((vector_size(LANES), aligned(1), may_alias));
#else
#define INLINE static inline
#define UNROLL
#define PREFETCH(p, writes) (void)0
#define LANE(v, j) (v)
#define CONVERT(v, type) (type)(v)
typedef REAL NAME(vec_type);
typedef INTEGER NAME(mask_type);
typedef uint8_t NAME(bytes_type);
#endif
#define vec NAME(vec_type)
#define mask NAME(mask_type)
#define bytes NAME(bytes_type)

INLINE vec NAME(load)(const REAL *p) { return *(const vec *)p; }
INLINE void NAME(store)(REAL *p, vec v) { *(vec *)p = v; }

/* The first n numbers from p (the other lanes 0), and the first n lanes to p; n may be anything. */
#if ISA == 2
#define LANE_BITS(n) ((n) >= LANES ? (1u << LANES) - 1 : (n) <= 0 ? 0u : (1u << (n)) - 1)
INLINE vec NAME(load_first)(const REAL *p, long n) { return AVX(maskz_loadu)(LANE_BITS(n), p); }
INLINE void NAME(store_first)(REAL *p, vec v, long n) { AVX(mask_storeu)(p, LANE_BITS(n), v); }
#elif ISA == 1
INLINE __m256i NAME(lane_mask)(long n) {
    mask lane, count = (INTEGER)(n > LANES ? LANES : n) - (mask){0};
    for (int j = 0; j < LANES; j++) lane[j] = j;
    return (__m256i)(lane < count);
}
INLINE vec NAME(load_first)(const REAL *p, long n) { return AVX(maskload)(p, NAME(lane_mask)(n)); }
INLINE void NAME(store_first)(REAL *p_, vec v, long n) { /* piece by piece: a masked store is slow on some processors */
    float *p = (float *)p_; /* doubles are two of them */
    const long floats = n >= LANES ? 8 : n <= 0 ? 0 : n * sizeof_REAL / 4;
    __m128 part = _mm256_castps256_ps128((__m256)v);
    if (floats & 8) NAME(store)(p_, v);
    if (floats & 4) _mm_storeu_ps(p, part), p += 4, part = _mm256_extractf128_ps((__m256)v, 1);
    if (floats & 2) _mm_storel_pi((void *)p, part), p += 2, part = _mm_movehl_ps(part, part);
    if (floats & 1) _mm_store_ss(p, part);
}
#else
INLINE vec NAME(load_first)(const REAL *p, long n) {
    vec v = {0};
    for (int j = 0; j < LANES; j++)
        if (j < n) LANE(v, j) = p[j];
#ifdef __aarch64__
    __asm__("" : "+w"(v)); /* keeps v one vector: lane by lane, some multiply-adds would round twice */
#endif
    return v;
}
INLINE void NAME(store_first)(REAL *p, vec v, long n) {
    for (int j = 0; j < LANES; j++)
        if (j < n) p[j] = LANE(v, j);
}
#endif

/* A whole vector where n allows it. */
INLINE vec NAME(load_some)(const REAL *p, long n) { return n >= LANES ? NAME(load)(p) : NAME(load_first)(p, n); }
INLINE void NAME(store_some)(REAL *p, vec v, long n) {
    if (n >= LANES) NAME(store)(p, v);
    else NAME(store_first)(p, v, n);
}

INLINE vec NAME(splat)(REAL value) { return value - (vec){0}; }
/* Comparisons give all ones or all zeros in each lane; between numbers, 1 or 0. */
#if MINIDL_VECTORS
INLINE vec NAME(select)(mask where, vec yes, vec no) { return (vec)(((mask)yes & where) | ((mask)no & ~where)); }
INLINE mask NAME(select_integers)(mask where, mask yes, mask no) { return (yes & where) | (no & ~where); }
#else
INLINE vec NAME(select)(mask where, vec yes, vec no) { return where ? yes : no; }
INLINE mask NAME(select_integers)(mask where, mask yes, mask no) { return where ? yes : no; }
#endif

/* widen: n bytes to integers; narrow: integers below 256 to n bytes; n > 0. */
#if ISA == 2
INLINE mask NAME(widen)(const uint8_t *p, long n) {
    return (mask)WIDEN(_mm_maskz_loadu_epi8((__mmask16)LANE_BITS(n), p));
}
INLINE void NAME(narrow)(uint8_t *p, mask v, long n) { NARROW(p, LANE_BITS(n), (__m512i)v); }
#elif ISA == 1
INLINE mask NAME(widen)(const uint8_t *p, long n) {
    int64_t b = 0;
    if (n >= LANES) memcpy(&b, p, LANES);
    else memcpy(&b, p, n);
    return (mask)WIDEN(_mm_cvtsi64_si128(b));
}
INLINE void NAME(narrow)(uint8_t *p, mask v, long n) {
    __m128i b = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    b = _mm_packus_epi16(b, b); /* 8 numbers of 32 bits to bytes; those as wide as double are two of 32 bits */
    const int64_t all = _mm_cvtsi128_si64(LANES == 4 ? _mm_packus_epi16(b, b) : b);
    if (n >= LANES) memcpy(p, &all, LANES);
    else memcpy(p, &all, n);
}
#else
INLINE mask NAME(widen)(const uint8_t *p, long n) {
    bytes b = {0};
    if (n >= LANES) b = *(const bytes *)p;
    else
        for (int j = 0; j < n; j++) LANE(b, j) = p[j];
    return CONVERT(b, mask);
}
INLINE void NAME(narrow)(uint8_t *p, mask v, long n) {
    bytes b = CONVERT(v, bytes);
    if (n >= LANES) *(bytes *)p = b;
    else
        for (int j = 0; j < n; j++) p[j] = LANE(b, j);
}
#endif
