# input_grad by scattering: each pixel of dy is added to all pixels of dx that its window read. It is chosen where that
# takes fewer vector multiplications than the sweep.
#
#     dx[n, i*stride + r*dilation - padding, j*stride - padding + (s, c)] += sum_k dy[n,i,j,k] * w[r,k,(s,c)]
#
# Loop order: chunk of images or of rows of dx, r, block of numbers (s, c), column j, rows i, k.

ctypedef struct scattering:
    const tiles.tile_table* tiles
    size_t itemsize
    images dy
    long channels, h, w  # of dx
    long[2] taps
    long[2] step
    long[2] padding
    long dilation  # of rows; that of columns is 1
    long width  # of a block of numbers (s, c)
    const void* weights
    long w_k, w_c, w_r, w_s  # distances in the weights
    long job  # of pool.own_copy: the packed weights
    void* dx
    bint in_place  # without padding of columns, tiles add to dx itself
    long chunk_images, chunk_rows
    bint out_of_memory


cdef void begin_scattering(scattering* t, const view* dy, const view* w, const view* dx, stride, padding,
                           long dilation):
    t.tiles, t.itemsize = tiles.table(dy.itemsize), dy.itemsize
    images_of(dy, &t.dy)
    t.h, t.w, t.channels, t.dx = dx.shape[1], dx.shape[2], dx.shape[3], dx.data
    t.taps[0], t.taps[1], t.dilation = w.shape[2], w.shape[3], dilation
    t.step[0], t.step[1], t.padding[0], t.padding[1] = stride[0], stride[1], padding[0], padding[1]
    t.weights, t.w_k, t.w_c, t.w_r, t.w_s = w.data, w.strides[0], w.strides[1], w.strides[2], w.strides[3]
    t.width = t.tiles.vectors * t.tiles.lanes
    t.in_place = t.padding[1] == 0
    t.out_of_memory = False


cdef bint scattering_pays(const scattering* t) noexcept:
    """Compare the vector multiplications of both ways; scattering also loads and stores each tile once for each r."""
    cdef long lanes = t.tiles.lanes
    cdef double swept = (t.h * t.w * t.taps[0] * t.taps[1] / <double>(t.step[0] * t.step[1])
                         * ceil_div(t.channels, lanes))
    cdef double scattered = t.dy.h * t.dy.w * t.taps[0] * ceil_div(t.taps[1] * t.channels, lanes)
    return scattered * (1 + 6 / <double>(t.dy.c + 1)) < swept


cdef inline run_scattering(scattering* t):
    if t.dy.n == 0 or t.h == 0 or t.w == 0:
        return
    t.job = pool.new_job()
    with nogil:
        scatter_all(t)
    if t.out_of_memory:
        raise MemoryError("no memory for the packed weights or the padded gradient of a convolution")


