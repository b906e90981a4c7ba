# cython: language_level=3, boundscheck=False, wraparound=False
"""Matrix product, first step of the ladder: the formula as three loops.

    y[i, j] = sum_l a[i, l] * b[l, j]

Loop order i, j, l, as on paper. Why it is slow: every step of l waits for the addition before it (4 cycles), uses one
lane of a vector register, and reads b down a column, so each number of b comes from a cache line of its own. Expect a
hundredth of the processor's peak. Next step: cython_blocked.pyx.
"""

import numpy as np

DTYPES = ("float32", "float64")

ctypedef fused real:
    float
    double


def forward(a, b):
    batch = np.broadcast_shapes(a.shape[: a.ndim - 2], b.shape[: b.ndim - 2])
    y = np.empty((*batch, a.shape[a.ndim - 2], b.shape[b.ndim - 1]), a.dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[a.ndim - 2 :])), np.broadcast_to(b, (*batch, *b.shape[b.ndim - 2 :]))
    for index in np.ndindex(*batch):
        multiply(np.require(a[index], requirements="A"), np.require(b[index], requirements="A"), y[index])
    return y


def multiply(const real[:, :] a, const real[:, :] b, real[:, :] y):
    cdef Py_ssize_t i, j, l
    cdef real total
    with nogil:
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                total = 0
                for l in range(a.shape[1]):
                    # y[i, j] = sum_l a[i, l] * b[l, j]
                    total = total + a[i, l] * b[l, j]
                y[i, j] = total
