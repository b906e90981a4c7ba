"""Copies of the project to build, and virtual environments to install them into, without a network.

A virtual environment here sees the packages of the one that runs the tests (NumPy, Cython, setuptools ...), but not its
installed minidl: Python does not follow the `.pth` files of a folder that a `.pth` file added.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# One kernel more, reference and Cython, over two headers. GCC takes half a second for it, and 1.3 if it optimizes.
TINY = {
    "kernels/tiny/__init__.py": """\
from ..registry import kernel


@kernel
def forward(x):
    return (x,)
""",
    "kernels/tiny/reference.py": "def forward(x):\n    return 2.0 * x\n",
    "kernels/tiny/cython_cpu.pyx": """\
cdef extern from "factor.h":
    double factor()


def forward(x):
    return factor() * x
""",
    "kernels/cpu/factor.h": """\
#pragma GCC optimize ("O0")
#include "two.h"
static double factor(void) { return TWO; }
""",
    "kernels/cpu/two.h": "#define TWO 2.0\n",
}

RUN_TINY = """
import numpy, minidl
from minidl import kernels
with kernels.use_backend("cython", strict=True):
    print(minidl.__file__, kernels.__file__, kernels.tiny.forward(numpy.ones(3)).sum())
"""


class Checkout:
    """A copy of the project's sources, nothing built."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder)
        built = shutil.ignore_patterns("*.so", "__pycache__", "build_failures.json", "build")
        for name in ("minidl", "kernels"):
            shutil.copytree(ROOT / name, folder / name, ignore=built)

    def with_the_tiny_kernel_alone(self) -> Checkout:
        """Without the Cython sources of the real kernels, which take long to compile, and with the tiny one."""
        for path in self.folder.glob("kernels/**/*.pyx"):
            path.unlink()
        for file, content in TINY.items():
            (self.folder / file).parent.mkdir(exist_ok=True)
            (self.folder / file).write_text(content, encoding="utf-8")
        return self

    def with_empty_cython_sources(self) -> Checkout:
        """Which are translated in no time; for a build whose compiler refuses whatever it is given."""
        for path in self.folder.glob("kernels/**/*.pyx"):
            path.write_text("", encoding="utf-8")
            path.with_suffix(".pxd").unlink(missing_ok=True)  # it declares what is no longer there
        return self

    def binary(self) -> Path:
        return self.folder / "kernels" / "tiny" / ("cython_cpu" + sysconfig.get_config_var("EXT_SUFFIX"))

    def wheel(self, **variables: str) -> tuple[Path, str]:
        """A wheel of it, and what the build printed."""
        folder = self.folder / "dist"
        shutil.rmtree(folder, ignore_errors=True)
        command = [*PIP, "wheel", "--verbose", *OFFLINE, "--wheel-dir", folder, self.folder]
        done = run(command, self.folder, **variables)
        assert done.returncode == 0, done.stdout
        [wheel] = folder.glob("*.whl")
        return wheel, done.stdout

    def build(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """The in-place build that `make build` runs."""
        return run([sys.executable, "setup.py", "build_ext", "--inplace"], self.folder, **variables)


class Environment:
    """A virtual environment."""

    def __init__(self, folder: Path):
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.scripts = folder / "bin"
        [self.site_packages] = folder.glob("lib/python*/site-packages")
        (self.site_packages / "packages_of_the_test_run.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: str | Path, **variables: str) -> None:
        command = [*PIP, "--python", self.python, "install", "--ignore-installed", *OFFLINE, *what]
        done = run(command, self.site_packages, **variables)
        assert done.returncode == 0, done.stdout

    def run(self, code: str, folder: Path) -> str:
        """What `python -c code`, started in `folder`, prints."""
        return run([self.python, "-c", code], folder).stdout


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]


def run(command: list, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command; standard output and error come as one text."""
    own = ("PYTHON", "MINIDL", "CC", "CFLAGS", "MAKE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has nothing to do with the project."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Checkout]:
    """An environment into which the wheel of a checkout is installed, and that checkout."""
    folder = tmp_path_factory.mktemp("plain")
    checkout = Checkout(folder / "checkout").with_the_tiny_kernel_alone()
    environment = Environment(folder / "environment")
    environment.install(checkout.wheel()[0])
    return environment, checkout


@pytest.fixture(scope="session")
def _editable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Checkout]:
    folder = tmp_path_factory.mktemp("editable")
    checkout = Checkout(folder / "checkout").with_the_tiny_kernel_alone()
    environment = Environment(folder / "environment")
    environment.install("--editable", checkout.folder)
    return environment, checkout


@pytest.fixture
def editable(_editable: tuple[Environment, Checkout]) -> Iterator[tuple[Environment, Checkout]]:
    """An environment with an editable install, and its checkout; what a test changes there is put back after it."""
    checkout = _editable[1]
    binary = checkout.binary().read_bytes()
    yield _editable
    checkout.with_the_tiny_kernel_alone()
    checkout.binary().unlink(missing_ok=True)  # another file: the dynamic loader knows this one
    checkout.binary().write_bytes(binary)
    (checkout.folder / "kernels" / "build_failures.json").unlink(missing_ok=True)
