"""Reuse of the memory of large arrays."""

import os
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

from minidl import kernels

buffers = pytest.importorskip("minidl.kernels.cpu.buffers", reason="the Cython kernels are not built")

MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def nothing_kept():
    limit = kernels.memory_usage().limit
    kernels.release_memory()
    yield
    buffers.set_limit(limit)
    kernels.release_memory()


def address(x):
    return x.__array_interface__["data"][0]


def test_memory_is_used_again_and_aligned():
    x = buffers.empty((3, 1000, 1000), np.float32)
    where = address(x)
    assert where % 64 == 0 and x.base is None and x.flags.owndata
    other = buffers.empty((3, 1000, 1000), np.float32)
    assert address(other) != where
    del x
    assert address(buffers.empty((2900, 1000), np.float32)) == where  # shorter by little
    assert address(buffers.empty((1500, 1000), np.float32)) != where  # half of it would be wasted


def test_small_arrays_are_numpys():
    before = kernels.memory_usage()
    x = buffers.empty((100, 100), np.float64)
    assert kernels.memory_usage() == before and x.shape == (100, 100)


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (33, 7), (700, 900)])
def test_aligned_arrays_begin_at_a_cache_line(shape):
    kept = []
    for _ in range(20):  # np.empty's do so now and then
        x = kernels.aligned_empty(shape, "float32")
        assert address(x) % 64 == 0 and x.shape == shape and x.dtype == np.float32 and x.flags.owndata
        kept.append(x)


def test_small_blocks_do_not_drive_out_large_ones():
    buffers.set_limit(16 * MEGABYTE)
    large = buffers.empty((2 * MEGABYTE,), np.uint8)
    del large
    kept = kernels.memory_usage().kept
    small = [kernels.aligned_empty((10,), "float32") for _ in range(100)]
    del small
    assert kernels.memory_usage().kept == kept > 0


def test_usage_counts_what_lives():
    kernels.reset_peak_memory()
    start = kernels.memory_usage()
    x = buffers.empty((4 * MEGABYTE,), np.uint8)
    y = buffers.empty_like(x)
    both = kernels.memory_usage()
    assert 8 * MEGABYTE <= both.in_use - start.in_use < 9 * MEGABYTE and both.peak == both.in_use
    del x
    one = kernels.memory_usage()
    assert one.in_use < both.in_use and one.peak == both.peak and 4 * MEGABYTE <= one.kept < 5 * MEGABYTE
    kernels.release_memory()
    assert kernels.memory_usage().kept == 0
    kernels.reset_peak_memory()
    assert kernels.memory_usage().peak == one.in_use
    del y


def test_what_is_kept_is_bounded():
    buffers.set_limit(10 * MEGABYTE)
    arrays = [buffers.empty((4 * MEGABYTE,), np.uint8) for _ in range(5)]
    places = [address(x) for x in arrays]
    while arrays:
        del arrays[0]
    assert 8 * MEGABYTE <= kernels.memory_usage().kept <= 10 * MEGABYTE
    assert address(buffers.empty((4 * MEGABYTE,), np.uint8)) in places[-2:]  # the oldest went to the system
    del arrays
    large = buffers.empty((11 * MEGABYTE,), np.uint8)
    del large  # it cannot be kept, so others must not go for it
    assert 8 * MEGABYTE <= kernels.memory_usage().kept <= 10 * MEGABYTE
    buffers.set_limit(0)
    assert kernels.memory_usage().kept == 0
    before = kernels.memory_usage()
    x = buffers.empty((4 * MEGABYTE,), np.uint8)  # NumPy's own
    assert kernels.memory_usage() == before and x.size


def test_arrays_of_others_are_left_alone():
    before = kernels.memory_usage()
    x = np.empty((4 * MEGABYTE,), np.uint8)
    assert kernels.memory_usage() == before and x.size


def test_a_resized_array_keeps_its_numbers():
    x = buffers.empty((2 * MEGABYTE,), np.uint8)
    x[...] = np.arange(x.size) % 251
    x.resize((5 * MEGABYTE,), refcheck=False)
    np.testing.assert_array_equal(x[: 2 * MEGABYTE], np.arange(2 * MEGABYTE) % 251)


def test_threads_do_not_share_a_block():
    wrong = []

    def work(number):
        random = np.random.default_rng(number)
        for _ in range(300):
            x = buffers.empty((int(random.integers(1, 3 * MEGABYTE)),), np.uint8)
            x[...] = number
            y = buffers.empty_like(x)
            y[...] = 100 + number
            if not ((x == number).all() and (y == 100 + number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_can_allocate():
    stop = threading.Event()

    def keep_the_list_busy():
        while not stop.is_set():
            buffers.empty((2 * MEGABYTE,), np.uint8)

    thread = threading.Thread(target=keep_the_list_busy)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                buffers.empty((2 * MEGABYTE,), np.uint8)[...] = 1
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("text, limit", [("0", 0), ("3", 3 * MEGABYTE)])
def test_the_environment_sets_the_limit(text, limit):
    code = "from minidl import kernels; print(kernels.memory_usage().limit)"
    environment = {**os.environ, "MINIDL_KEEP_MB": text}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert int(result.stdout) == limit


def test_a_wrong_limit_is_an_error(monkeypatch):
    monkeypatch.setenv("MINIDL_KEEP_MB", "-1")
    with pytest.raises(ValueError, match="MINIDL_KEEP_MB must be a whole number .* got '-1'"):
        kernels.memory.kept_bytes()


def test_kernels_reuse_memory():
    x, w = kernels.channels_last(np.ones((8, 16, 64, 64), np.float32)), np.ones((16, 16, 3, 3), np.float32)
    with kernels.use_backend("cython", strict=True):
        y = kernels.conv2d.forward(x, w, padding=1)
        where = address(y)
        del y
        assert address(kernels.conv2d.forward(x, w, padding=1)) == where


PAGES_OF_A_SECOND_ROUND = """
import resource
import numpy as np
import minidl  # which need not have called a kernel yet

def round_of_arrays():
    x = np.ones((512, 512), np.float32)
    arrays = [x + i for i in range(30)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    del arrays
    arrays = [x + i for i in range(30)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

round_of_arrays()
print(round_of_arrays())
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ, reason="other allocators have rules of their own"
)
@pytest.mark.parametrize(("megabytes", "least", "most"), [("", 0, 500), ("0", 5000, 10000)])
def test_numpys_own_arrays_are_in_memory_that_was_used_before(megabytes, least, most):
    """30 arrays of a megabyte are 7680 pages, which are fresh ones if the C library has returned what was free."""
    program = [sys.executable, "-c", PAGES_OF_A_SECOND_ROUND]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    answer = subprocess.run(program, env=environment | {"MINIDL_KEEP_MB": megabytes}, capture_output=True, text=True)
    assert least <= int(answer.stdout) <= most, answer
