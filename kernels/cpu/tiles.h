/* The micro-kernels as Cython calls them: a table of functions for each instruction set and number type. Pointers to
 * float or double are void pointers here, so that one table type serves both. */
#ifndef MINIDL_TILES_H
#define MINIDL_TILES_H

#include <stdint.h>

enum { TILE_MAX_ROWS = 12, TILE_MAX_VECTORS = 4, SPARSE_VECTORS = 6 };

/* The two nested loops that a register tile sums over; all distances are in elements. */
typedef struct {
    long outer, inner;
    const long *a_offsets; /* [outer]: offset in A at the start of each outer step */
    long a_inner;          /* stride of A for an inner step */
    long b_outer, b_inner; /* strides of B for an outer and an inner step */
} tile_sum;

enum { TILE_STORE = 0, TILE_ADD = 1, TILE_RELU = 2 };

/* y[m][j] = (bias[j]) + sum over outer o, inner i of a[m][a_offsets[o] + i*a_inner] * b[o*b_outer + i*b_inner + j]
 * for m < rows, j < columns; with TILE_ADD the sum is added to y instead of stored, with TILE_RELU max(0, .) of that
 * is stored, NaN staying NaN. `bias` may be NULL. */
#define TILE_ARGUMENTS                                                                                              \
    const tile_sum *sum, int rows, const void *const *a_, const void *b_, void *const *y_, long columns,            \
        const void *bias_, int mode
typedef void (*tile_function)(TILE_ARGUMENTS);

/* For each window w < windows and channel j < channels, over the listed pixels t < count at x + w*step + offsets[t]:
 * y = their maximum (the first one; NaN counts as the largest) and taps = the tap of that pixel. With none >= 0, a 0
 * with the tap `none` is compared first: ReLU in the same pass. */
typedef void (*max_function)(long windows, const void *x, long step, int count, const long *offsets, const int *taps,
                             int none, long channels, void *y, uint8_t *taps_of_y);

/* Its gradient: x[w*step + offsets[t] + j] = y where taps == t, else 0, for t < count. */
typedef void (*spread_function)(long windows, const void *y, const uint8_t *taps, int count, const long *offsets,
                                long channels, void *x, long step);

/* y[w*y_step + j] = sum of x[w*x_step + x_offsets[t] + j] over those t < count for which
 * taps[w*taps_step + taps_offsets[t] + j] == tap[t] */
typedef void (*select_function)(long windows, const void *x, long x_step, const long *x_offsets, const uint8_t *taps,
                                long taps_step, const long *taps_offsets, int count, const int *tap, long channels,
                                void *y, long y_step);

/* y[w*y_step + j] = (sum over t of weights[t] * x[w*x_step + offsets[t] + j]) / divisor */
typedef void (*weigh_function)(long windows, const void *x, long x_step, const long *offsets, const double *weights,
                               int count, double divisor, long channels, void *y, long y_step);

/* y[j*y_step + i] = x[i*x_step + j] for i < rows, j < columns */
typedef void (*transpose_function)(long rows, long columns, const void *x, long x_step, void *y, long y_step);

/* y[m*y_row + j] = (bias[j]) + sum over l < depth of a[m*a_row + l] * b[j*b_row + l], m < rows <= 4, j < columns. */
typedef void (*dots_function)(long rows, long columns, long depth, const void *a, long a_row, const void *b,
                              long b_row, void *y, long y_row, const void *bias, int mode);

/* y[y_offsets[m] + j] += sum over l from starts[m] to ends[m] of values[l] * b[indices[l]*b_step + j] for m < rows,
 * j < columns <= SPARSE_VECTORS * lanes */
#define SPARSE_ARGUMENTS                                                                                            \
    long rows, const int *starts, const int *ends, const int *indices, const void *values, const void *b,           \
        long b_step, long columns, void *y, const long *y_offsets
typedef void (*sparse_function)(SPARSE_ARGUMENTS);

/* Multiply-adds in registers, as fast as possible; the result depends on all of them. */
typedef double (*peak_function)(long turns, double start);

typedef struct {
    int lanes;                              /* numbers in a vector register */
    int vectors;                            /* widest tile, in vectors */
    int rows[TILE_MAX_VECTORS + 1];         /* [vectors]: tallest tile of that width */
    tile_function tile[TILE_MAX_VECTORS + 1];        /* [vectors]: B is read in whole vectors, so it must be padded */
    tile_function tile_exact[TILE_MAX_VECTORS + 1];  /* [vectors]: B is read up to `columns` only */
    tile_function channelwise, channelwise_exact;  /* as tile[1], but A has a number for each column: a[m][... + j] */
    max_function max_windows;
    spread_function spread_windows;
    select_function select_sums;
    weigh_function weighted_sums;
    transpose_function transpose;
    dots_function dots;
    sparse_function sparse_rows;
    peak_function peak;
    int peak_operations;                    /* of one turn */
} tile_table;

#endif