cdef void scatter_all(scattering* t) noexcept nogil:
    cdef long wanted = CHUNKS_PER_THREAD * pool.num_threads()
    cdef long image_bytes = (t.h * t.w * t.channels + t.dy.h * t.dy.w * t.dy.c) * <long>t.itemsize
    t.chunk_images = max(1, min(CACHE_BYTES // (image_bytes + 1), t.dy.n // wanted))
    t.chunk_rows = t.h
    if t.chunk_images == 1:
        t.chunk_rows = max(1, min(t.h, CACHE_BYTES * t.h // (image_bytes + 1)))
        if pool.num_threads() > 1 and t.dy.n < wanted:
            t.chunk_rows = min(t.chunk_rows, ceil_div(t.h, ceil_div(wanted, t.dy.n)))
    pool.run(ceil_div(t.dy.n, t.chunk_images) * ceil_div(t.h, t.chunk_rows), scatter_chunk, t)


cdef long packed_size_for_scattering(const scattering* t) noexcept nogil:
    cdef long lanes = t.tiles.lanes
    return t.taps[0] * t.dy.c * ceil_div(t.taps[1] * t.channels, lanes) * lanes


cdef void pack_all_for_scattering(void* argument, long part, void* packed) noexcept nogil:
    """What pool.own_copy holds."""
    cdef scattering* t = <scattering*>argument
    if t.itemsize == sizeof(float):
        pack_for_scattering(t, <float*>packed)
    else:
        pack_for_scattering(t, <double*>packed)


cdef void pack_for_scattering(const scattering* t, real* packed) noexcept nogil:
    """packed[r][block of numbers (s, c)][k][number in block] = w[k, c, r, s], with zeros behind the last number."""
    cdef long lanes = t.tiles.lanes, numbers = t.taps[1] * t.channels, r, block, k, c, number, columns, step, run, i
    cdef const real* w
    for r in range(t.taps[0]):
        for block from 0 <= block < numbers by t.width:
            columns = min(t.width, numbers - block)
            step = ceil_div(columns, lanes) * lanes
            for k in range(t.dy.c):
                number = 0
                while number < columns:  # the channels c of one s at a time
                    c = (block + number) % t.channels
                    run = min(columns - number, t.channels - c)
                    w = (<const real*>t.weights + k * t.w_k + r * t.w_r + (block + number) // t.channels * t.w_s
                         + c * t.w_c)
                    for i in range(run):
                        packed[number + i] = w[i * t.w_c]
                    number += run
                for number in range(columns, step):
                    packed[number] = 0
                packed += step


cdef void scatter_chunk(void* argument, long chunk) noexcept nogil:
    cdef scattering* t = <scattering*>argument
    cdef long parts = ceil_div(t.h, t.chunk_rows)
    cdef long n = chunk // parts * t.chunk_images, first = chunk % parts * t.chunk_rows
    cdef long count = min(t.chunk_images, t.dy.n - n), rows = min(t.chunk_rows, t.h - first)
    cdef void* packed = pool.own_copy(t.job, 0, packed_size_for_scattering(t) * t.itemsize, pack_all_for_scattering, t)
    if packed == NULL:
        t.out_of_memory = True
    elif t.itemsize == sizeof(float):
        scatter_rows(t, <float*>packed, n, count, first, rows)
    else:
        scatter_rows(t, <double*>packed, n, count, first, rows)


cdef void scatter_rows(scattering* t, const real* packed, long n, long count, long first, long rows) noexcept nogil:
    """Compute some images of dx, or some rows of one image, with the packed weights."""
    cdef long numbers = t.taps[1] * t.channels, lanes = t.tiles.lanes
    cdef long dy_image = t.dy.n_stride, dy_row = t.dy.h_stride, dy_column = t.dy.w_stride
    cdef long dx_row, i, r, block, step, above, low, high
    cdef const real* dy = <const real*>t.dy.data + n * dy_image
    cdef real* dx = zeroed_dx(packed, t, n, count, first, rows, &dx_row)
    cdef real* copy
    cdef tiles.tile_sum sum
    cdef long no_offset = 0
    if t.dy.c_stride != 1:
        copy = <real*>pool.scratch(2, count * t.dy.h * t.dy.w * t.dy.c * sizeof(real))
        if copy != NULL:
            for i in range(count):
                copy_window(t.tiles, &t.dy, n + i, 0, 0, t.dy.h, t.dy.w, copy + i * t.dy.h * t.dy.w * t.dy.c)
        dy, dy_column, dy_row, dy_image = copy, t.dy.c, t.dy.w * t.dy.c, t.dy.h * t.dy.w * t.dy.c
    if dx == NULL or dy == NULL:
        t.out_of_memory = True
        return
    sum.outer, sum.inner, sum.a_offsets, sum.a_inner, sum.b_outer = 1, t.dy.c, &no_offset, 1, 0
    for r in range(t.taps[0]):
        above = first + t.padding[0] - r * t.dilation
        rows_that_reach(t, r, first, rows, t.dy.h, &low, &high)
        block = 0
        while block < numbers:
            step = ceil_div(min(t.width, numbers - block), lanes) * lanes
            sum.b_inner = step
            if low < high:
                scatter_block(t, &sum, dy + low * dy_row, dy_image, dy_row, dy_column, packed,
                              dx + (low * t.step[0] - above) * dx_row + block, rows_of_dx(t, rows) * dx_row, dx_row,
                              min(t.width, numbers - block), count, high - low)
            packed += t.dy.c * step
            block += t.width
    copy_dx(packed, t, n, count, first, rows, dx, dx_row)


cdef void rows_that_reach(const scattering* t, long r, long first, long rows, long end, long* low,
                          long* high) noexcept nogil:
    """The rows i < end of dy whose row i*step + r*dilation - padding of dx is one of `rows` rows from `first` on."""
    cdef long above = first + t.padding[0] - r * t.dilation
    low[0] = 0 if above <= 0 else ceil_div(above, t.step[0])
    high[0] = max(low[0], 0 if above + rows <= 0 else min(end, (above + rows - 1) // t.step[0] + 1))


cdef inline long rows_of_dx(const scattering* t, long rows) noexcept nogil:
    """How many rows lie between two images of dx while it is computed."""
    return t.h if t.in_place else rows


cdef real* zeroed_dx(const real* tag, const scattering* t, long n, long count, long first, long rows,
                     long* dx_row) noexcept nogil:
    """Where to add: rows of dx, or, with padding of columns, scratch memory; NULL if there is none."""
    cdef long columns = t.w if t.in_place else max(t.w + t.padding[1], (t.dy.w - 1) * t.step[1] + t.taps[1]), i
    cdef real* dx
    dx_row[0] = columns * t.channels
    if t.in_place:
        dx = <real*>t.dx + (n * t.h + first) * dx_row[0]
    else:
        dx = <real*>pool.scratch(1, count * rows * dx_row[0] * sizeof(real))
        if dx == NULL:
            return NULL
    for i in range(count):
        memset(dx + i * rows_of_dx(t, rows) * dx_row[0], 0, rows * dx_row[0] * sizeof(real))
    return dx


cdef void copy_dx(const real* tag, const scattering* t, long n, long count, long first, long rows, const real* dx,
                  long dx_row) noexcept nogil:
    """Copy what was added in scratch memory into dx, without the padding."""
    cdef long i
    if not t.in_place:
        for i in range(count * rows):
            memcpy(<real*>t.dx + (((n + i // rows) * t.h + first + i % rows) * t.w) * t.channels,
                   dx + i * dx_row + t.padding[1] * t.channels, t.w * t.channels * sizeof(real))


cdef void scatter_block(const scattering* t, const tiles.tile_sum* sum, const real* dy, long dy_image, long dy_row,
                        long dy_column, const real* w, real* dx, long dx_image, long dx_row, long numbers, long count,
                        long rows) noexcept nogil:
    """dx[i*step + r, j*step + (s, c)] += sum_k dy[i, j, k] * w[r, k, (s, c)] for one r and one block of numbers (s, c).

    The runs of horizontal neighbours overlap, so a tile takes vertical neighbours: otherwise each addition would have
    to wait until the one before it is stored.
    """
    cdef const void* from_pixels[TILE_MAX_ROWS]
    cdef void* to_runs[TILE_MAX_ROWS]
    cdef long vectors = ceil_div(numbers, t.tiles.lanes), j, n, i, left
    cdef int tallest = t.tiles.rows[vectors], pixels, m
    cdef long row_step = t.step[0] * dx_row
    for j in range(t.dy.w):
        n, i, left = 0, 0, count * rows
        while left > 0:
            pixels = <int>min(<long>tallest, left)
            for m in range(pixels):
                from_pixels[m] = dy + n * dy_image + i * dy_row + j * dy_column
                to_runs[m] = dx + n * dx_image + i * row_step + j * t.step[1] * t.channels
                i += 1
                if i == rows:
                    n, i = n + 1, 0
            t.tiles.tile[vectors](sum, pixels, from_pixels, w, to_runs, numbers, NULL, tiles.TILE_ADD)
            left -= pixels
