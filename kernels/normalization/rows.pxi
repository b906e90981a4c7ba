# Rows, as of layer norm: each row has a mean and a variance of its own.
#
#   block    some rows: the unit of work; it has sums of its own for the gradients of w and b
#     row    read three times, twice from the cache    -> cpu/vector_loops_row_norm.pxi

ctypedef struct row_table:
    const vector_loops.loop_table* loops
    size_t itemsize
    long rows, columns, blocks
    double eps
    const char* dy
    const char* x
    const char* w
    const char* b
    char* out
    char* m
    char* v
    double* dw  # [block][column]
    double* db


def row_forward(x, w, b, eps):
    cdef row_table t
    if x.size == 0:
        return reference.row_forward(x, w, b, eps)
    y = buffers.empty(x.shape, x.dtype)
    m, v = np.empty(x.shape[0], x.dtype), np.empty(x.shape[0], x.dtype)
    cdef list alive = begin_rows(&t, None, x, m, v, w, b, y)
    t.eps = eps
    with nogil:
        pool.run(t.blocks, normalize_block, &t)
    return y, m, v


def row_backward(dy, x, m, v, w, eps):
    cdef row_table t
    if x.size == 0:
        return reference.row_backward(dy, x, m, v, w, eps)
    dx = buffers.empty(x.shape, x.dtype)
    cdef list alive = begin_rows(&t, dy, x, np.ascontiguousarray(m), np.ascontiguousarray(v), w, None, dx)
    t.eps = eps
    t.blocks = min(<long>MAX_BLOCKS, t.blocks)
    sums = np.zeros((2, t.blocks, t.columns))
    cdef double[:, :, ::1] dw_and_db = sums
    t.dw, t.db = &dw_and_db[0, 0, 0], &dw_and_db[1, 0, 0]
    with nogil:
        pool.run(t.blocks, normalize_block_backward, &t)
    dw, db = sums.sum(axis=1).astype(x.dtype)
    return dx, dw, db


cdef list begin_rows(row_table* t, dy, x, m, v, w, b, out):
    """Cut the rows into blocks; return the arrays that `t` points into."""
    cdef view[7] views
    cdef list alive = views_of(views, (dy, x, m, v, w, b, out))
    t.dy, t.x, t.m, t.v = views[0].data, views[1].data, views[2].data, views[3].data
    t.w, t.b, t.out = views[4].data, views[5].data, views[6].data
    t.loops, t.itemsize, t.rows, t.columns = vector_loops.table(), views[1].itemsize, x.shape[0], x.shape[1]
    t.blocks = max(1, min(t.rows, t.rows * t.columns // BLOCK))
    return alive


cdef void normalize_block(void* argument, long block) noexcept nogil:
    cdef row_table* t = <row_table*>argument
    cdef long first = t.rows * block // t.blocks, rows = t.rows * (block + 1) // t.blocks - first
    cdef long row = first * <long>t.itemsize, at = row * t.columns
    t.loops.normalize_rows(t.itemsize, rows, t.columns, t.x + at, t.w, t.b, t.eps, t.out + at, t.m + row, t.v + row)


cdef void normalize_block_backward(void* argument, long block) noexcept nogil:
    cdef row_table* t = <row_table*>argument
    cdef long first = t.rows * block // t.blocks, rows = t.rows * (block + 1) // t.blocks - first
    cdef long row = first * <long>t.itemsize, at = row * t.columns
    t.loops.normalize_rows_backward(t.itemsize, rows, t.columns, t.dy + at, t.x + at, t.m + row, t.v + row, t.w, t.eps,
                                    t.out + at, t.dw + block * t.columns, t.db + block * t.columns)
