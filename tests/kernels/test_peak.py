"""The measured roof: what it says must be possible, and grow with what is measured."""

import pytest

from minidl import kernels

peak = pytest.importorskip("minidl.kernels.cpu.peak", reason="the Cython kernels are not built")
tiles = pytest.importorskip("minidl.kernels.cpu.tiles")

LANES = {"portable": 1, "sse2": 4, "neon": 4, "avx2": 8, "avx512": 16}
SUMS = 12  # of vectors, in peak.h


@pytest.mark.parametrize("name", tiles.SUPPORTED)
def test_no_more_than_registers_allow(name):
    """No processor starts more than 4 multiply-adds a cycle, or has more than 7e9 cycles a second."""
    before, threads = tiles.chosen(), kernels.get_num_threads()
    tiles.choose(name)
    kernels.set_num_threads(1)
    try:
        measured = peak.peak_gflops(seconds=0.02)
    finally:
        tiles.choose(before)
        kernels.set_num_threads(threads)
    assert 0.1 < measured < 2 * 4 * LANES[name] * 7


def test_the_sums_are_computed():
    """What comes out shows that no turn was left out: each sum starts at its number, and goes to 1."""
    lanes = LANES[tiles.chosen()]
    assert peak.sum_after(0) == lanes * SUMS * (SUMS - 1) / 2
    # y = 0.999 * y + 0.001, a thousand times: y - 1 becomes 0.999^1000 * (y - 1) = 0.3677 * (y - 1)
    assert peak.sum_after(1000) == pytest.approx(lanes * (SUMS + 0.3677 * (SUMS * (SUMS - 1) / 2 - SUMS)), rel=1e-3)
    assert peak.sum_after(100_000) == pytest.approx(lanes * SUMS, rel=1e-3)


@pytest.mark.parametrize("megabytes", [1, 3, 50])
def test_bandwidth(megabytes):
    assert 0.1 < peak.memory_bandwidth(megabytes, seconds=0.01) < 10_000
