/* The most that a core can compute: multiply-adds on registers alone, y[i] = y[i] * a + b.
 *
 * Twelve sums do not wait for each other, which is enough to fill two multiply-add units of four cycles each (and, with
 * SSE2, whose multiplication and addition are two instructions, both units); with a and b they fill 14 registers. */

enum { NAME(PEAK_SUMS) = 12 };

/* 2 * PEAK_SUMS * LANES operations a turn. The result is given back, or the compiler would leave the work out. */
static double NAME(peak)(long turns, double start) {
    const vec a = NAME(splat)((REAL)0.999), b = NAME(splat)((REAL)0.001); /* the sums go to 1, and stay there */
    vec y[NAME(PEAK_SUMS)];
    UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) y[i] = NAME(splat)((REAL)(start + i));
    for (long turn = 0; turn < turns; turn++)
        UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) y[i] = y[i] * a + b;
    double sum = 0;
    REAL lanes[LANES];
    UNROLL for (int i = 0; i < NAME(PEAK_SUMS); i++) {
        NAME(store)(lanes, y[i]);
        for (int j = 0; j < LANES; j++) sum += lanes[j];
    }
    return sum;
}
