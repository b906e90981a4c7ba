# The loop of kernels/dropout: Philox4x32-10, a counter-based generator. The i-th number is a function of i and the key
# only, so numbers can be computed in any order, by any thread, and again in the backward pass.

cdef enum:
    COUNTERS = 32  # in a block; each gives four numbers


cdef inline uint32_t high(uint32_t a, uint32_t b) noexcept nogil:
    """The upper half of a * b."""
    return <uint32_t>((<uint64_t>a * b) >> 32)


cdef inline void philox(uint64_t counter, uint64_t key, uint32_t* a, uint32_t* b, uint32_t* c,
                        uint32_t* d) noexcept nogil:
    """Four random numbers of 32 bits, for one counter: ten rounds of two multiplications."""
    cdef uint32_t x0 = <uint32_t>counter, x1 = <uint32_t>(counter >> 32), x2 = 0, x3 = 0, y0, y2
    cdef uint32_t k0 = <uint32_t>key, k1 = <uint32_t>(key >> 32)
    cdef int r
    for r in range(10):
        y0 = high(0xCD9E8D57u, x2) ^ x1 ^ k0
        y2 = high(0xD2511F53u, x0) ^ x3 ^ k1
        x1 = 0xCD9E8D57u * x2
        x3 = 0xD2511F53u * x0
        x0 = y0
        x2 = y2
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u
    a[0], b[0], c[0], d[0] = x0, x1, x2, x3


cdef void dropout_forward(size_t itemsize, long n, uint64_t first, uint64_t key, uint32_t threshold, double scale,
                          const void* x, void* y) noexcept nogil:
    if itemsize == sizeof(float):
        dropout_forward_of(n, first, key, threshold, <float>scale, <const float*>x, <float*>y)
    else:
        dropout_forward_of(n, first, key, threshold, scale, <const double*>x, <double*>y)


cdef void dropout_forward_of(long n, uint64_t first, uint64_t key, uint32_t threshold, real scale, const real* x,
                             real* y) noexcept nogil:
    cdef uint32_t[COUNTERS] a, b, c, d
    cdef uint32_t[4 * COUNTERS] numbers
    cdef long start = 0, i
    cdef int j
    while start < n:
        for j in range(COUNTERS):
            philox(first / 4 + start / 4 + j, key, &a[j], &b[j], &c[j], &d[j])
        for j in range(COUNTERS):
            numbers[4 * j] = a[j]
            numbers[4 * j + 1] = b[j]
            numbers[4 * j + 2] = c[j]
            numbers[4 * j + 3] = d[j]
        # y = x * scale where the number is at least `threshold`, else 0
        for i in range(min(<long>(4 * COUNTERS), n - start)):
            y[start + i] = x[start + i] * scale if numbers[i] >= threshold else 0
        start += 4 * COUNTERS
