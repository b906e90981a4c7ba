"""The thread pool: every chunk once, the same bits for any number of threads, forks, and several callers at once."""

import os
import threading

import numpy as np
import pytest

from minidl import kernels

from .common import arrays_of, assert_threads_change_no_bit

pool = pytest.importorskip("minidl.kernels.cpu.pool", reason="the Cython kernels are not built")


def everything(backend="cython"):
    """One result of each kernel, on shapes that are cut into many chunks."""
    x, w = kernels.channels_last(arrays_of((9, 8, 30, 31), "float32", 1)), arrays_of((40, 8, 3, 3), "float32", 2)
    a, b = arrays_of((300, 520), "float32", 3), arrays_of((520, 200), "float32", 4)
    with kernels.use_backend(backend, strict=True):
        y = kernels.conv2d.forward(x, w, padding=1)
        pooled, taps = kernels.pool2d.max_forward(y, 3, 2)
        return (
            y,
            kernels.conv2d.input_grad(y, w, (30, 31), padding=1),
            kernels.conv2d.weight_grad(x, y, (3, 3), padding=1),
            kernels.conv2d.weight_grad(x[:1], y[:1], (3, 3), padding=1),
            kernels.conv2d.weight_grad(x, y[:, :8], (3, 3), padding=1, groups=8),
            pooled,
            kernels.pool2d.max_scatter(pooled, taps, (30, 31), 3, 2),
            kernels.matmul.forward(a, b),
            kernels.matmul.forward(b.T, a.T),
            kernels.matmul.forward(a[:7], a.T),
            kernels.channel_sums.forward(y),
            *(fused := kernels.conv2d_relu_pool.forward(x, w, None, 2, padding=1)),
            *kernels.conv2d_relu_pool.backward(*fused, x, w, 2, padding=1),
            kernels.matmul.forward(a[:9].repeat(32, 1), b.T[:9].repeat(32, 1).T),  # deep: one sum in several slots
            kernels.memory_order.channels_first(y),
            kernels.channel_sums.forward(np.ascontiguousarray(y), np.ascontiguousarray(y)),
        )


def test_the_number_of_threads_changes_no_bit():
    assert_threads_change_no_bit(everything, (1, 2, 2, 2, 3, 3, 3, 7, 7, 7))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [0, 1, 2, 5, 1000])
def test_every_chunk_runs_once(threads, chunks):
    kernels.set_num_threads(threads)
    for _ in range(200):
        counts = np.zeros(chunks, np.int_)
        pool.count_chunks(counts)
        assert (counts == 1).all()


def test_four_python_threads_at_once():
    kernels.set_num_threads(3)
    expected = everything()
    wrong = []

    def work():
        for _ in range(5):
            if not all(np.array_equal(a, b) for a, b in zip(everything(), expected, strict=True)):
                wrong.append("result")
        for _ in range(5000):
            counts = np.zeros(7, np.int_)
            pool.count_chunks(counts)
            if not (counts == 1).all():
                wrong.append(counts)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for n in (1, 4, 2):  # while they work
        kernels.set_num_threads(n)
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that threads exist at the fork is the point
def test_a_forked_child_has_threads_of_its_own():
    kernels.set_num_threads(3)
    expected = everything()
    busy, stop = threading.Event(), threading.Event()

    def keep_the_pool_busy():
        while not stop.is_set():
            pool.count_chunks(np.zeros(50, np.int_))
            busy.set()

    thread = threading.Thread(target=keep_the_pool_busy)
    thread.start()
    busy.wait()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                same = all(np.array_equal(a, b) for a, b in zip(everything(), expected, strict=True))
                os._exit(0 if same else 1)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        stop.set()
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(everything(), expected, strict=True))


def test_set_num_threads():
    kernels.set_num_threads(2)
    assert kernels.get_num_threads() == 2
    for n, error, words in (
        (0, ValueError, "between 1 and 64, got 0"),
        (65, ValueError, "65"),
        (1.5, TypeError, "1.5"),
    ):
        with pytest.raises(error, match=words):
            kernels.set_num_threads(n)
    assert kernels.get_num_threads() == 2
