/* A sparse matrix, row by row, times a dense one; it says where the numbers are that are not 0:
 *
 *     y[m][j] += sum over l from starts[m] to ends[m] of values[l] * b[indices[l]][j]
 *
 * A row of y stays in registers while the rows of b that it needs are read, one load for each multiply-add. A dense
 * tile uses a load several times; this keeps up with it only while b stays in the L1 cache. */

/* `columns` numbers of each row, in NV vectors; unless WHOLE, the last one is not full. */
INLINE void NAME(sparse_rows_of)(const int NV, const int WHOLE, SPARSE_ARGUMENTS) {
    const long last = columns - (NV - 1) * LANES;
    for (long m = 0; m < rows; m++) {
        vec acc[SPARSE_VECTORS];
        UNROLL for (int v = 0; v < NV; v++) acc[v] = NAME(splat)(0);
        for (long l = starts[m]; l < ends[m]; l++) {
            const vec value = NAME(splat)(((const REAL *)values)[l]);
            const REAL *p = (const REAL *)b + indices[l] * b_step;
            UNROLL for (int v = 0; v < NV; v++, p += LANES)
                acc[v] += value * (WHOLE || v < NV - 1 ? NAME(load)(p) : NAME(load_first)(p, last));
        }
        REAL *p = (REAL *)y + y_offsets[m];
        UNROLL for (int v = 0; v < NV; v++, p += LANES)
            if (WHOLE || v < NV - 1) NAME(store)(p, NAME(load)(p) + acc[v]);
            else NAME(store_first)(p, NAME(load_first)(p, last) + acc[v], last);
    }
}

static void NAME(sparse_rows)(SPARSE_ARGUMENTS) {
#define SPARSE_ROWS(NV)                                                                                             \
    if (columns == NV * LANES)                                                                                      \
        NAME(sparse_rows_of)(NV, 1, rows, starts, ends, indices, values, b, b_step, columns, y, y_offsets);         \
    else if (columns > (NV - 1) * LANES && columns < NV * LANES)                                                    \
        NAME(sparse_rows_of)(NV, 0, rows, starts, ends, indices, values, b, b_step, columns, y, y_offsets);
    SPARSE_ROWS(1) SPARSE_ROWS(2) SPARSE_ROWS(3) SPARSE_ROWS(4) SPARSE_ROWS(5) SPARSE_ROWS(6)
}
