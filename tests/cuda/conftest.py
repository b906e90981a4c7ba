"""Runtimes for the CUDA tests: every test that takes `runtime` runs on the emulator and, marked `gpu`, on a GPU."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from minidl.kernels import cuda
from tests.cuda_emulator import DeviceRuntime


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def runtime(request):
    """The runtime of the kernels inside the test: the checked emulator, its arrays as strict as CuPy's, or the GPU."""
    with cuda.use_runtime(DeviceRuntime(check=True) if request.param == "emulated" else cuda.CupyRuntime()) as chosen:
        yield chosen


@pytest.fixture
def to_device(runtime):
    """Moves an array to the runtime, keeping its order of axes in memory."""

    def move(array):
        return _in_its_order(array, runtime.xp.asarray)

    return move


@pytest.fixture
def to_host(runtime):
    """Moves an array of the runtime back to NumPy, keeping its order of axes in memory, which ``get`` does not."""
    return lambda array: array if isinstance(array, np.ndarray) else _in_its_order(array, lambda x: x.get())


@pytest.fixture(autouse=True)
def errors_of_the_gpu(request):
    """Names the test whose kernel fails: its error comes late, and then from every call of the process.

    So each test waits for the GPU at its end, and after an error its process ends too; pytest-xdist starts another.
    """
    yield
    if request.node.get_closest_marker("gpu") is None:
        return
    import cupy

    try:
        cupy.cuda.Device().synchronize()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"{request.node.nodeid}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _in_its_order(array, move):
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return move(array.transpose(axes)).transpose([axes.index(axis) for axis in range(array.ndim)])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of test_seeded_faults, whose tests record how they found their fault."""
    reports = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    recorded = [dict(report.user_properties) for report in reports]
    faults = [(row["fault"], row["found"]) for row in recorded if "fault" in row]
    if not faults:
        return
    terminalreporter.section("faults planted in the CUDA kernels", sep="-")
    for what, found in faults:
        terminalreporter.line(f"{what:46} {found[:140]}")
    count = {how: sum(found.startswith(how) for _, found in faults) for how in ("report", "numbers")}
    terminalreporter.line(
        f"found {sum(count.values())} of {len(faults)}: "
        f"{count['report']} by the checker, {count['numbers']} by a wrong result"
    )
