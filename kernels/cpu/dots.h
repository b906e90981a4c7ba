/* Dot products of few rows with the rows of b: y[m][j] = (bias[j]) + sum over l of a[m][l] * b[j][l], m < rows <= 4.
 *
 * A tile would need b transposed, which does not pay for few rows. Here vectors run along l, b is read once in place,
 * and each y is a sum of LANES partial sums; MR x NR of them at a time, so that no multiply-add waits for another. */
INLINE REAL NAME(total)(vec v) {
#if ISA == 2
    return AVX(reduce_add)(v);
#else
    REAL sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += ((const REAL *)&v)[lane];
    return sum;
#endif
}
INLINE void NAME(dots_of)(const int MR, const int NR, long columns, long depth, const REAL *a, long a_row,
                          const REAL *b, long b_row, REAL *y, long y_row, const REAL *bias, int mode) {
    vec acc[4][8], b_n[8];
    const REAL *rows[8]; /* of b; after the last, that one is computed again and not stored */
    UNROLL for (int n = 0; n < NR; n++) rows[n] = b + (n < columns ? n : columns - 1) * b_row;
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NR; n++) acc[m][n] = NAME(splat)(0);
#define ADD(LOAD)                                                                                                   \
    UNROLL for (int n = 0; n < NR; n++) b_n[n] = LOAD(rows[n] + l);                                                 \
    UNROLL for (int m = 0; m < MR; m++) {                                                                           \
        vec a_m = LOAD(a + m * a_row + l);                                                                          \
        UNROLL for (int n = 0; n < NR; n++) acc[m][n] += a_m * b_n[n];                                              \
    }
#define LOAD_REST(p) NAME(load_first)(p, depth - l)
    long l = 0;
    for (; l + LANES <= depth; l += LANES) { ADD(NAME(load)) }
    if (l < depth) { ADD(LOAD_REST) }
    UNROLL for (int m = 0; m < MR; m++)
        UNROLL for (int n = 0; n < NR; n++) {
            REAL value = NAME(total)(acc[m][n]) + (bias && n < columns ? bias[n] : 0);
            if (n < columns) y[m * y_row + n] = mode & TILE_RELU && value < 0 ? 0 : value;
        }
}
#define DOT_COLUMNS(MR) (REGISTERS == 32 ? ((MR) <= 2 ? 8 : 4) : (MR) == 1 ? 8 : (MR) == 2 ? 4 : 2)
#define DOTS(MR)                                                                                                    \
    for (long j = 0; rows == MR && j < columns; j += DOT_COLUMNS(MR))                                               \
        NAME(dots_of)(MR, DOT_COLUMNS(MR), columns - j, depth, a, a_row, (const REAL *)b + j * b_row, b_row,        \
                      (REAL *)y + j, y_row, bias ? (const REAL *)bias + j : bias, mode);
static void NAME(dots)(long rows, long columns, long depth, const void *a, long a_row, const void *b, long b_row,
                       void *y, long y_row, const void *bias, int mode) {
    DOTS(1) DOTS(2) DOTS(3) DOTS(4)
}
