/* The peak of a core: multiply-adds in registers only, y[i] = y[i] * a + b.
 *
 * Twelve independent sums are enough to keep two multiply-add units of four cycles latency busy (or, with SSE2, where
 * multiply and add are two instructions, both units); with a and b they fill 14 registers. */

enum { NAME(PEAK_SUMS) = 12 };

/* 2 * PEAK_SUMS * LANES operations per turn. The result is returned so that the compiler does not drop the work. */
static double NAME(peak)(long turns, double start) {
    const vec a = NAME(splat)((REAL)0.999), b = NAME(splat)((REAL)0.001); /* the sums converge to 1 */
    vec y[NAME(PEAK_SUMS)];
    UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) y[i] = NAME(splat)((REAL)(start + i));
    for (long turn = 0; turn < turns; turn++)
        UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) y[i] = y[i] * a + b;
    double sum = 0;
    UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) sum += NAME(total)(y[i]);
    return sum;
}
