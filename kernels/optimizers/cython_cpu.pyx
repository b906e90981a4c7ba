# cython: language_level=3, boundscheck=False, cdivision=True
"""Optimizer steps on the CPU: one pass over each parameter with its gradient and state, all parameters in one call.

    piece         up to BLOCK numbers of one parameter: the unit of work of a thread
      number      the formula, with w, dw and the state read once and written once -> cpu/vector_loops_steps.pxi

Why it is fast: as array operations, Adam makes twelve passes over memory and seven temporary arrays; this makes one
pass and no array. All parameters are one job, as most are too small for a job of their own.

Denormal numbers, those below 1.2e-38 in float32, count as 0 here. A state that decays, such as v = momentum * v where
the gradient has become 0, ends among them, and a processor takes a hundred times as long for each. They are too small
to change w.

Pieces depend on the shapes alone, so results are bit-identical for any number of threads.
"""

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport sqrt
from libc.stdlib cimport free, malloc

from ..cpu cimport pool, vector_loops
from ..cpu.ceil_div cimport ceil_div
from ..cpu.vector_loop_table cimport step_options

cdef extern from *:
    """
    /* Flush to zero, denormals are zero: two bits of a thread's floating-point mode. */
    #if defined(__x86_64__)
    #include <xmmintrin.h>
    static unsigned long flush_denormals(void) {
        unsigned int before = _mm_getcsr();
        _mm_setcsr(before | 0x8040);
        return before;
    }
    static void restore_mode(unsigned long before) { _mm_setcsr((unsigned int)before); }
    #elif defined(__aarch64__) && defined(__GNUC__)
    static void restore_mode(unsigned long mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
    static unsigned long flush_denormals(void) {
        unsigned long before;
        __asm__ volatile("mrs %0, fpcr" : "=r"(before));
        restore_mode(before | 1ul << 24);
        return before;
    }
    #else
    static unsigned long flush_denormals(void) { return 0; }
    static void restore_mode(unsigned long before) { (void)before; }
    #endif
    """
    unsigned long flush_denormals() noexcept nogil
    void restore_mode(unsigned long before) noexcept nogil

DTYPES = ("float32", "float64")

cdef enum:
    BLOCK = 8192  # numbers in a piece, at most
    SERIAL_NUMBERS = 4096  # up to so many, one thread is done before another has woken up
    ARRAYS = 5  # of one parameter, at most: itself, its gradient and three of state
    GRADIENT = 1

cdef enum kind:
    SGD
    ADAM
    RMSPROP
    ADAGRAD

ctypedef struct piece:
    char* data[ARRAYS]  # NULL where there is none
    long count
    const step_options* options

ctypedef struct job:
    kind kind
    const vector_loops.loop_table* loops
    size_t itemsize
    piece* pieces


def sgd_step(ws, dws, vs, lr, momentum, dampening, weight_decay, nesterov):
    cdef step_options options
    options.lr, options.momentum, options.dampening, options.weight_decay = lr, momentum, dampening, weight_decay
    options.nesterov = nesterov
    _step(SGD, &options, (ws, dws, vs), None)


def adam_step(ws, dws, ms, vs, steps, hs, lr, beta1, beta2, eps, weight_decay, decoupled):
    cdef step_options options
    options.lr, options.beta1, options.beta2, options.eps, options.weight_decay = lr, beta1, beta2, eps, weight_decay
    options.decoupled = decoupled
    _step(ADAM, &options, (ws, dws, ms, vs, hs), steps)


def rmsprop_step(ws, dws, vs, gs, bs, lr, alpha, eps, weight_decay, momentum):
    cdef step_options options
    options.lr, options.alpha, options.eps, options.weight_decay = lr, alpha, eps, weight_decay
    options.momentum = momentum
    _step(RMSPROP, &options, (ws, dws, vs, gs, bs), None)


def adagrad_step(ws, dws, ss, steps, lr, lr_decay, eps, weight_decay):
    cdef step_options options
    options.lr, options.lr_decay, options.eps, options.weight_decay = lr, lr_decay, eps, weight_decay
    _step(ADAGRAD, &options, (ws, dws, ss), steps)


