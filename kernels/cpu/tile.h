/* The register tile: the inner loop of matmul and of all passes of conv2d.
 *
 *     acc[m][v] += a[m] (one number, broadcast) * b[v] (one vector)          m < MR rows, v < NV vectors
 *
 * MR and NV are constants wherever this is inlined, so that acc stays in registers: MR*NV accumulators are updated from
 * MR + NV loads, enough of them to hide the latency of the multiply-add units. Every element is one chain of
 * multiply-adds in the order of the sum, in any tile, so how rows, columns or chunks are cut never changes a bit of the
 * result. */

#if REGISTERS == 32
#define MAX_VECTORS 4
#define MAX_ROWS(NV) ((NV) == 4 ? 6 : (NV) == 3 ? 8 : 12)
#else
#define MAX_VECTORS 2
#define MAX_ROWS(NV) ((NV) == 2 ? 6 : 12)
#endif

/* One tile, at most MR rows by NV vectors. PADDED: whole vectors of B may be read. CHANNELWISE: A is a vector too. */
INLINE void NAME(tile_of)(const int MR, const int NV, const int PADDED, const int CHANNELWISE, TILE_ARGUMENTS) {
    const REAL *a[TILE_MAX_ROWS], *b = b_, *bias = bias_;
    const long last = columns - (NV - 1) * LANES; /* lanes in use of the last vector */
    /* A tile with fewer rows than MR computes its last row again, and does not store it. */
    UNROLL for (int m = 0; m < MR; m++) a[m] = a_[m < rows ? m : rows - 1];

    /* Prefetch the elements of y that will be added to or written. */
    for (int m = 0; m < rows; m++)
        UNROLL for (int v = 0; v < NV; v++) PREFETCH((const REAL *)y_[m] + v * LANES, 1);

    vec acc[TILE_MAX_ROWS][TILE_MAX_VECTORS];
    UNROLL for (int v = 0; v < NV; v++) {
        vec start = NAME(splat)(0);
        if (bias) start = v < NV - 1 ? NAME(load)(bias + v * LANES) : NAME(load_first)(bias + v * LANES, last);
        UNROLL for (int m = 0; m < MR; m++) acc[m][v] = start;
    }

    for (long o = 0; o < sum->outer; o++) {
        const REAL *b_row = b + o * sum->b_outer;
        long k = sum->a_offsets[o];
        for (long i = 0; i < sum->inner; i++) {
            /* A wide strip of B, and numbers of A far apart, are in the L2 cache: prefetch them (B first is faster). */
            UNROLL for (int v = 0; v < NV && NV > 2; v++) PREFETCH(b_row + 4 * sum->b_inner + v * LANES, 0);
            if (NV > 2) PREFETCH(a[MR - 1] + k + 16 * sum->a_inner, 0);
            vec b_vectors[TILE_MAX_VECTORS];
            UNROLL for (int v = 0; v < NV; v++)
                b_vectors[v] = PADDED || v < NV - 1 ? NAME(load)(b_row + v * LANES)
                                                    : NAME(load_first)(b_row + v * LANES, last);
            UNROLL for (int m = 0; m < MR; m++) {
                vec a_m = !CHANNELWISE ? NAME(splat)(a[m][k])
                          : PADDED     ? NAME(load)(a[m] + k)
                                       : NAME(load_first)(a[m] + k, last);
                UNROLL for (int v = 0; v < NV; v++) acc[m][v] += a_m * b_vectors[v];
            }
            b_row += sum->b_inner;
            k += sum->a_inner;
        }
    }

    UNROLL for (int m = 0; m < MR; m++) {
        if (m >= rows) break;
        REAL *y = y_[m];
        UNROLL for (int v = 0; v < NV; v++) {
            REAL *p = y + v * LANES;
            const int whole = v < NV - 1 || last == LANES;
            vec value = acc[m][v];
            if (mode & TILE_ADD) value += whole ? NAME(load)(p) : NAME(load_first)(p, last);
            if (mode & TILE_RELU) value = NAME(select)(value < 0, NAME(splat)(0), value);
            if (whole) NAME(store)(p, value);
            else NAME(store_first)(p, value, last);
        }
    }
}

/* Choose the smallest of a few tile heights that holds the rows. */
#define ROWS_UP_TO(MR, NV, PADDED, CHANNELWISE)                                                                     \
    if (MR <= MAX_ROWS(NV) && rows <= MR) {                                                                         \
        NAME(tile_of)(MR <= MAX_ROWS(NV) ? MR : 1, NV, PADDED, CHANNELWISE, sum, rows, a_, b_, y_, columns, bias_,  \
                      mode);                                                                                        \
        return;                                                                                                     \
    }
#define TILE(FUNCTION, NV, PADDED, CHANNELWISE)                                                                     \
    static void NAME(FUNCTION)(TILE_ARGUMENTS) {                                                                    \
        ROWS_UP_TO(1, NV, PADDED, CHANNELWISE)                                                                      \
        ROWS_UP_TO(2, NV, PADDED, CHANNELWISE)                                                                      \
        ROWS_UP_TO(4, NV, PADDED, CHANNELWISE)                                                                      \
        ROWS_UP_TO(6, NV, PADDED, CHANNELWISE)                                                                      \
        ROWS_UP_TO(8, NV, PADDED, CHANNELWISE)                                                                      \
        ROWS_UP_TO(12, NV, PADDED, CHANNELWISE)                                                                     \
    }

TILE(tile_1, 1, 1, 0)
TILE(tile_2, 2, 1, 0)
TILE(tile_1_exact, 1, 0, 0)
TILE(tile_2_exact, 2, 0, 0)
#if MAX_VECTORS == 4
TILE(tile_3, 3, 1, 0)
TILE(tile_4, 4, 1, 0)
TILE(tile_3_exact, 3, 0, 0)
TILE(tile_4_exact, 4, 0, 0)
#endif
TILE(channelwise, 1, 1, 1)
TILE(channelwise_exact, 1, 0, 1)
