"""Run the Cython kernels on arrays that end where the next page may not be touched; a child of test_instruction_sets.

`python guarded_memory.py overrun` reads one number too far on purpose: it must die.
"""

import ctypes
import faulthandler
import mmap
import sys

import numpy as np

from minidl import kernels

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mmap.restype = ctypes.c_void_p


def guarded(shape, dtype=float, *args, **kwargs):
    """As np.empty, with a forbidden page right behind the last byte (and one before the first page)."""
    dtype = np.dtype(dtype)
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    pages = nbytes // PAGE + 1
    start = libc.mmap(
        None, (pages + 2) * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    for forbidden in (start, start + (pages + 1) * PAGE):
        if libc.mprotect(forbidden, PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    end = start + (pages + 1) * PAGE
    memory = (ctypes.c_char * nbytes).from_address(end - nbytes)
    return np.frombuffer(memory, dtype, count=nbytes // dtype.itemsize).reshape(shape)


def random(shape, dtype):
    x = guarded(shape, dtype)
    x[...] = np.random.default_rng(0).standard_normal(shape)
    return x


def image(n, c, h, w, dtype):
    return random((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def main():
    faulthandler.enable()
    np.empty = guarded
    if sys.argv[1:] == ["overrun"]:
        x = random((3, 5), "float32")
        print(np.lib.stride_tricks.as_strided(x, (16,), (4,)).sum())
    for dtype in ("float32", "float64"):
        with kernels.use_backend("cython", strict=True):
            for m, k, n in ((1, 1, 1), (2, 33, 9), (4, 17, 10), (5, 7, 3), (13, 33, 70), (70, 20, 17), (100, 300, 65)):
                print("matmul", dtype, m, k, n)
                a, b, at, bt = (random(s, dtype) for s in ((m, k), (k, n), (k, m), (n, k)))
                for left in (a, at.T):
                    for right in (b, bt.T):
                        kernels.matmul.forward(left, right)
            for c, k, groups in ((1, 1, 1), (3, 5, 1), (6, 16, 1), (17, 40, 1), (4, 70, 1), (6, 9, 3), (19, 19, 19)):
                for stride, padding, dilation in ((1, 0, 1), (1, 1, 1), (2, 1, 1), (2, 0, 2)):
                    print("conv2d", dtype, c, k, groups, stride, padding, dilation)
                    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
                    x, w, bias = image(3, c, 9, 8, dtype), random((k, c // groups, 3, 3), dtype), random((k,), dtype)
                    y = kernels.conv2d.forward(x, w, bias, **geometry)
                    dy = image(*y.shape, dtype)
                    kernels.conv2d.input_grad(dy, w, (9, 8), **geometry)
                    kernels.conv2d.weight_grad(x, dy, (3, 3), **geometry)
                    kernels.conv2d.weight_grad(x, random(y.shape, dtype), (3, 3), **geometry)
                    for pool_size in (1, 2):
                        for images in (x, image(3, c, 8, 8, dtype)):  # windows of 2 x 2 reach the last pixel of 8 x 8
                            y, taps = kernels.conv2d_relu_pool.forward(images, w, bias, pool_size, **geometry)
                            dy = image(*y.shape, dtype)
                            kernels.conv2d_relu_pool.backward(dy, taps, images, w, pool_size, **geometry)
            kernels.matmul.forward(random((5, 16400), dtype), random((7, 16400), dtype).T)
            for shape in ((1, 1, 1, 1), (2, 3, 5, 7), (1, 70, 9, 13)):
                kernels.memory_order.channels_first(image(*shape, dtype))
                kernels.memory_order.channels_last(random(shape, dtype))
            for c in (1, 3, 16, 21):
                for window in ((2, 2, 0), (3, 2, 1), (3, 1, 1), (17, 1, 0)):
                    print("pool2d", dtype, c, window)
                    x = image(2, c, 18, 17, dtype)
                    y, taps = kernels.pool2d.max_forward(x, *window)
                    dy = image(*y.shape, dtype)
                    kernels.pool2d.max_scatter(dy, taps, (18, 17), *window)
                    kernels.pool2d.max_gather(x, taps, *window)
                    kernels.pool2d.avg_forward(x, *window)
                    kernels.pool2d.avg_input_grad(dy, (18, 17), *window)
                for shape in ((1, 1), (5, 3), (2, 3, 9, 9), (3, 70, 5), (2, 1, 37)):
                    kernels.channel_sums.forward(random(shape, dtype), random(shape, dtype))
                    if len(shape) == 4:
                        kernels.channel_sums.forward(image(*shape, dtype))
    print("all done")


if __name__ == "__main__":
    main()
