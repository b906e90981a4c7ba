"""The thread pool: every chunk once, the same bits for any number of threads, forks, and several callers at once."""

import os
import threading

import numpy as np
import pytest

from minidl import kernels
from minidl.kernels import threads

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
            *packed_by_each_thread(),
        )


def packed_by_each_thread():
    """Results of kernels whose threads pack for themselves: weights as a whole, or one block of channels at a time."""
    few, deep = arrays_of((2, 16, 9, 9), "float32", 5), arrays_of((150, 16, 3, 3), "float32", 6)
    more, deeper = arrays_of((1, 64, 20, 19), "float32", 7), arrays_of((512, 64, 3, 3), "float32", 8)
    dy = kernels.conv2d.forward(few, deep, stride=2)
    a, b = arrays_of((5, 1500, 40), "float32", 9), arrays_of((5, 70, 40), "float32", 10)
    x, w_ih, w_hh = (
        arrays_of((6, 40, 20), "float32", 11),
        arrays_of((96, 20), "float32", 12),
        arrays_of((96, 24), "float32", 13),
    )
    h = np.zeros((40, 24), "float32")
    y, c, gates = kernels.recurrent.lstm_forward(x, h, h, w_ih, w_hh)
    return (
        kernels.conv2d.forward(few, deep, padding=1),
        kernels.conv2d.input_grad(dy, deep, (9, 9), stride=2),
        kernels.conv2d.forward(more, deeper),
        kernels.conv2d.weight_grad(more, kernels.conv2d.forward(more, deeper), (3, 3)),
        kernels.conv2d.forward(few, arrays_of((32, 4, 3, 3), "float32", 14), groups=4),
        kernels.matmul.forward(a[0], b[0].T),
        kernels.matmul.forward(a, b.swapaxes(1, 2)),
        y,
        *kernels.recurrent.lstm_backward(x, h, h, w_ih, w_hh, y, c, gates, y),
        *(fused := kernels.conv2d_relu_pool.forward(few, deep, None, 2, stride=2)),
        *kernels.conv2d_relu_pool.backward(*fused, few, deep, 2, stride=2),
    )


def test_the_number_of_threads_changes_no_bit():
    assert_threads_change_no_bit(everything, (1, 2, 2, 2, 3, 3, 3, 7, 7, 7))


def test_weights_that_are_too_large_to_be_kept():
    kernels.set_num_threads(2)
    w = arrays_of((1030, 1030, 3, 3), "float32", 15)  # 38 MB
    x, dy = arrays_of((3, 1030, 3, 3), "float32", 16), arrays_of((3, 1030, 1, 1), "float32", 17)
    for _ in range(2):
        y, dx = kernels.conv2d.forward(x, w), kernels.conv2d.input_grad(dy, w, (3, 3))
        np.testing.assert_allclose(y[:, :, 0, 0], np.tensordot(x, w, ((1, 2, 3), (1, 2, 3))), rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(dx, np.tensordot(dy[:, :, 0, 0], w, 1), rtol=1e-3, atol=1e-2)
        packed_by_each_thread()


def test_what_each_thread_packs_is_that_of_its_job():
    kernels.set_num_threads(3)
    with kernels.use_backend("reference"):
        expected = packed_by_each_thread()
    for _ in range(3):
        for y, right in zip(packed_by_each_thread(), expected, strict=True):
            np.testing.assert_allclose(y, right, rtol=1e-3, atol=1e-3)


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
    kernels.set_num_threads(64)
    assert kernels.get_num_threads() == 64


def test_the_first_number_of_threads_is_that_of_the_cores_or_of_the_environment(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(100)), raising=False)
    for text, expected in (("", 64), ("1", 1), ("64", 64)):
        monkeypatch.setenv("MINIDL_NUM_THREADS", text)
        assert threads._initial_threads() == expected
    monkeypatch.setenv("MINIDL_NUM_THREADS", "65")
    with pytest.raises(ValueError, match="between 1 and 64, got '65'"):
        threads._initial_threads()
