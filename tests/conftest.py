"""Which tests can run here, and what the run had at hand.

The marks `gpu` and `data` are skipped, with the reason, where there is no GPU or no data; MINIDL_REQUIRE_GPU=1, for
machines that have one, makes a GPU that cannot be used an error, before anything runs. The last lines of a run say
which backends served, so that a run on the reference alone cannot pass for more.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest


def _no_gpu() -> str:
    """Why tests marked `gpu` cannot run; "" if they can."""
    from minidl.kernels.cuda import gpu_status

    return gpu_status().reason


def _no_data() -> str:
    """Why tests marked `data` cannot run; "" if they can."""
    folder = os.environ.get("MINIDL_DATA")
    if not folder:
        return "MINIDL_DATA is not set"
    return "" if Path(folder).is_dir() else f"MINIDL_DATA={folder} is no folder"


def pytest_configure() -> None:
    if os.environ.get("MINIDL_REQUIRE_GPU") == "1" and (reason := _no_gpu()):
        raise pytest.UsageError(f"MINIDL_REQUIRE_GPU=1, but no GPU can be used: {reason}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for mark, missing in (("gpu", _no_gpu), ("data", _no_data)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        reason = missing() if marked else ""
        for item in marked if reason else ():
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    gc.freeze()  # else every collection walks through a million objects of the tests themselves


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the data sets, for tests marked `data`."""
    return Path(os.environ["MINIDL_DATA"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("what these tests had", sep="-")
    for line in _at_hand():
        terminalreporter.line(line)


def _at_hand() -> list[str]:
    oracles = [name for name in ("torch", "onnx", "sklearn", "scipy") if find_spec(name)]
    lines = [f"oracles: {', '.join(oracles) or 'none'}", f"data: {_no_data() or os.environ['MINIDL_DATA']}"]
    try:
        from minidl import kernels
    except ImportError as error:
        return [*lines, f"minidl: {error}"]
    available, missing = defaultdict(list), defaultdict(list)
    for row in kernels.table():
        if row.available:
            available[row.backend].append(row.kernel)
        else:
            missing[row.backend, row.reason].append(row.kernel)
    lines += [f"backend {backend}: {', '.join(names)}" for backend, names in available.items()]
    lines += [f"no backend {backend} of {', '.join(names)}: {reason}" for (backend, reason), names in missing.items()]
    return lines
