# cython: language_level=3, boundscheck=False, cdivision=True
"""Normalization on the CPU. For channels, memory is channels last, so x is a matrix of rows (n, p) and columns c.

    forward    m, v of the columns;  y = (x - m) * (r * w) + b
    backward   db = sum(dy), dw = r * sum(dy * (x - m));  dx = r * w * dy - r * mean(g) - (x - m) * r^2 * mean(g * z)

For groups of channels, the rows of each image are a part with statistics of its own, which the columns of a group
share; in batch norm all rows are one part, and each column is a group. Each pass is two jobs, as the first y needs the
statistics of all of its part. From the outside:

    block    rows of a part, about BLOCK numbers: the unit of work of a thread; stays in the L2 cache
      row    in vector registers; where there are few channels, several rows are taken as one wide row
                                                                                    -> cpu/vector_loops_columns.pxi

The mean and the variance of a block take two passes over it, the second from the cache; those of all blocks are
combined by

    m = sum(count_i * m_i) / count        count * v = sum(count_i * v_i + count_i * (m_i - m)^2)

(Chan, Golub and LeVeque, 1979), which avoids cancellation. The blocks are cut by the shape alone and combined in order,
so results are bit-identical for any number of threads.

Rows are in rows.pxi, channels whose pixels lie side by side (C order) in planes.pxi.
"""

import numpy as np

from libc.math cimport sqrt

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport real, view, view_of
from ..channel_sums import cython_cpu as channel_sums
from ..memory_order import cython_cpu as memory_order
from . import reference

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK = 32768  # numbers of a block, about
    MAX_BLOCKS = 64  # of which sums are kept
    WIDTH = 64  # columns of a wide row, at least
    LEAST = 16  # pixels side by side that are worth a loop of their own


ctypedef struct table:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, channels
    long parts  # of the rows: images, or all of them
    long widen, width  # rows that are taken as one, and their numbers
    long blocks  # of all parts, with sums of their own
    const char* dy
    const char* x
    char* out
    double* sums  # [block][width]: of x or dy, then means
    double* products  # [block][width], behind the sums: of (x - m)^2, or of dy * (x - m)
    double* center  # [part][width]
    char* of_columns  # [part][4][width] of x's dtype: m, scale, shift, slope


def channel_forward(x, w, b, eps):
    if x.size == 0:
        return reference.channel_forward(x, w, b, eps)
    y, m, v = _forward(x, 1, x.shape[1], w, b, eps)
    return y, m[0], v[0]


def group_forward(x, groups, w, b, eps):
    if x.size == 0:
        return reference.group_forward(x, groups, w, b, eps)
    if _in_planes(x, WIDTH):
        return _forward_in_planes(x, groups, w, b, eps)
    if x.ndim == 2:
        return _forward_as_rows(x, groups, w, b, eps)
    return _forward(x, x.shape[0], groups, w, b, eps)


