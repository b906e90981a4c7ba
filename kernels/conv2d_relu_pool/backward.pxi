# Backward, by bands of dz, so that dz never leaves the cache either.
#
#     slot     a fixed share of the bands, with a dw and a db of its own: the unit of work of a thread
#     unit     a band, or some images if they are small: the more pixels, the less often dw is loaded and stored
#       db     the sums of dy over its windows
#       dz     dy, spread to the taps, in this thread's scratch memory               -> cpu/windows.h
#       dw     the correlation of its pixels with x                             -> conv2d/correlation_band.pxi
#       dx     the rows of dx that belong to it                -> conv2d/scattering.pxi or conv2d/sweep.pxi
#     or, where that is expected to take less time, dw and dx without dz        -> sparse.pxi
#
# A row of dx also depends on rows of dz above the band, as far as the kernel reaches (the halo): each band computes
# these again. The slots are added in order and depend on shapes alone, so results are bit-identical for any number of
# threads.

cdef enum:
    BACKWARD_SLOTS = 8
    LEAST_BACKWARD_SLOTS = 4  # as a slot, dx included, is the work of one thread

ctypedef struct backward_job:
    windows pool
    const void* dy
    const uint8_t* taps
    correlation dw
    bint needs_dx, scatters
    bint sparse  # without dz
    scattering scatter
    sweep* phases
    int phase_count
    long phase_columns  # number of phases across
    long halo  # rows of dz above a band on which its rows of dx depend
    long stride, padding  # of rows
    long dx_rows
    long packed_numbers, job  # of pool.own_copy: the packed weights for dx, of all phases
    double* db  # [slot][channel]


cdef void images_of_z(const windows* p, images* z):
    z.data = NULL
    z.n, z.c, z.h, z.w = p.images, p.channels, p.count[0] * p.size[0], p.count[1] * p.size[1]
    z.n_stride, z.c_stride, z.h_stride, z.w_stride = 0, 1, p.z_row, p.channels


cdef void put_into(images* z, const real* band, long n, long image, long first, long end) noexcept nogil:
    """Let `z` describe `band`, which holds rows `first` to `end` of image n and of those after it."""
    z.data, z.h, z.n_stride = band - n * image - first * z.h_stride, end, image


cdef int begin_dx(backward_job* f, const view* dz, const view* w, const view* dx, stride, padding, dilation,
                  long groups) except -1:
    """Prepare dx: by scattering, or by one sweep for each phase of the stride, as in conv2d."""
    cdef long h, v, step_h = min(<long>stride[0], dx.shape[1]), step_w = min(<long>stride[1], dx.shape[2])
    if groups == 1 and dilation[1] == 1:
        begin_scattering(&f.scatter, dz, w, dx, stride, padding, dilation[0])
        if f.sparse:
            f.scatter.width = block_width(f.scatter.tiles, f.scatter.taps[1] * f.scatter.channels)
        f.scatters = f.sparse or scattering_pays(&f.scatter)
        if f.scatters:
            return 0
    f.phase_columns = step_w
    f.phases = <sweep*>pool.scratch(5, step_h * step_w * sizeof(sweep))
    if f.phases == NULL:
        raise MemoryError("no memory for the phases of a strided convolution")
    for h in range(step_h):
        for v in range(step_w):
            begin_input_grad(&f.phases[f.phase_count], dz, w, groups)
            set_phases(&f.phases[f.phase_count], h, v, dx, w, stride, padding, dilation)
            f.phase_count += 1


