/* The elementwise part of a step, for one sequence; the formulas: __init__.py. Loops without a branch: see loops.h. */

#define INLINE static inline TARGET

typedef union { REAL real; BITS bits; } NAME(number);

/* e^x = s * (1 + p) with s = 2^n: x = n * log(2) + r, |r| <= log(2)/2, and p = e^r - 1 by its Taylor series. */
INLINE void NAME(exp_parts)(REAL x, REAL *s, REAL *p) {
    const REAL round = IS_DOUBLE ? 6755399441055744.0 : 12582912.0f; /* 1.5 * 2^52, 1.5 * 2^23: adding it rounds */
    const REAL log2_high = IS_DOUBLE ? 6.93147180369123816490e-01 : 0.693359375f;
    const REAL log2_low = IS_DOUBLE ? 1.90821492927058770002e-10 : -2.12194440e-4f;
    NAME(number) n_bits, round_bits, power;
    n_bits.real = x * (REAL)1.44269504088896340736 + round;
    round_bits.real = round;
    const REAL n = n_bits.real - round;
    const REAL r = x - n * log2_high - n * log2_low;
    REAL q = (REAL)(1.0 / 40320);
#if IS_DOUBLE
    q = r * (1.0 / 6227020800) + 1.0 / 479001600;
    q = r * q + 1.0 / 39916800;
    q = r * q + 1.0 / 3628800;
    q = r * q + 1.0 / 362880;
    q = r * q + 1.0 / 40320;
#endif
    q = r * q + (REAL)(1.0 / 5040);
    q = r * q + (REAL)(1.0 / 720);
    q = r * q + (REAL)(1.0 / 120);
    q = r * q + (REAL)(1.0 / 24);
    q = r * q + (REAL)(1.0 / 6);
    q = r * q + (REAL)0.5;
    *p = r + r * r * q;
    power.bits = (n_bits.bits - round_bits.bits + (IS_DOUBLE ? 1023 : 127)) << (IS_DOUBLE ? 52 : 23);
    *s = power.real;
}

/* NaN passes: no comparison with it is true. */
INLINE REAL NAME(clamp)(REAL x, REAL limit) {
    x = x > limit ? limit : x;
    return x < -limit ? -limit : x;
}

/* 1 / (1 + e^-a) */
INLINE REAL NAME(sigmoid)(REAL a) {
    REAL s, p;
    NAME(exp_parts)(-NAME(clamp)(a, IS_DOUBLE ? 708 : 87), &s, &p);
    return 1 / (1 + (s + s * p));
}

/* m / (m + 2) with m = e^2a - 1, which keeps all digits where a is small; 1 from `limit` on */
INLINE REAL NAME(tanh)(REAL a) {
    REAL s, p;
    NAME(exp_parts)(2 * NAME(clamp)(a, IS_DOUBLE ? 20 : 10), &s, &p);
    const REAL m = s * p + (s - 1);
    return m / (m + 2);
}

static TARGET void NAME(rnn_forward)(long hidden, int relu, void *y_) {
    REAL *restrict y = y_;
    if (relu)
        INDEPENDENT for (long j = 0; j < hidden; j++) y[j] = y[j] < 0 ? 0 : y[j];
    else
        INDEPENDENT for (long j = 0; j < hidden; j++) y[j] = NAME(tanh)(y[j]);
}

static TARGET void NAME(rnn_backward)(long hidden, int relu, const void *y_, const void *dy_, const void *dh_,
                                      void *da_) {
    const REAL *restrict y = y_, *restrict dy = dy_, *restrict dh = dh_;
    REAL *restrict da = da_;
    INDEPENDENT for (long j = 0; j < hidden; j++) {
        const REAL slope = relu ? (y[j] > 0 ? 1 : 0) : 1 - y[j] * y[j];
        da[j] = (dh[j] + dy[j]) * slope;
    }
}

