# cython: language_level=3, boundscheck=False, cdivision=True
"""Pooling on the CPU: all five operations as one loop over output pixels, a vector of channels at a time.

    max_forward     y[n,i,j,c]  = max over the taps (r, s) of x[n, i*stride + r*dilation - padding, j*..., c]
    max_gather      y[n,i,j,c]  = x at the tap taps[n,i,j,c]
    avg_forward     y[n,i,j,c]  = sum over the taps of x / divisor[i,j]
    max_scatter     dx[n,p,q,c] = sum of dy[n,i,j,c] over the windows (i, j) whose tap taps[n,i,j,c] is (p, q)
    avg_input_grad  dx[n,p,q,c] = sum of dy[n,i,j,c] / divisor[i,j] over the windows that contain (p, q)

Memory is channels last. The gradients gather from the windows that contain a pixel, instead of adding to dx from each
window, so dx need not be cleared first and no two threads write to one pixel.

So each output pixel is computed from a list of input positions, its sources: the taps of its window, or, for a
gradient, the windows that contain it. Sources are pairs of a source row and a source column. From one pixel of a row to
the next they only shift, except near the borders. From the outside:

    chunk      rows of the output: the unit of work of a thread
      segment  pixels of a row that have the same sources, shifted by one step each    -> cpu/windows.h
        pixel, channels, sources

Between the borders, a row of y is one segment. A row of dx is `stride` interleaved segments, as only pixels that are
a multiple of the stride apart are read by the same taps.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, uint8_t

from .. import memory_order
from ..arrays import channels_last
from ..cpu cimport buffers, pool, tiles
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport real, view, view_of
from . import output_size as _output_size
from . import taps_dtype

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384  # numbers of the output in a chunk, about
    BYTE_TAPS = 256  # taps that uint8 can number; larger windows have int32 taps, and a plain loop

cdef enum operation:
    MAX_FORWARD
    MAX_GATHER
    MAX_SCATTER
    AVG_FORWARD
    AVG_INPUT_GRAD

# The sources of one output pixel along one axis: source t is position first + t*step of the input, read through tap
# first_tap + t*tap_step. All are inside the input.
ctypedef struct sources:
    long count, first, step, first_tap, tap_step

# Output columns position, position + phases, ...: the same sources, shifted by one step each.
ctypedef struct segment:
    long position, pixels
    sources columns

ctypedef struct job:
    const tiles.tile_table* tiles
    size_t itemsize
    operation what
    bint from_windows  # for the gradients: sources are windows, not pixels of x
    long n, channels
    long[2] size  # of the output
    long[2] source_size  # of the input
    long[2] image_size  # of x or dx
    long[2] kernel
    long[2] stride
    long[2] padding
    long[2] dilation
    bint count_include_pad
    const char* source
    char* taps  # uint8_t or int32_t
    char* out
    segment* segments  # of a row; all rows have the same
    long segment_count
    long chunk_rows
    bint out_of_memory


def max_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    size = _output_size(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    taps = buffers.empty((x.shape[0], *size, x.shape[1]), taps_dtype(kernel_size)).transpose(0, 3, 1, 2)
    return _run(MAX_FORWARD, x, taps, size, kernel_size, stride, padding, dilation), taps


def max_scatter(dy, taps, input_size, kernel_size, stride, padding, dilation):
    return _run(MAX_SCATTER, dy, channels_last(taps), input_size, kernel_size, stride, padding, dilation)


def max_gather(x, taps, kernel_size, stride, padding, dilation):
    return _run(MAX_GATHER, x, channels_last(taps), taps.shape[2:], kernel_size, stride, padding, dilation)


def avg_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    size = _output_size(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    return _run(AVG_FORWARD, x, None, size, kernel_size, stride, padding, (1, 1), count_include_pad)


def avg_input_grad(dy, input_size, kernel_size, stride, padding, ceil_mode, count_include_pad):
    return _run(AVG_INPUT_GRAD, dy, None, input_size, kernel_size, stride, padding, (1, 1), count_include_pad)


cdef _run(operation what, source, taps, size, kernel_size, stride, padding, dilation, bint count_include_pad=True):
    """Return the output, (N, C, *size), of any of the five operations."""
    cdef view v_source, v_taps, v_out
    cdef job j
    cdef int axis
    source = view_of(memory_order.channels_last(source).transpose(0, 2, 3, 1), &v_source)
    out = buffers.empty((source.shape[0], *size, source.shape[3]), source.dtype)
    out = view_of(out, &v_out)
    j.what, j.from_windows = what, what == MAX_SCATTER or what == AVG_INPUT_GRAD
    j.tiles, j.itemsize, j.count_include_pad = tiles.table(v_source.itemsize), v_source.itemsize, count_include_pad
    j.n, j.channels = v_source.shape[0], v_source.shape[3]
    for axis in range(2):
        j.size[axis], j.source_size[axis] = size[axis], v_source.shape[1 + axis]
        j.image_size[axis] = j.size[axis] if j.from_windows else j.source_size[axis]
        j.kernel[axis], j.stride[axis] = kernel_size[axis], stride[axis]
        j.padding[axis], j.dilation[axis] = padding[axis], dilation[axis]
    j.source, j.out, j.taps = v_source.data, v_out.data, NULL
    if taps is not None:
        taps = view_of(taps.transpose(0, 2, 3, 1), &v_taps)
        j.taps = v_taps.data
    j.chunk_rows = max(1, CHUNK // (j.size[1] * j.channels + 1))
    j.out_of_memory = False
    if out.size:
        with nogil:
            find_segments(&j)
            pool.run(ceil_div(j.n * j.size[0], j.chunk_rows), run_chunk, &j)
    if j.out_of_memory:
        raise MemoryError(f"no memory for the taps of a window of {kernel_size}")
    return out.transpose(0, 3, 1, 2)


cdef sources sources_of(const job* j, int axis, long position) noexcept nogil:
    """The sources of the output pixel at `position` along `axis`: taps inside x, or windows that contain the pixel."""
    cdef sources s
    cdef long t, stride = j.stride[axis], dilation = j.dilation[axis], period
    if not j.from_windows:
        # x pixel position*stride - padding + r*dilation, for the taps r inside x
        s.first, s.step = position * stride - j.padding[axis], dilation
        s.first_tap, s.tap_step, s.count = 0, 1, j.kernel[axis]
        while s.count > 0 and s.first < 0:
            s.first, s.first_tap, s.count = s.first + dilation, s.first_tap + 1, s.count - 1
        while s.count > 0 and s.first + (s.count - 1) * dilation >= j.source_size[axis]:
            s.count -= 1
        return s
    # window (position + padding - r*dilation) / stride, for the taps r where that is a window. Such taps are `period`
    # apart; from the last to the first, the windows ascend.
    period = 1
    while period * dilation % stride != 0:
        period += 1
    t = j.kernel[axis] - 1
    while t >= 0 and (position + j.padding[axis] - t * dilation < 0
                      or (position + j.padding[axis] - t * dilation) % stride != 0):
        t -= 1
    s.first_tap, s.tap_step = t, -period
    s.first, s.step, s.count = (position + j.padding[axis] - t * dilation) // stride, period * dilation // stride, 0
    while t >= 0 and s.first + s.count * s.step < j.source_size[axis]:
        t -= period
        s.count += 1
    return s


cdef bint has_cut_window(const job* j, sources s, long position) noexcept nogil:
    """Whether a window to average over is cut off by the border, so that its divisor differs from its neighbours'."""
    if j.what == AVG_FORWARD:
        return divisor_of(j, 1, position) != j.kernel[1]
    if j.what == AVG_INPUT_GRAD:
        return (divisor_of(j, 1, s.first) != j.kernel[1]
                or divisor_of(j, 1, s.first + (s.count - 1) * s.step) != j.kernel[1])
    return False


