"""Matrix product in Numba: the loops of cython_blocked.pyx, compiled at the first call, with rows of y in parallel.

    y[i, j] += a[i, l] * b[l, j]        for l in a block of 64, j in a block of 512

Each row of y is computed by one thread, so the result does not depend on the number of threads.
"""

import numpy as np
from numba import njit, prange

from ..threads import set_numba_threads

DTYPES = ("float32", "float64")

ROWS, BLOCK_L, BLOCK_J = 8, 64, 512


def forward(a, b):
    set_numba_threads()
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = np.zeros((*batch, a.shape[-2], b.shape[-1]), a.dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    for index in np.ndindex(*batch):
        _multiply(np.require(a[index], requirements="CAW"), np.require(b[index], requirements="CAW"), y[index])
    return y


@njit(parallel=True, cache=True, fastmath={"contract"})
def _multiply(a, b, y):
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    for part in prange((m + ROWS - 1) // ROWS):
        for first_l in range(0, k, BLOCK_L):
            for first_j in range(0, n, BLOCK_J):
                for i in range(part * ROWS, min(m, (part + 1) * ROWS)):
                    y_row = y[i, first_j : first_j + BLOCK_J]
                    for l in range(first_l, min(k, first_l + BLOCK_L)):  # noqa: E741 - the formula's index
                        a_il, b_row = a[i, l], b[l, first_j : first_j + BLOCK_J]
                        for j in range(y_row.size):  # from 0: otherwise the compiler does not vectorize it
                            # y[i, j] += a[i, l] * b[l, j]
                            y_row[j] += a_il * b_row[j]