static TARGET void NAME(lstm_forward)(long hidden, void *gates, const void *c_before_, void *c_, void *y_) {
    REAL *restrict i = gates, *restrict f = i + hidden, *restrict g = f + hidden, *restrict o = g + hidden;
    const REAL *restrict c_before = c_before_;
    REAL *restrict c = c_, *restrict y = y_;
    INDEPENDENT for (long j = 0; j < hidden; j++) {
        i[j] = NAME(sigmoid)(i[j]);
        f[j] = NAME(sigmoid)(f[j]);
        g[j] = NAME(tanh)(g[j]);
        o[j] = NAME(sigmoid)(o[j]);
        c[j] = f[j] * c_before[j] + i[j] * g[j];
        y[j] = o[j] * NAME(tanh)(c[j]);
    }
}

static TARGET void NAME(lstm_backward)(long hidden, const void *gates, const void *c_before_, const void *c_,
                                       const void *dy_, const void *dh_, void *dc_, void *da) {
    const REAL *restrict i = gates, *restrict f = i + hidden, *restrict g = f + hidden, *restrict o = g + hidden;
    const REAL *restrict c_before = c_before_, *restrict c = c_, *restrict dy = dy_, *restrict dh_after = dh_;
    REAL *restrict da_i = da, *restrict da_f = da_i + hidden, *restrict da_g = da_f + hidden;
    REAL *restrict da_o = da_g + hidden, *restrict dc = dc_;
    INDEPENDENT for (long j = 0; j < hidden; j++) {
        const REAL dh = dh_after[j] + dy[j], tanh_c = NAME(tanh)(c[j]);
        const REAL dc_now = dc[j] + dh * o[j] * (1 - tanh_c * tanh_c);
        da_i[j] = dc_now * g[j] * i[j] * (1 - i[j]);
        da_f[j] = dc_now * c_before[j] * f[j] * (1 - f[j]);
        da_g[j] = dc_now * i[j] * (1 - g[j] * g[j]);
        da_o[j] = dh * tanh_c * o[j] * (1 - o[j]);
        dc[j] = dc_now * f[j];
    }
}

/* `gates` comes as the sums a_r + q_r, a_z + q_z, a_n, q_n */
static TARGET void NAME(gru_forward)(long hidden, void *gates, const void *h_, void *y_) {
    REAL *restrict r = gates, *restrict z = r + hidden, *restrict n = z + hidden, *restrict q_n = n + hidden;
    const REAL *restrict h = h_;
    REAL *restrict y = y_;
    INDEPENDENT for (long j = 0; j < hidden; j++) {
        r[j] = NAME(sigmoid)(r[j]);
        z[j] = NAME(sigmoid)(z[j]);
        n[j] = NAME(tanh)(n[j] + r[j] * q_n[j]);
        y[j] = (1 - z[j]) * n[j] + z[j] * h[j];
    }
}

/* leaves dh * z in dh: what goes to the step before past the gates */
static TARGET void NAME(gru_backward)(long hidden, const void *gates, const void *h_, const void *dy_, void *dh_,
                                      void *da, void *dq) {
    const REAL *restrict r = gates, *restrict z = r + hidden, *restrict n = z + hidden, *restrict q_n = n + hidden;
    const REAL *restrict h = h_, *restrict dy = dy_;
    REAL *restrict da_r = da, *restrict da_z = da_r + hidden, *restrict da_n = da_z + hidden;
    REAL *restrict dq_r = dq, *restrict dq_z = dq_r + hidden, *restrict dq_n = dq_z + hidden;
    REAL *restrict dh = dh_;
    INDEPENDENT for (long j = 0; j < hidden; j++) {
        const REAL dh_now = dh[j] + dy[j];
        const REAL dn = dh_now * (1 - z[j]) * (1 - n[j] * n[j]);
        const REAL dz = dh_now * (h[j] - n[j]) * z[j] * (1 - z[j]);
        const REAL dr = dn * q_n[j] * r[j] * (1 - r[j]);
        da_n[j] = dn, dq_n[j] = dn * r[j];
        da_z[j] = dz, dq_z[j] = dz;
        da_r[j] = dr, dq_r[j] = dr;
        dh[j] = dh_now * z[j];
    }
}

static const gate_table NAME(table) = {
    NAME(rnn_forward), NAME(rnn_backward), NAME(lstm_forward), NAME(lstm_backward), NAME(gru_forward), NAME(gru_backward),
};

#undef INLINE
