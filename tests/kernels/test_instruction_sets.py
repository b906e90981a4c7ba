"""Every instruction set that this machine has gives right results, and touches no memory but its arrays'."""

import os
import subprocess
import sys

import numpy as np
import pytest

from minidl import kernels

from . import test_channel_sums, test_conv2d, test_matmul, test_pool2d
from .test_threads import everything

tiles = pytest.importorskip("minidl.kernels.cpu.tiles", reason="the Cython kernels are not built")

OTHERS = [name for name in tiles.SUPPORTED if name != tiles.chosen()]


@pytest.fixture(params=OTHERS)
def instruction_set(request):
    before = tiles.chosen()
    tiles.choose(request.param)
    yield request.param
    tiles.choose(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_kernels(instruction_set, dtype):
    test_matmul.test_matrices("cython", dtype)
    test_matmul.test_linear_of_few_rows("cython", dtype)
    test_conv2d.test_all_three_against_the_reference("cython", dtype)
    test_pool2d.test_max_against_the_reference("cython", dtype)
    test_pool2d.test_avg_against_the_reference("cython", dtype)
    test_channel_sums.test_sums("cython", dtype)


def test_they_agree(instruction_set):
    others = everything()
    tiles.choose(tiles.SUPPORTED[-1])
    for actual, expected in zip(others, everything(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("name", tiles.SUPPORTED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_columns_change_no_bit(name, dtype):
    """Tiles of half a register sum in the same order, and round as often."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((30, 100)).astype(dtype), random.standard_normal((100, 40)).astype(dtype)
    x, w = random.standard_normal((2, 5, 9, 8)).astype(dtype), random.standard_normal((40, 5, 3, 3)).astype(dtype)
    before = tiles.chosen()
    tiles.choose(name)
    try:
        y, z = kernels.matmul.forward(a, b), kernels.conv2d.forward(x, w)
        for columns in range(1, 18):
            np.testing.assert_array_equal(kernels.matmul.forward(a, b[:, :columns]), y[:, :columns])
            np.testing.assert_array_equal(kernels.conv2d.forward(x, w[:columns]), z[:, :columns])
    finally:
        tiles.choose(before)
    np.testing.assert_allclose(y, a @ b, rtol=1e-4)


def test_the_environment_chooses():
    code = "from minidl.kernels.cpu import tiles; print(tiles.chosen())"
    for name in tiles.SUPPORTED:
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "MINIDL_ISA": name},
            check=True,
        )
        assert result.stdout.strip() == name


@pytest.mark.skipif(sys.platform != "linux", reason="uses mprotect through the C library of Linux")
@pytest.mark.parametrize("name", tiles.SUPPORTED)
def test_no_access_beyond_an_array(name):
    """Arrays that end at a page which must not be touched: reading or writing one number too far ends the process."""
    script = os.path.join(os.path.dirname(__file__), "guarded_memory.py")
    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env={**os.environ, "MINIDL_ISA": name}, check=False
    )
    assert result.returncode == 0, (
        f"exit status {result.returncode} after: {result.stdout[-300:]} {result.stderr[-2000:]}"
    )
    assert result.stdout.endswith("all done\n")


def test_unknown_name():
    with pytest.raises(ValueError, match="'mmx' is not one of the instruction sets here"):
        tiles.choose("mmx")


def test_they_are_of_this_machine():
    assert tiles.chosen() in tiles.SUPPORTED and set(tiles.SUPPORTED) <= set(tiles.COMPILED)
    assert kernels.table()
