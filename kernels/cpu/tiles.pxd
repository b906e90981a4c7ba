# The micro-kernels, for other extensions: the table for the instruction set in use. tiles.h says what each does.

from libc.stdint cimport uint8_t

cdef extern from "tiles.h":
    enum:
        TILE_MAX_ROWS
        TILE_MAX_VECTORS
        SPARSE_VECTORS
        TILE_STORE
        TILE_ADD
        TILE_RELU
    ctypedef struct tile_sum:
        long outer, inner
        const long* a_offsets
        long a_inner
        long b_outer, b_inner
    ctypedef void (*tile_function)(const tile_sum* sum, int rows, const void** a, const void* b, void** y, long columns,
                                   const void* bias, int mode) noexcept nogil
    ctypedef void (*max_function)(long windows, const void* x, long step, int count, const long* offsets,
                                  const int* taps, int none, long channels, void* y, uint8_t* taps_of_y) noexcept nogil
    ctypedef void (*spread_function)(long windows, const void* y, const uint8_t* taps, int count, const long* offsets,
                                     long channels, void* x, long step) noexcept nogil
    ctypedef void (*select_function)(long windows, const void* x, long x_step, const long* x_offsets,
                                     const uint8_t* taps, long taps_step, const long* taps_offsets, int count,
                                     const int* tap, long channels, void* y, long y_step) noexcept nogil
    ctypedef void (*weigh_function)(long windows, const void* x, long x_step, const long* offsets,
                                    const double* weights, int count, double divisor, long channels,
                                    void* y, long y_step) noexcept nogil
    ctypedef void (*transpose_function)(long rows, long columns, const void* x, long x_step, void* y,
                                        long y_step) noexcept nogil
    ctypedef void (*dots_function)(long rows, long columns, long depth, const void* a, long a_row, const void* b,
                                   long b_row, void* y, long y_row, const void* bias, int mode) noexcept nogil
    ctypedef void (*sparse_function)(long rows, const int* starts, const int* ends, const int* indices,
                                     const void* values, const void* b, long b_step, long columns, void* y,
                                     const long* y_offsets) noexcept nogil
    ctypedef double (*peak_function)(long turns, double start) noexcept nogil
    ctypedef struct tile_table:
        int lanes
        int vectors
        int* rows
        tile_function* tile
        tile_function* tile_exact
        tile_function channelwise
        tile_function channelwise_exact
        max_function max_windows
        spread_function spread_windows
        select_function select_sums
        weigh_function weighted_sums
        transpose_function transpose
        dots_function dots
        sparse_function sparse_rows
        peak_function peak
        int peak_operations

# The table for float (itemsize 4) or double (8).
cdef const tile_table* table(size_t itemsize) noexcept nogil

# The table for tiles of so many columns. Where they fit into half a register of AVX-512 it is that of AVX2, whose tiles
# give the same numbers: many processors multiply half as many numbers in half the time.
cdef const tile_table* table_for(size_t itemsize, long columns) noexcept nogil
