# Arrays in C order: the pixels of a channel lie side by side, a plane, and the planes of a group as well.
#
# Scaling of channels:
#
#   chunk    some planes
#   plane    with the m, scale and shift of its channel    -> scaled_run in cpu/vector_loops_columns.pxi
#
# Normalization of groups:
#
#   job      a group of an image, which is seen twice, the second time mostly from the cache
#   plane    read as rows of WIDTH numbers    -> cpu/vector_loops_columns.pxi

ctypedef struct planes:
    const vector_loops.loop_table* loops
    size_t itemsize
    long count, channels, pixels, chunk_planes
    const char* x
    const char* of_channels  # [3][channel]: m, s, b
    char* out


cdef _scale_planes(x, m, s, b):
    """y of an x in C order, where the pixels of a channel lie side by side."""
    cdef view v_x, v_out, v_of_channels
    cdef planes p
    y, of_channels = buffers.empty(x.shape, x.dtype), np.empty((3, x.shape[1]), x.dtype)
    of_channels[0], of_channels[1], of_channels[2] = m, s, b
    x, y, of_channels = view_of(x, &v_x), view_of(y, &v_out), view_of(of_channels, &v_of_channels)
    p.loops, p.itemsize = vector_loops.table(), v_x.itemsize
    p.x, p.out, p.of_channels = v_x.data, v_out.data, v_of_channels.data
    p.channels, p.count = v_x.shape[1], v_x.shape[0] * v_x.shape[1]
    p.pixels = x.size // p.count
    p.chunk_planes = max(1, BLOCK // p.pixels)
    with nogil:
        pool.run(ceil_div(p.count, p.chunk_planes), scale_some_planes, &p)
    return y


cdef void scale_some_planes(void* argument, long chunk) noexcept nogil:
    cdef planes* p = <planes*>argument
    cdef long plane, at, step = p.channels * <long>p.itemsize
    cdef const char* m
    for plane in range(chunk * p.chunk_planes, min((chunk + 1) * p.chunk_planes, p.count)):
        m, at = p.of_channels + plane % p.channels * <long>p.itemsize, plane * p.pixels * <long>p.itemsize
        p.loops.scaled_run(p.itemsize, p.pixels, p.x + at, m, m + step, m + 2 * step, p.out + at)


ctypedef struct group_table:
    const vector_loops.loop_table* loops
    size_t itemsize
    long images, groups, together, pixels  # together: channels of a group
    double eps
    const char* dy
    const char* x
    const char* w
    const char* b
    char* out
    char* m  # [image][group]
    char* v
    double* dw  # [image][channel]
    double* db


cdef bint _in_planes(x, long least):
    """Whether the pixels of a channel lie side by side, at least so many."""
    return x.flags.c_contiguous and x.size >= least * x.shape[0] * x.shape[1]


cdef _forward_in_planes(x, long groups, w, b, double eps):
    cdef group_table t
    y = buffers.empty(x.shape, x.dtype)
    m, v = np.empty((x.shape[0], groups), x.dtype), np.empty((x.shape[0], groups), x.dtype)
    cdef list alive = begin_groups(&t, None, x, m, v, w, b, y)
    t.eps = eps
    with nogil:
        pool.run(t.images * t.groups, normalize_group, &t)
    return y, m, v


cdef _backward_in_planes(dy, x, m, v, w, double eps):
    cdef group_table t
    dx, sums = buffers.empty(x.shape, x.dtype), np.empty((2, x.shape[0], x.shape[1]))
    cdef double[:, :, ::1] dw_and_db = sums
    cdef list alive = begin_groups(&t, dy, x, m, v, w, None, dx)
    t.eps, t.dw, t.db = eps, &dw_and_db[0, 0, 0], &dw_and_db[1, 0, 0]
    with nogil:
        pool.run(t.images * t.groups, normalize_group_backward, &t)
    dw, db = sums.sum(axis=1).astype(x.dtype)
    return dx, dw, db


cdef list begin_groups(group_table* t, dy, x, m, v, w, b, out):
    """Return the arrays that `t` points into."""
    cdef view[7] views
    cdef list alive = views_of(views, (dy, x, m, v, w, b, out))
    t.dy, t.x, t.m, t.v = views[0].data, views[1].data, views[2].data, views[3].data
    t.w, t.b, t.out = views[4].data, views[5].data, views[6].data
    t.loops, t.itemsize, t.groups = vector_loops.table(), views[1].itemsize, views[2].shape[1]
    t.images, t.together = x.shape[0], x.shape[1] // t.groups
    t.pixels = x.size // (t.images * t.groups * t.together)
    return alive


cdef double sum_of_columns(const double* sums) noexcept nogil:
    cdef double sum = 0
    cdef int k
    for k in range(WIDTH):
        sum += sums[k]
    return sum


cdef void normalize_group(void* argument, long job) noexcept nogil:
    cdef group_table* t = <group_table*>argument
    if t.itemsize == sizeof(float):
        normalize_group_of(t, job, <float*>t.m, <float*>t.v, <const float*>t.w, <const float*>t.b)
    else:
        normalize_group_of(t, job, <double*>t.m, <double*>t.v, <const double*>t.w, <const double*>t.b)


cdef void normalize_group_of(const group_table* t, long job, real* m, real* v, const real* w,
                             const real* b) noexcept nogil:
    cdef double[WIDTH] sums, center, squares
    cdef long n = t.together * t.pixels, rows = n // WIDTH, channel, step = t.pixels * <long>t.itemsize, c, k
    cdef const char* x = t.x + job * t.together * step
    cdef const char* rest = x + rows * WIDTH * <long>t.itemsize
    cdef char* y = t.out + job * t.together * step
    cdef double mean, variance
    cdef real[2] scale_shift
    for k in range(WIDTH):
        sums[k] = squares[k] = 0
    t.loops.column_sums(t.itemsize, rows, WIDTH, x, NULL, sums)
    t.loops.column_sums(t.itemsize, 1, n % WIDTH, rest, NULL, sums)
    mean = sum_of_columns(sums) / n
    for k in range(WIDTH):
        center[k] = mean
    t.loops.centered_squares(t.itemsize, rows, WIDTH, x, center, squares)
    t.loops.centered_squares(t.itemsize, 1, n % WIDTH, rest, center, squares)
    variance = sum_of_columns(squares) / n
    m[job], v[job] = <real>mean, <real>variance
    for c in range(t.together):
        channel = job % t.groups * t.together + c
        scale_shift[0] = <real>((w[channel] if w != NULL else 1) / sqrt(variance + t.eps))
        scale_shift[1] = b[channel] if b != NULL else 0
        t.loops.scaled_run(t.itemsize, t.pixels, x + c * step, &m[job], &scale_shift[0], &scale_shift[1], y + c * step)


cdef void normalize_group_backward(void* argument, long job) noexcept nogil:
    cdef group_table* t = <group_table*>argument
    if t.itemsize == sizeof(float):
        normalize_group_backward_of(t, job, <const float*>t.m, <const float*>t.v, <const float*>t.w)
    else:
        normalize_group_backward_of(t, job, <const double*>t.m, <const double*>t.v, <const double*>t.w)


cdef void normalize_group_backward_of(const group_table* t, long job, const real* m, const real* v,
                                      const real* w) noexcept nogil:
    cdef double[WIDTH] sums, center, products
    cdef real[4][WIDTH] numbers  # m, scale, shift, slope
    cdef long n = t.together * t.pixels, rows = t.pixels // WIDTH, rest = t.pixels % WIDTH
    cdef long channel = job * t.together, c, k, at, behind, step = t.pixels * <long>t.itemsize
    cdef double r = 1 / sqrt(v[job] + t.eps), g = 0, g_z = 0, scale
    for k in range(WIDTH):
        center[k] = m[job]
    for c in range(t.together):
        at = (channel + c) * step
        behind = at + rows * WIDTH * <long>t.itemsize
        for k in range(WIDTH):
            sums[k] = products[k] = 0
        t.loops.centered_products(t.itemsize, rows, WIDTH, t.dy + at, t.x + at, center, sums, products)
        t.loops.centered_products(t.itemsize, 1, rest, t.dy + behind, t.x + behind, center, sums, products)
        # db = sum(dy), dw = r * sum(dy * (x - m))
        t.db[channel + c], t.dw[channel + c] = sum_of_columns(sums), r * sum_of_columns(products)
        scale = w[(channel + c) % (t.groups * t.together)] if w != NULL else 1
        g += scale * t.db[channel + c]
        g_z += scale * t.dw[channel + c]
    for k in range(WIDTH):
        numbers[0][k], numbers[2][k], numbers[3][k] = m[job], <real>(r * g / n), <real>(r * r * g_z / n)
    for c in range(t.together):
        at = (channel + c) * step
        behind = at + rows * WIDTH * <long>t.itemsize
        scale = r * (w[(channel + c) % (t.groups * t.together)] if w != NULL else 1)
        for k in range(WIDTH):
            numbers[1][k] = <real>scale
        t.loops.scaled_columns_backward(t.itemsize, rows, WIDTH, t.dy + at, t.x + at, numbers[0], numbers[1],
                                        numbers[2], numbers[3], t.out + at)
        t.loops.scaled_columns_backward(t.itemsize, 1, rest, t.dy + behind, t.x + behind, numbers[0], numbers[1],
                                        numbers[2], numbers[3], t.out + behind)
