/* y[j*y_step + i] = x[i*x_step + j] for i < rows, j < columns: floats in blocks of 4 x 4, transposed in registers;
 * doubles, whose blocks would be 2 x 2, one by one, in an order that stays in the cache. */

/* One by one, 8 rows at a time, so that 8 cache lines of x are in use. */
INLINE void NAME(transpose_part)(long first_row, long rows, long first_column, long columns, const REAL *x, long x_step,
                                 REAL *y, long y_step) {
    for (long i0 = first_row; i0 < rows; i0 += 8)
        for (long j = first_column; j < columns; j++)
            for (long i = i0; i < rows && i < i0 + 8; i++) y[j * y_step + i] = x[i * x_step + j];
}

static void NAME(transpose)(long rows, long columns, const void *x_, long x_step, void *y_, long y_step) {
    const REAL *x = x_;
    REAL *y = y_;
    long whole_rows = 0, whole_columns = 0;
#if MINIDL_VECTORS && sizeof_REAL == 4 && (defined(__clang__) || __GNUC__ >= 12) /* has __builtin_shufflevector */
    {
        typedef REAL four __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
        whole_rows = rows & ~3L, whole_columns = columns & ~3L;
        /* 8 rows at a time: more of them, a power of 2 apart, would evict each other from the cache. And 32 columns, so
         * that these lines of y are still in the cache when the next rows of x fill their other half. */
        for (long j0 = 0; j0 < whole_columns; j0 += 32)
        for (long i0 = 0; i0 < whole_rows; i0 += 8)
        for (long j = j0; j < whole_columns && j < j0 + 32; j += 4)
            for (long i = i0; i < whole_rows && i < i0 + 8; i += 4) {
                const REAL *p = x + i * x_step + j;
                REAL *q = y + j * y_step + i;
                four a = *(const four *)p, b = *(const four *)(p + x_step);
                four c = *(const four *)(p + 2 * x_step), d = *(const four *)(p + 3 * x_step);
#define MIX(u, v, ...) __builtin_shufflevector(u, v, __VA_ARGS__)
                four ab = MIX(a, b, 0, 4, 1, 5), AB = MIX(a, b, 2, 6, 3, 7);
                four cd = MIX(c, d, 0, 4, 1, 5), CD = MIX(c, d, 2, 6, 3, 7);
                *(four *)q = MIX(ab, cd, 0, 1, 4, 5);
                *(four *)(q + y_step) = MIX(ab, cd, 2, 3, 6, 7);
                *(four *)(q + 2 * y_step) = MIX(AB, CD, 0, 1, 4, 5);
                *(four *)(q + 3 * y_step) = MIX(AB, CD, 2, 3, 6, 7);
            }
    }
#endif
    NAME(transpose_part)(0, whole_rows, whole_columns, columns, x, x_step, y, y_step);
    NAME(transpose_part)(whole_rows, rows, 0, columns, x, x_step, y, y_step);
}