cdef _step(kind which, const step_options* options, tuple lists, list steps):
    """Cut all parameters into pieces, and run these on all threads."""
    cdef list ws = lists[0]
    cdef long parameters = len(ws), pieces = 0, total = 0, i, start, size, itemsize = ws[0].itemsize
    cdef int a, arrays = len(lists)
    cdef char* data[ARRAYS]
    cdef job whole
    cdef list copies = []  # (array to write it back to or None, copy), kept alive until the end
    for w in ws:
        size = w.size
        total += size
        pieces += ceil_div(size, BLOCK)
    if pieces == 0:
        return
    whole.kind = which
    whole.loops, whole.itemsize = vector_loops.table(), itemsize
    cdef step_options* each = <step_options*>malloc(parameters * sizeof(step_options))
    whole.pieces = <piece*>malloc(pieces * sizeof(piece))
    try:
        if each == NULL or whole.pieces == NULL:
            raise MemoryError(f"no memory for a list of {pieces} pieces")
        pieces = 0
        for i in range(parameters):
            each[i] = options[0]
            if steps is not None:
                set_factors(which, &each[i], steps[i])
            for a in range(ARRAYS):
                data[a] = NULL if a >= arrays or lists[a] is None else address(lists[a][i], a == GRADIENT, copies)
            size = ws[i].size
            start = 0
            while start < size:
                for a in range(ARRAYS):
                    whole.pieces[pieces].data[a] = NULL if data[a] == NULL else data[a] + start * itemsize
                whole.pieces[pieces].count = min(<long>BLOCK, size - start)
                whole.pieces[pieces].options = &each[i]
                pieces += 1
                start += BLOCK
        with nogil:
            if total <= SERIAL_NUMBERS:
                for i in range(pieces):
                    step_piece(&whole, i)
            else:
                pool.run(pieces, step_piece, &whole)
    finally:
        free(each)
        free(whole.pieces)
    for array, copy in copies:
        if array is not None:
            array[...] = copy


cdef void set_factors(kind which, step_options* options, long t) noexcept:
    """The factors of the formula that depend on the step number t."""
    if which == ADAM:
        # w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
        options.scale = options.lr / (1 - options.beta1**t)
        options.root_scale = sqrt(1 - options.beta2**t)
    else:
        # w = w - lr / (1 + (t - 1) * lr_decay) * dw / (sqrt(s) + eps)
        options.scale = options.lr / (1 + (t - 1) * options.lr_decay)


cdef char* address(array, bint only_read, list copies) except NULL:
    """The address of the array's numbers in C order: its own, or that of a copy, which is appended to `copies`."""
    cdef Py_buffer buffer
    cdef long axis, step
    PyObject_GetBuffer(array, &buffer, PyBUF_STRIDES)
    cdef char* data = <char*>buffer.buf
    cdef bint usable = <size_t>data % buffer.itemsize == 0 and (only_read or not buffer.readonly)
    step = buffer.itemsize
    for axis in range(buffer.ndim - 1, -1, -1):
        usable &= buffer.strides[axis] == step or buffer.shape[axis] == 1
        step *= buffer.shape[axis]
    PyBuffer_Release(&buffer)
    if usable or step == 0:
        return data
    copy = np.array(array, order="C")
    copies.append((None if only_read else array, copy))
    return address(copy, only_read, copies)


cdef void step_piece(void* argument, long index) noexcept nogil:
    cdef job* whole = <job*>argument
    cdef piece* p = &whole.pieces[index]
    cdef unsigned long mode = flush_denormals()
    if whole.kind == SGD:
        whole.loops.sgd_step(whole.itemsize, p.count, p.options, p.data[0], p.data[1], p.data[2])
    elif whole.kind == ADAM:
        whole.loops.adam_step(whole.itemsize, p.count, p.options, p.data[0], p.data[1], p.data[2], p.data[3],
                              p.data[4])
    elif whole.kind == RMSPROP:
        whole.loops.rmsprop_step(whole.itemsize, p.count, p.options, p.data[0], p.data[1], p.data[2], p.data[3],
                                 p.data[4])
    else:
        whole.loops.adagrad_step(whole.itemsize, p.count, p.options, p.data[0], p.data[1], p.data[2])
    restore_mode(mode)
