# cython: language_level=3, boundscheck=False, wraparound=False
"""Matrix product, second step of the ladder: loops in another order, and blocks that stay in the cache.

    y[i, j] += a[i, l] * b[l, j]        for l in a block of 64, j in a block of 512

Loop order block of l, block of j, i, l, j. The innermost loop runs along a row of b and a row of y: consecutive
numbers, which the compiler turns into vector instructions by itself, and additions that do not wait for each other.
The block of b (64 x 512 numbers, 128 KB in float32) stays in the L2 cache while all rows i pass over it.

What still limits it: each multiply-add loads and stores a number of y. The last step, cython_cpu.pyx,
keeps a tile of y in registers, packs b, uses the widest vectors that the processor has, and all its cores.
"""

import numpy as np

DTYPES = ("float32", "float64")

ctypedef fused real:
    float
    double

cdef enum:
    BLOCK_L = 64
    BLOCK_J = 512


def forward(a, b):
    batch = np.broadcast_shapes(a.shape[: a.ndim - 2], b.shape[: b.ndim - 2])
    y = np.zeros((*batch, a.shape[a.ndim - 2], b.shape[b.ndim - 1]), a.dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[a.ndim - 2 :])), np.broadcast_to(b, (*batch, *b.shape[b.ndim - 2 :]))
    for index in np.ndindex(*batch):
        multiply(np.require(a[index], requirements="CA"), np.require(b[index], requirements="CA"), y[index])
    return y


def multiply(const real[:, ::1] a, const real[:, ::1] b, real[:, ::1] y):
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1], i, j, l, first_l, first_j, end_l, end_j
    cdef const real* b_row
    cdef real* y_row
    cdef real a_il
    if y.size == 0 or k == 0:
        return
    with nogil:
        first_l = 0
        while first_l < k:
            end_l = min(k, first_l + BLOCK_L)
            first_j = 0
            while first_j < n:
                end_j = min(n, first_j + BLOCK_J)
                for i in range(m):
                    y_row = &y[i, 0]
                    for l in range(first_l, end_l):
                        a_il, b_row = a[i, l], &b[l, 0]
                        for j in range(first_j, end_j):
                            # y[i, j] += a[i, l] * b[l, j]
                            y_row[j] = y_row[j] + a_il * b_row[j]
                first_j = end_j
            first_l = end_l
