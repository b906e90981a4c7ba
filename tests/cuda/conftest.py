"""Runtimes for the CUDA tests: every test that takes `runtime` runs on the emulator and, marked `gpu`, on a GPU."""

from __future__ import annotations

import pytest

from minidl.kernels import cuda
from tests.cuda_emulator import EmulatedRuntime


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def runtime(request):
    """The runtime that kernels use inside the test: the checked emulator, or the GPU."""
    with cuda.use_runtime(EmulatedRuntime(check=True) if request.param == "emulated" else cuda.CupyRuntime()) as chosen:
        yield chosen


@pytest.fixture
def to_device(runtime):
    """Moves an array to the runtime, keeping its order of axes in memory."""

    def move(array):
        axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
        moved = runtime.xp.asarray(array.transpose(axes))
        return moved.transpose([axes.index(axis) for axis in range(array.ndim)])

    return move


@pytest.fixture
def to_host(runtime):
    """Moves an array of the runtime back to NumPy."""
    return lambda array: array.get() if hasattr(array, "get") else array


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
