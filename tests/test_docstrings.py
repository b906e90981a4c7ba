"""Every example in a docstring runs and prints what it says; every public function has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import minidl

# What they compute is in their kernel's contract; vector_loops_avx512 cannot be imported where there is no AVX-512.
IMPLEMENTATIONS = ("cython_", "numba_", "cuda_", "vector_loops_")


def modules() -> list[str]:
    found = ["minidl"]
    for module in pkgutil.walk_packages(minidl.__path__, "minidl.", onerror=lambda name: None):
        name = module.name.rpartition(".")[2]
        if name != "__main__" and not name.startswith(IMPLEMENTATIONS):
            found.append(module.name)
    found += [
        module.name
        for module in pkgutil.walk_packages(minidl.kernels.__path__, "minidl.kernels.")
        if not module.name.rpartition(".")[2].startswith(IMPLEMENTATIONS)
    ]
    return sorted(set(found))


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    minidl.manual_seed(0)
    # in an empty namespace, as a reader has who copies the example
    result = doctest.testmod(module, globs={}, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize(
    "package",
    ["minidl", "minidl.functional", "minidl.nn", "minidl.optim", "minidl.data", "minidl.metrics", "minidl.cluster"],
)
def test_every_public_name_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    values = [(name, getattr(module, name)) for name in names]
    ours = [(name, value) for name, value in values if getattr(value, "__module__", "").startswith("minidl")]
    undocumented = [name for name, value in ours if callable(value) and not inspect.getdoc(value)]
    assert ours and undocumented == []


def test_nothing_needs_its_docstring() -> None:
    imports = "import " + ", ".join(name for name in modules() if not name.startswith("minidl.kernels."))
    ran = subprocess.run([sys.executable, "-OO", "-c", imports], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
