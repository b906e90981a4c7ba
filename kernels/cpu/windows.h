/* Pooling and sums, one vector of channels at a time. The innermost loop goes over the pixels of a window, so the
 * running maximum or sum stays in a register. */

INLINE void NAME(max_windows_of)(long windows, const void *x_, long step, int count, const long *offsets,
                                 const int *taps, int none, long channels, void *y_, uint8_t *taps_of_y) {
    const REAL *x = x_;
    REAL *y = y_;
    for (long w = 0; w < windows; w++, x += step, y += channels, taps_of_y += channels)
        for (long j = 0; j < channels; j += LANES) {
            const long n = channels - j;
            vec best = NAME(splat)(0);
            mask tap_of_best = (mask)NAME(splat)(0) + (INTEGER)none;
            for (int t = 0; t < count; t++) {
                const REAL *p = x + offsets[t] + j;
                vec value = NAME(load_some)(p, n);
                mask tap = (mask)NAME(splat)(0) + (INTEGER)taps[t];
                /* larger, or the first NaN: not (value <= best), and best is not NaN */
                mask better = ((value <= best) ^ (INTEGER)-1) & (best == best);
                if (t == 0 && none < 0) best = value, tap_of_best = tap;
                else {
                    best = NAME(select)(better, value, best);
                    tap_of_best = NAME(select_integers)(better, tap, tap_of_best);
                }
            }
            NAME(store_some)(y + j, best, n);
            NAME(narrow)(taps_of_y + j, tap_of_best, n);
        }
}

/* For 2 x 2 windows, by far the most common, the loop is unrolled. */
static void NAME(max_windows)(long windows, const void *x, long step, int count, const long *offsets, const int *taps,
                              int none, long channels, void *y, uint8_t *taps_of_y) {
    if (count == 4) NAME(max_windows_of)(windows, x, step, 4, offsets, taps, none, channels, y, taps_of_y);
    else NAME(max_windows_of)(windows, x, step, count, offsets, taps, none, channels, y, taps_of_y);
}

static void NAME(spread_windows)(long windows, const void *y_, const uint8_t *taps, int count, const long *offsets,
                                 long channels, void *x_, long step) {
    const REAL *y = y_;
    REAL *x = x_;
    for (long w = 0; w < windows; w++, x += step, y += channels, taps += channels)
        for (long j = 0; j < channels; j += LANES) {
            const long n = channels - j;
            vec value = NAME(load_some)(y + j, n);
            mask tap = NAME(widen)(taps + j, n);
            for (int t = 0; t < count; t++)
                NAME(store_some)(x + offsets[t] + j, NAME(select)(tap == (INTEGER)t, value, NAME(splat)(0)), n);
        }
}

static void NAME(select_sums)(long windows, const void *x_, long x_step, const long *x_offsets, const uint8_t *taps,
                              long taps_step, const long *taps_offsets, int count, const int *tap, long channels,
                              void *y_, long y_step) {
    const REAL *x = x_;
    REAL *y = y_;
    for (long w = 0; w < windows; w++, x += x_step, taps += taps_step, y += y_step)
        for (long j = 0; j < channels; j += LANES) {
            const long n = channels - j;
            vec sum = NAME(splat)(0);
            for (int t = 0; t < count; t++) {
                const REAL *p = x + x_offsets[t] + j;
                vec value = NAME(load_some)(p, n);
                mask chosen = NAME(widen)(taps + taps_offsets[t] + j, n) == (INTEGER)tap[t];
                sum += NAME(select)(chosen, value, NAME(splat)(0));
            }
            NAME(store_some)(y + j, sum, n);
        }
}

static void NAME(weighted_sums)(long windows, const void *x_, long x_step, const long *offsets, const double *weights,
                                int count, double divisor, long channels, void *y_, long y_step) {
    const REAL *x = x_;
    REAL *y = y_;
    for (long w = 0; w < windows; w++, x += x_step, y += y_step)
        for (long j = 0; j < channels; j += LANES) {
            const long n = channels - j;
            vec sum = NAME(splat)(0);
            for (int t = 0; t < count; t++) {
                const REAL *p = x + offsets[t] + j;
                sum += NAME(splat)((REAL)weights[t]) * NAME(load_some)(p, n);
            }
            if (divisor != 1) sum /= NAME(splat)((REAL)divisor);
            NAME(store_some)(y + j, sum, n);
        }
}