cdef void find_segments(job* j) noexcept nogil:
    """Cut a row of the output into segments, phase by phase."""
    cdef long phases = j.stride[1] if j.from_windows else 1, phase, position
    cdef segment* s
    j.segment_count = 0
    j.segments = <segment*>pool.scratch(1, j.size[1] * sizeof(segment))
    if j.segments == NULL:
        j.out_of_memory = True
        return
    for phase in range(min(phases, j.size[1])):
        position = phase
        while position < j.size[1]:
            s = &j.segments[j.segment_count]
            s.position, s.columns = position, sources_of(j, 1, position)
            s.pixels = same_sources(j, s.columns, position, phases)
            position += s.pixels * phases
            j.segment_count += 1


cdef long same_sources(const job* j, sources s, long position, long phases) noexcept nogil:
    """How many output pixels position, position + phases, ... have the sources `s`, shifted by one step each."""
    cdef long low = 0, high = (j.size[1] - 1 - position) // phases, middle
    cdef long move = 1 if j.from_windows else j.stride[1]
    cdef sources next
    if s.count == 0 or has_cut_window(j, s, position):
        return 1
    # The sources only shift up to the border and never again after it, so the last such pixel is found by bisection.
    while low < high:
        middle = (low + high + 1) // 2
        next = sources_of(j, 1, position + middle * phases)
        if (next.count == s.count and next.first_tap == s.first_tap and next.first == s.first + middle * move
                and not has_cut_window(j, next, position + middle * phases)):
            low = middle
        else:
            high = middle - 1
    return low + 1


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef job* j = <job*>argument
    cdef long row, k, end = min(j.n * j.size[0], (chunk + 1) * j.chunk_rows)
    cdef sources rows
    for row in range(chunk * j.chunk_rows, end):
        rows = sources_of(j, 0, row % j.size[0])
        for k in range(j.segment_count):
            if j.itemsize == sizeof(float):
                run_segment(<float*>NULL, j, row // j.size[0], row % j.size[0], &j.segments[k], rows)
            else:
                run_segment(<double*>NULL, j, row // j.size[0], row % j.size[0], &j.segments[k], rows)


cdef void run_segment(const real* tag, job* j, long n, long i, const segment* part, sources rows) noexcept nogil:
    """Some pixels of row i of output image n."""
    cdef sources columns = part.columns
    cdef long position = part.position, pixels = part.pixels, phases = j.stride[1] if j.from_windows else 1
    cdef long channels = j.channels, count = rows.count * columns.count, t, u, source
    cdef long source_row = j.source_size[1] * channels
    cdef long in_image = n * j.source_size[0] * source_row
    cdef long out_at = ((n * j.size[0] + i) * j.size[1] + position) * channels, out_step = phases * channels
    cdef long step = (1 if j.from_windows else j.stride[1]) * channels
    cdef real* out = <real*>j.out + out_at
    cdef const real* x = <const real*>j.source + in_image
    cdef uint8_t* taps = <uint8_t*>j.taps
    cdef bint bytes = j.kernel[0] * j.kernel[1] <= BYTE_TAPS
    # For each source: its offset in the input, the offset of its tap in `taps`, its weight, its tap's number.
    cdef long* offsets = <long*>pool.scratch(0, (count + 1) * (2 * sizeof(long) + sizeof(double) + sizeof(int)))
    if offsets == NULL:
        j.out_of_memory = True
        return
    cdef long* tap_offsets = offsets + count
    cdef double* weights = <double*>(tap_offsets + count)
    cdef int* tap_numbers = <int*>(weights + count)
    cdef double divisor = 1
    for t in range(rows.count):
        for u in range(columns.count):
            source = t * columns.count + u
            offsets[source] = (rows.first + t * rows.step) * source_row + (columns.first + u * columns.step) * channels
            tap_offsets[source] = offsets[source] if j.from_windows else 0
            tap_numbers[source] = <int>((rows.first_tap + t * rows.tap_step) * j.kernel[1]
                                        + columns.first_tap + u * columns.tap_step)
            weights[source] = 1
            if j.what == AVG_INPUT_GRAD:
                weights[source] = 1.0 / (divisor_of(j, 0, rows.first + t * rows.step)
                                         * divisor_of(j, 1, columns.first + u * columns.step))
    # `taps` has the layout of the windows: of the input for max_scatter, of the output for the others.
    cdef long taps_at = in_image if j.from_windows else out_at

    if j.what == AVG_FORWARD or j.what == AVG_INPUT_GRAD:
        if j.what == AVG_FORWARD:
            divisor = divisor_of(j, 0, i) * divisor_of(j, 1, position)
        j.tiles.weighted_sums(pixels, x, step, offsets, weights, <int>count, divisor, channels, out, out_step)
    elif not bytes:
        run_wide(j, x, <int32_t*>j.taps + taps_at, pixels, step, count, offsets, tap_offsets, tap_numbers, out,
                 out_step)
    elif j.what == MAX_FORWARD:
        if count == 0:  # windows without pixels inside x
            for u in range(pixels * channels):
                out[u] = -INFINITY
                taps[out_at + u] = 0
        else:
            j.tiles.max_windows(pixels, x, step, <int>count, offsets, tap_numbers, -1, channels, out,
                                taps + out_at)
    else:
        j.tiles.select_sums(pixels, x, step, offsets, taps + taps_at, channels, tap_offsets, <int>count, tap_numbers,
                            channels, out, out_step)


cdef double divisor_of(const job* j, int axis, long window) noexcept nogil:
    """How many pixels a window counts along an axis: those inside x, or inside x and its padding."""
    cdef long first = window * j.stride[axis] - j.padding[axis]
    cdef long end = min(first + j.kernel[axis], j.image_size[axis] + j.padding[axis])
    if not j.count_include_pad:
        first, end = max(first, 0), min(end, j.image_size[axis])
    return <double>(end - first)


cdef void run_wide(const job* j, const real* x, int32_t* taps, long pixels, long step, long count, const long* offsets,
                   const long* tap_offsets, const int* tap_numbers, real* out, long out_step) noexcept nogil:
    """Max pooling for windows of more than 256 taps, whose taps are int32, without vectors."""
    cdef long pixel, c, t, best
    cdef real total, value, largest
    for pixel in range(pixels):
        for c in range(j.channels):
            if j.what == MAX_FORWARD:
                best = 0
                for t in range(1, count):
                    value, largest = x[offsets[t] + c], x[offsets[best] + c]
                    if value > largest or (value != value and largest == largest):
                        best = t
                out[c] = x[offsets[best] + c] if count else -INFINITY
                taps[c] = tap_numbers[best] if count else 0
            else:
                total = 0
                for t in range(count):
                    if taps[tap_offsets[t] + c] == tap_numbers[t]:
                        total += x[offsets[t] + c]
                out[c] = total
        x += step
        out += out_step
        taps += j.channels