cdef void backward_all(const real* tag, backward_job* f, real* db) noexcept nogil:
    cdef windows* p = &f.pool
    cdef correlation* q = &f.dw
    cdef long x_row = q.step[0] * q.x.w * q.x.c, slots, slot, k, row_bytes, share, cached
    cdef int phase
    cdef char* memory
    cdef double total
    # Behind windows of 2 x 2, lists take half the memory of dz.
    row_bytes = ((p.z_row // 2 if f.sparse else p.z_row) + x_row + (x_row if f.needs_dx else 0)) * <long>sizeof(real)
    slots = slots_that_pay(q, LEAST_BACKWARD_SLOTS, BACKWARD_SLOTS)
    cut_into_bands(p, row_bytes, slots)
    p.unit_images = 1
    if p.bands == 1 and not q.exchanged:  # as many images as fit into the cache, in equal parts of a slot's share
        share = ceil_div(p.images, slots)
        cached = max(1, CACHE_BYTES // (p.count[0] * p.size[0] * row_bytes + 1))
        p.unit_images = ceil_div(share, ceil_div(share, cached))
    p.units = ceil_div(p.images, p.unit_images) * p.bands
    q.slots = min(slots, p.units)
    f.packed_numbers = packed_size_for_scattering(&f.scatter) if f.scatters else 0
    for phase in range(f.phase_count):
        f.packed_numbers += packed_size(&f.phases[phase], 0, f.phases[phase].blocks)
        find_runs(&f.phases[phase], False)
    memory = <char*>pool.scratch(0, q.slots * (slot_numbers(q) * sizeof(real) + p.channels * sizeof(double)))
    if memory == NULL:
        p.out_of_memory = True
        return
    f.db = <double*>memory
    q.partial = memory + q.slots * p.channels * sizeof(double)
    pool.run(q.slots, backward_slot_of, f)
    add_all_slots(q)
    for k in range(p.channels):
        total = 0
        for slot in range(q.slots):
            total += f.db[slot * p.channels + k]
        db[k] = <real>total
    pool.scratch_done(0)


cdef void pack_all_for_dx(void* argument, long part, void* packed) noexcept nogil:
    """What pool.own_copy holds."""
    cdef backward_job* f = <backward_job*>argument
    if f.pool.itemsize == sizeof(float):
        pack_for_dx(f, <float*>packed)
    else:
        pack_for_dx(f, <double*>packed)


cdef void pack_for_dx(const backward_job* f, real* packed) noexcept nogil:
    cdef int phase
    if f.scatters:
        pack_for_scattering(&f.scatter, packed)
    for phase in range(f.phase_count):
        pack_blocks(&f.phases[phase], 0, f.phases[phase].blocks, packed)
        packed += packed_size(&f.phases[phase], 0, f.phases[phase].blocks)


cdef real* packed_for_dx(const real* tag, backward_job* f) noexcept nogil:
    cdef void* packed = pool.own_copy(f.job, 0, f.packed_numbers * sizeof(real), pack_all_for_dx, f)
    if packed == NULL:
        f.pool.out_of_memory = True
    return <real*>packed


cdef void backward_slot_of(void* argument, long slot) noexcept nogil:
    cdef backward_job* job = <backward_job*>argument
    if job.pool.itemsize == sizeof(float):
        backward_slot(<float*>NULL, job, slot)
    else:
        backward_slot(<double*>NULL, job, slot)


cdef void backward_slot(const real* tag, backward_job* f, long slot) noexcept nogil:
    cdef windows* p = &f.pool
    cdef long slots = f.dw.slots, unit, n
    cdef real* dw = <real*>f.dw.partial + slot * slot_numbers(&f.dw)
    cdef double* db = f.db + slot * p.channels
    memset(dw, 0, slot_numbers(&f.dw) * sizeof(real))
    memset(db, 0, p.channels * sizeof(double))
    for unit in range(p.units * slot // slots, p.units * (slot + 1) // slots):
        n = unit // p.bands * p.unit_images
        backward_band(f, n, min(p.unit_images, p.images - n), unit % p.bands, dw, db)


cdef void backward_band(backward_job* f, long n, long count, long band, real* dw, double* db) noexcept nogil:
    """A band of image n, or `count` whole images from n on."""
    cdef windows* p = &f.pool
    cdef long first = band * p.band_rows, end = min(first + p.band_rows, p.count[0])  # rows of windows
    cdef long top = max(0, first * p.size[0] - f.halo) // p.size[0], low = 0, high = 0
    cdef long at = (n * p.count[0] + first) * p.count[1] * p.channels
    vector_loops.table().tap_sums(sizeof(real), ((count - 1) * p.count[0] + end - first) * p.count[1], p.channels,
                                  f.taps + at, <int>(p.size[0] * p.size[1]), <const real*>f.dy + at, db)
    if f.needs_dx:
        # From the row of x that the first tap of this band's first row reads, to that of the next band.
        low = 0 if band == 0 else min(f.dx_rows, max(0, first * p.size[0] * f.stride - f.padding))
        high = f.dx_rows if end == p.count[0] else min(f.dx_rows, max(0, end * p.size[0] * f.stride - f.padding))
    if f.sparse:
        sparse_dw(dw, f, n, first, end, dw)
        if low < high:
            sparse_dx(dw, f, n, top, end, low, high)
    else:
        dense_band(f, n, count, top * p.size[0], first * p.size[0], end * p.size[0], low, high, dw)


cdef void dense_band(backward_job* f, long n, long count, long top, long first, long end, long low, long high,
                     real* dw) noexcept nogil:
    """Rows `first` to `end` of dz for dw, and from `top` on for rows `low` to `high` of dx."""
    cdef windows* p = &f.pool
    cdef correlation q = f.dw
    cdef long image = (end - top) * p.z_row, i
    cdef long* offsets = <long*>pool.scratch(2, (count * (end - first) + 1) * sizeof(long))
    cdef real* dz = <real*>pool.scratch(3, count * image * sizeof(real))
    if dz == NULL or offsets == NULL:
        p.out_of_memory = True
        return
    for i in range(count):
        spread_dy(f, n + i, top // p.size[0], end // p.size[0], dz + i * image)
    q.band_rows = end - first
    put_into(&q.dy, dz, n, image, top, end)
    correlate_band(dz, &q, n, count, first, 0, q.rows, offsets, dw)
    if q.out_of_memory:
        p.out_of_memory = True
    if low < high:
        write_dx(f, dz, n, count, top, end, low, high)


cdef void spread_dy(const backward_job* f, long n, long first, long end, real* dz) noexcept nogil:
    """dz = dy at the taps for rows `first` to `end` of the windows of image n."""
    cdef const windows* p = &f.pool
    cdef long i, at
    cdef long offsets[MAX_TAPS]
    taps_of_window(p, offsets)
    for i in range(first, end):
        at = (n * p.count[0] + i) * p.count[1] * p.channels
        p.tiles.spread_windows(p.count[1], <const real*>f.dy + at, f.taps + at, <int>(p.size[0] * p.size[1]), offsets,
                               p.channels, dz, p.size[1] * p.channels)
        dz += p.size[0] * p.z_row


cdef void write_dx(backward_job* f, const real* dz, long n, long count, long top, long end, long low,
                   long high) noexcept nogil:
    """Rows `low` to `high` of dx for `count` images from n on, computed from rows `top` to `end` of their dz."""
    cdef scattering t
    cdef sweep s
    cdef int phase
    cdef const real* packed = packed_for_dx(dz, f)
    cdef long first_row, phase_low, phase_high, step = f.stride, image = (end - top) * f.pool.z_row
    if packed == NULL:
        return
    if f.scatters:
        t = f.scatter
        put_into(&t.dy, dz, n, image, top, end)
        scatter_rows(&t, packed, n, count, low, high - low)
        if t.out_of_memory:
            f.pool.out_of_memory = True
        return
    for phase in range(f.phase_count):
        s = f.phases[phase]
        put_into(&s.x, dz, n, image, top, end)
        first_row = phase // f.phase_columns
        phase_low = ceil_div(max(0, low - first_row), step)
        phase_high = ceil_div(max(0, high - first_row), step)
        if phase_low < phase_high:
            sweep_rows(&s, packed, 0, n, count, phase_low, phase_high - phase_low,
                       <real*>s.y + n * s.y_image + phase_low * s.y_row)
        if s.out_of_memory:
            f.pool.out_of_memory = True
        packed += packed_size(&s, 0, s.blocks)
