# A batch of images in any memory order, and the constants that all passes of convolution share.

cdef enum:
    CACHE_BYTES = 256 << 10  # of the L2 cache, for the images of a chunk
    CHUNKS_PER_THREAD = 4  # at least, so that other threads can take over the chunks of a slow one
    SLOTS = 4  # partial weight gradients

ctypedef struct images:
    const void* data
    long n, c, h, w
    long n_stride, c_stride, h_stride, w_stride


cdef void images_of(const view* v, images* x):
    x.data = v.data
    x.n, x.c, x.h, x.w = v.shape[0], v.shape[1], v.shape[2], v.shape[3]
    x.n_stride, x.h_stride, x.w_stride = v.strides[0], v.strides[2], v.strides[3]
    x.c_stride = v.strides[1] if x.c > 1 else 1  # the stride of an axis of length 1 may be anything


cdef void copy_window(const tiles.tile_table* table, const images* x, long n, long top, long left, long rows,
                      long columns, real* out) noexcept nogil:
    """out[i, j, c] = x[n, c, top + i, left + j], and 0 outside the image."""
    cdef long i, j, c, row, channels = x.c
    cdef long first = min(max(0, -left), columns), end = max(first, min(columns, x.w - left))
    cdef const real* source
    for i in range(rows):
        row = top + i
        if row < 0 or row >= x.h:
            memset(out, 0, columns * channels * sizeof(real))
        else:
            memset(out, 0, first * channels * sizeof(real))
            source = <const real*>x.data + n * x.n_stride + row * x.h_stride + (left + first) * x.w_stride
            if x.c_stride == 1 and x.w_stride == channels:
                memcpy(out + first * channels, source, (end - first) * channels * sizeof(real))
            elif x.c_stride == 1:
                for j in range(end - first):
                    memcpy(out + (first + j) * channels, source + j * x.w_stride, channels * sizeof(real))
            elif x.w_stride == 1:
                table.transpose(channels, end - first, source, x.c_stride, out + first * channels, channels)
            else:
                for c in range(channels):
                    for j in range(end - first):
                        out[(first + j) * channels + c] = source[j * x.w_stride + c * x.c_stride]
            memset(out + end * channels, 0, (columns - end) * channels * sizeof(real))
        out += columns * channels
