# Pack the weights of a sweep in the order in which it reads them: packed[tap, c, k] = w[k, c, r, s], one block of
# output channels k after the other, with zeros up to whole vectors, which tiles read. Each thread packs what its chunks
# read: all blocks, or one at a time.

cdef enum:
    FEW_PIXELS = 512  # for each thread; up to so many, threads share blocks of output channels, not pixels
    OWN_BYTES = 8 << 20  # of weights; above that they share blocks too, as no thread should keep a copy of all


cdef long packed_size(const sweep* s, long first, long end) noexcept nogil:
    """In numbers, of the blocks from `first` to `end`."""
    cdef long blocks = ceil_div(s.group_out, s.width), lanes = s.tiles.lanes, block, vectors = 0
    for block in range(first, end):
        vectors += ceil_div(min(s.width, s.group_out - block % blocks * s.width), lanes)
    return vectors * lanes * s.taps[0] * s.taps[1] * s.group_in


cdef void pack_part(void* argument, long first, void* packed) noexcept nogil:
    """What pool.own_copy holds: all blocks, or where they are apart, one."""
    cdef sweep* s = <sweep*>argument
    if s.itemsize == sizeof(float):
        pack_blocks(s, first, end_of_blocks(s, first), <float*>packed)
    else:
        pack_blocks(s, first, end_of_blocks(s, first), <double*>packed)


cdef void pack_blocks(const sweep* s, long first, long end, real* packed) noexcept nogil:
    cdef long block
    for block in range(first, end):
        pack_block(s, block, packed)
        packed += packed_size(s, block, block + 1)


cdef void pack_block(const sweep* s, long block, real* packed) noexcept nogil:
    """packed[tap, c, k] = w[k, c, r, s] for one block of output channels k."""
    cdef long lanes = s.tiles.lanes, blocks = ceil_div(s.group_out, s.width), g = block // blocks
    cdef long first_channel = block % blocks * s.width, channels = min(s.width, s.group_out - first_channel)
    cdef long step = ceil_div(channels, lanes) * lanes, tap_step = s.group_in * step
    cdef long taps = s.taps[0] * s.taps[1], direction = order_of_taps(s), t, c, k
    cdef const real* w = <const real*>s.w + g * s.w_group + first_channel * s.w_out
    cdef const real* from_tap
    if taps == 1 and s.w_in == 1:
        s.tiles.transpose(channels, s.group_in, w + tap_of(s, 0, 0) + tap_of(s, 1, 0), s.w_out, packed, step)
    elif direction != 0 and taps > 1:
        for c in range(s.group_in):
            for t in range(0, taps, 8):  # more of them, a power of 2 apart, would evict each other from the cache
                s.tiles.transpose(channels, min(8, taps - t), w + c * s.w_in + t, s.w_out,
                                  packed + (t if direction > 0 else taps - 1 - t) * tap_step + c * step,
                                  direction * tap_step)
    else:
        for c in range(s.group_in):
            for t in range(taps):
                from_tap = w + c * s.w_in + tap_of(s, 0, t // s.taps[1]) + tap_of(s, 1, t % s.taps[1])
                for k in range(channels):
                    packed[t * tap_step + c * step + k] = from_tap[k * s.w_out]
    if channels < step:
        for c in range(taps * s.group_in):
            memset(packed + c * step + channels, 0, (step - channels) * sizeof(real))


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