cdef _forward_as_rows(x, long groups, w, b, double eps):
    """Of channels without pixels, where a group is a row and parts of one row each would be many."""
    z, m, v = row_forward(x.reshape(-1, x.shape[1] // groups), None, None, eps)
    y = z.reshape(x.shape) if w is None else z.reshape(x.shape) * w
    return y if b is None else y + b, m.reshape(-1, groups), v.reshape(-1, groups)


cdef _backward_as_rows(dy, x, m, v, w, double eps):
    rows = -1, x.shape[1] // m.shape[1]
    x, g = x.reshape(rows), (dy if w is None else dy * w).reshape(rows)
    dx, _, _ = row_backward(g, x, m.ravel(), v.ravel(), None, eps)
    z = row_forward(x, None, None, eps)[0].reshape(dy.shape)
    return dx.reshape(dy.shape), channel_sums.forward(dy, z), channel_sums.forward(dy, None)


cdef _forward(x, long parts, long groups, w, b, double eps):
    cdef table t
    cdef long part
    x, back = _channels_last(x)
    y = buffers.empty(x.shape, x.dtype)
    cdef list alive = begin(&t, None, x, y, parts, groups)
    m, v = np.zeros((parts, groups)), np.zeros((parts, groups))
    cdef double[:, ::1] means = m, variances = v
    with nogil:
        pool.run(t.blocks, add_up_block, &t)
        for part in range(parts):
            put_together(&t, part, t.channels // groups, groups, &means[part, 0], &variances[part, 0])
    of_columns, scale = alive[0], _of_rows(1 / np.sqrt(v + eps))
    of_columns[:, 0] = _of_rows(m)
    of_columns[:, 1] = scale if w is None else scale * w.reshape(groups, -1)
    of_columns[:, 2] = 0 if b is None else b.reshape(groups, -1)
    run_last(&t)
    return y.transpose(back), m.astype(x.dtype), v.astype(x.dtype)


def channel_backward(dy, x, m, v, w, eps):
    if x.size == 0:
        return reference.channel_backward(dy, x, m, v, w, eps)
    return _backward(dy, x, m[None], v[None], w, eps)


def group_backward(dy, x, m, v, w, eps):
    if x.size == 0:
        return reference.group_backward(dy, x, m, v, w, eps)
    if _in_planes(x, WIDTH):
        return _backward_in_planes(dy, x, m, v, w, eps)
    if x.ndim == 2:
        return _backward_as_rows(dy, x, m, v, w, eps)
    return _backward(dy, x, m, v, w, eps)


cdef _backward(dy, x, m, v, w, double eps):
    cdef table t
    (dy, _), (x, back) = _channels_last(dy), _channels_last(x)
    dx = buffers.empty(x.shape, x.dtype)
    cdef long parts = m.shape[0], groups = m.shape[1]
    cdef list alive = begin(&t, dy, x, dx, parts, groups)
    of_columns, center, sums = alive[:3]
    center[:, 0] = _of_rows(m)
    with nogil:
        pool.run(t.blocks, add_up_block_of_gradient, &t)
    r = 1 / np.sqrt(v.astype(np.float64) + eps)[..., None]  # (parts, groups, 1)
    db_dw = sums.reshape(2, parts, -1, groups, t.channels // groups).sum(axis=2)  # (2, parts, groups, its channels)
    db_dw[1] *= r
    w = 1 if w is None else w.reshape(groups, -1)
    # the means of g = dy * w and of g * z, over the numbers that share m
    g, g_z = (db_dw * w).sum(axis=3, keepdims=True) / (t.rows // parts * (t.channels // groups))
    of_columns[:, 0] = _of_rows(m)
    of_columns[:, 1] = (r * w)[:, None]
    of_columns[:, 2] = (r * g)[:, None]
    of_columns[:, 3] = (r * r * g_z)[:, None]
    run_last(&t)
    db, dw = db_dw.sum(axis=1).reshape(2, -1).astype(x.dtype)
    return dx.transpose(back), dw, db


def channel_scale(x, m, s, b):
    cdef table t
    if x.size == 0:
        return reference.channel_scale(x, m, s, b)
    m, s, b = 0 if m is None else m, 1 if s is None else s, 0 if b is None else b
    if _in_planes(x, LEAST):
        return _scale_planes(x, m, s, b)
    x, back = _channels_last(x)
    y = buffers.empty(x.shape, x.dtype)
    cdef list alive = begin(&t, None, x, y, 1, 1)
    of_columns = alive[0][0, :3, :, 0]
    of_columns[0], of_columns[1], of_columns[2] = m, s, b
    run_last(&t)
    return y.transpose(back)


def _channels_last(x):
    """x as (N, ..., C) in C order, and the axes that bring it back."""
    last, back = x.transpose(0, *range(2, x.ndim), 1), (0, x.ndim - 1, *range(1, x.ndim - 1))
    if x.flags.c_contiguous and not last.flags.c_contiguous:  # NumPy would copy it slowly
        pixels = memory_order.channels_last(x.reshape(x.shape[0], x.shape[1], 1, -1)).transpose(0, 2, 3, 1)
        return pixels.reshape(last.shape), back
    return np.ascontiguousarray(last), back


def _of_rows(values):
    """values (parts, groups) as they broadcast to (parts, rows of a wide row, groups, channels of a group)."""
    return values[:, None, :, None]


cdef list begin(table* t, dy, x, out, long parts, long groups):
    """Cut the table into blocks; return the arrays that `t` points into: of_columns, center, sums, x, dy."""
    cdef view v_x, v_out, v_dy
    x, out = view_of(x, &v_x), view_of(out, &v_out)
    t.loops, t.itemsize = vector_loops.table(), v_x.itemsize
    t.x, t.out, t.dy = v_x.data, v_out.data, NULL
    if dy is not None:
        dy = view_of(dy, &v_dy)
        t.dy = v_dy.data
    t.channels, t.parts = v_x.shape[v_x.ndim - 1], parts
    t.rows = x.size // t.channels
    t.widen = max(1, min(t.rows // parts, WIDTH // t.channels))
    t.width = t.widen * t.channels
    t.blocks = parts * max(1, min(MAX_BLOCKS, t.rows // parts * t.channels // BLOCK))
    of_columns = np.empty((parts, 4, t.widen, groups, t.channels // groups), x.dtype)
    center = np.empty((parts, 1, t.widen, groups, t.channels // groups))
    sums = np.zeros((2, t.blocks, t.width))
    cdef view v_columns, v_center, v_sums
    view_of(of_columns, &v_columns)
    view_of(center, &v_center)
    view_of(sums, &v_sums)
    t.of_columns, t.center, t.sums = v_columns.data, <double*>v_center.data, <double*>v_sums.data
    t.products = t.sums + t.blocks * t.width
    return [of_columns, center, sums, x, dy]


cdef long first_row(const table* t, long block) noexcept nogil:
    return t.rows * block // t.blocks


cdef void add_up_block(void* argument, long block) noexcept nogil:
    """The mean of each wide column of a block, then the sum of squares around it."""
    cdef table* t = <table*>argument
    cdef long first = first_row(t, block), rows = first_row(t, block + 1) - first, j
    cdef long wide = rows // t.widen, rest = (rows - wide * t.widen) * t.channels
    cdef const char* x = t.x + first * t.channels * <long>t.itemsize
    cdef const char* behind = x + wide * t.width * <long>t.itemsize
    cdef double* means = t.sums + block * t.width
    t.loops.column_sums(t.itemsize, wide, t.width, x, NULL, means)
    t.loops.column_sums(t.itemsize, 1, rest, behind, NULL, means)
    for j in range(t.width):
        means[j] /= max(1, wide + (j < rest))
    t.loops.centered_squares(t.itemsize, wide, t.width, x, means, t.products + block * t.width)
    t.loops.centered_squares(t.itemsize, 1, rest, behind, means, t.products + block * t.width)


cdef void put_together(const table* t, long part, long together, long groups, double* m, double* v) noexcept nogil:
    """m and v of each group of a part, 0 before, from the means and squares of its wide columns in all its blocks."""
    cdef long first = t.blocks // t.parts * part, end = first + t.blocks // t.parts
    cdef long block, row, group, c, j, rows, count, numbers = t.rows // t.parts * together
    for block in range(first, end):
        rows, j = first_row(t, block + 1) - first_row(t, block), block * t.width
        for row in range(t.widen):
            count = rows // t.widen + (row < rows % t.widen)
            for group in range(groups):
                for c in range(together):
                    m[group] += count * t.sums[j]
                    j += 1
    for group in range(groups):
        m[group] /= numbers
    for block in range(first, end):
        rows, j = first_row(t, block + 1) - first_row(t, block), block * t.width
        for row in range(t.widen):
            count = rows // t.widen + (row < rows % t.widen)
            for group in range(groups):
                for c in range(together):
                    v[group] += t.products[j] + count * (t.sums[j] - m[group]) ** 2
                    j += 1
    for group in range(groups):
        v[group] /= numbers


cdef void add_up_block_of_gradient(void* argument, long block) noexcept nogil:
    cdef table* t = <table*>argument
    cdef long first = first_row(t, block), rows = first_row(t, block + 1) - first
    cdef long wide = rows // t.widen, rest = (rows - wide * t.widen) * t.channels
    cdef long at = first * t.channels * <long>t.itemsize, behind = at + wide * t.width * <long>t.itemsize
    cdef double* sums = t.sums + block * t.width
    cdef double* products = t.products + block * t.width
    cdef const double* center = t.center + block // (t.blocks // t.parts) * t.width
    t.loops.centered_products(t.itemsize, wide, t.width, t.dy + at, t.x + at, center, sums, products)
    t.loops.centered_products(t.itemsize, 1, rest, t.dy + behind, t.x + behind, center, sums, products)


cdef void run_last(table* t):
    """y or dx, in blocks of their own: they need no sums, so there may be any number of them."""
    t.blocks = t.parts * ceil_div(t.rows // t.parts * t.channels, BLOCK)
    with nogil:
        pool.run(t.blocks, finish_block, t)


cdef void finish_block(void* argument, long block) noexcept nogil:
    cdef table* t = <table*>argument
    cdef long first = first_row(t, block), rows = first_row(t, block + 1) - first
    cdef long wide = rows // t.widen, at = first * t.channels * <long>t.itemsize
    cdef const char* m = t.of_columns + block // (t.blocks // t.parts) * 4 * t.width * <long>t.itemsize
    finish_rows(t, at, wide, t.width, m)
    finish_rows(t, at + wide * t.width * <long>t.itemsize, 1, (rows - wide * t.widen) * t.channels, m)


cdef void finish_rows(const table* t, long at, long rows, long columns, const char* m) noexcept nogil:
    cdef long step = t.width * <long>t.itemsize
    if t.dy == NULL:
        t.loops.scaled_columns(t.itemsize, rows, columns, t.x + at, m, m + step, m + 2 * step, t.out + at)
    else:
        t.loops.scaled_columns_backward(t.itemsize, rows, columns, t.dy + at, t.x + at, m, m + step, m + 2 * step,
                                        m + 3 * step, t.out + at)


cdef list views_of(view* views, tuple arrays):
    """The arrays in C order, and a view of each; of None the data is NULL."""
    cdef list alive = [None if array is None else np.ascontiguousarray(array) for array in arrays]
    cdef int i
    for i in range(len(alive)):
        views[i].data = NULL
        if alive[i] is not None:
            alive[i] = view_of(alive[i], &views[i])
    return alive


include "rows.pxi"
include "planes.pxi"
