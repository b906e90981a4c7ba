# Pack the weights of a sweep in the order in which it reads them: packed[tap, c, k] = w[k, c, r, s], one block of
# output channels k after the other. Threads share the work: deep layers have millions of weights but few pixels.

cdef enum:
    PACKED_NUMBERS = 16384  # weights in a chunk, about


cdef long packed_size(const sweep* s) noexcept nogil:
    """In numbers: the channels k of each (tap, c) are padded to whole vectors, which tiles read."""
    cdef long lanes = s.tiles.lanes
    return s.groups * ceil_div(s.group_out, lanes) * lanes * s.taps[0] * s.taps[1] * s.group_in


cdef void pack(sweep* s) noexcept nogil:
    cdef long taps = s.taps[0] * s.taps[1]
    s.packed_inputs = max(1, min(s.group_in, PACKED_NUMBERS // max(1, taps * min(s.width, s.group_out))))
    pool.run(s.groups * ceil_div(s.group_out, s.width) * ceil_div(s.group_in, s.packed_inputs), pack_chunk_of, s)


cdef void pack_chunk_of(void* argument, long chunk) noexcept nogil:
    cdef sweep* job = <sweep*>argument
    if job.itemsize == sizeof(float):
        pack_chunk(<float*>NULL, job, chunk)
    else:
        pack_chunk(<double*>NULL, job, chunk)


cdef void pack_chunk(const real* tag, sweep* s, long chunk) noexcept nogil:
    """packed[tap, c, k] = w[k, c, r, s] for a block of output channels k and some input channels c of one group."""
    cdef long lanes = s.tiles.lanes, width = s.width, parts = ceil_div(s.group_in, s.packed_inputs)
    cdef long first = chunk % parts * s.packed_inputs, end = min(s.group_in, first + s.packed_inputs)
    cdef long blocks = ceil_div(s.group_out, width), g = chunk // parts // blocks, block = chunk // parts % blocks
    cdef long channels = min(width, s.group_out - block * width), step = ceil_div(channels, lanes) * lanes
    cdef long taps = s.taps[0] * s.taps[1], tap_step = s.group_in * step, direction = order_of_taps(s), t, c, k
    cdef const real* w = <const real*>s.w + g * s.w_group + block * width * s.w_out
    cdef const real* from_tap
    cdef real* packed = <real*>s.packed_w + taps * s.group_in * (g * ceil_div(s.group_out, lanes) * lanes
                                                                 + block * width)
    if taps == 1 and s.w_in == 1:
        s.tiles.transpose(channels, end - first, w + tap_of(s, 0, 0) + tap_of(s, 1, 0) + first, s.w_out,
                          packed + first * step, step)
    elif direction != 0 and taps > 1:
        for c in range(first, end):
            for t in range(0, taps, 8):  # more of them, a power of 2 apart, would evict each other from the cache
                s.tiles.transpose(channels, min(8, taps - t), w + c * s.w_in + t, s.w_out,
                                  packed + (t if direction > 0 else taps - 1 - t) * tap_step + c * step,
                                  direction * tap_step)
    else:
        for c in range(first, end):
            for t in range(taps):
                from_tap = w + c * s.w_in + tap_of(s, 0, t // s.taps[1]) + tap_of(s, 1, t % s.taps[1])
                for k in range(channels):
                    packed[t * tap_step + c * step + k] = from_tap[k * s.w_out]
    if channels < step:
        for t in range(taps):
            for c in range(first, end):
                memset(packed + t * tap_step + c * step + channels, 0, (step - channels) * sizeof(real))


cdef long order_of_taps(const sweep* s) noexcept nogil:
    """1 where a channel's taps are contiguous in w in the order of the sweep, -1 where in reverse order, else 0."""
    cdef long direction = s.next_tap[0]
    cdef int axis
    if (direction != 1 and direction != -1) or s.w_tap[0] != s.taps[1] or s.w_tap[1] != 1:
        return 0
    for axis in range(2):
        if s.next_tap[axis] != direction or s.first_tap[axis] != (0 if direction == 1 else s.taps[axis] - 1):
            return 0
    return direction