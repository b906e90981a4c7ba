"""Unbuilt, stale and mixed trees: errors that say what to type. A failed build: a reason, and the reference serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .conftest import RUN_TINY, TINY, Checkout, Environment, run

pytestmark = pytest.mark.slow

FAR_AHEAD = 4_000_000_000  # seconds since 1970: the year 2096
IMPORT = "import minidl"
WITH_ANY_BACKEND = "import numpy; from minidl import kernels; print('sum', kernels.tiny.forward(numpy.ones(3)).sum())"


def state_of_the_tiny_kernel(checkout: Checkout) -> str:
    report = run([sys.executable, "kernels/build_report.py"], checkout.folder)
    [line] = [line for line in report.stdout.splitlines() if ".tiny." in line]
    assert report.returncode == (": built: " not in line)
    return line.split(": ")[1]


def test_unbuilt(editable: tuple[Environment, Checkout], elsewhere: Path):
    environment, checkout = editable
    checkout.binary().unlink()
    assert state_of_the_tiny_kernel(checkout) == "unbuilt"
    for code in (RUN_TINY, WITH_ANY_BACKEND):
        last = environment.run(code, elsewhere).splitlines()[-1]
        assert "BuildError" in last and "is not built for CPython" in last
        assert f"type `make build` or `pip install -e .` in {checkout.folder}" in last
    assert "not built" in environment.run("from minidl import kernels; print(kernels.table())", elsewhere)
    reference = "from minidl import kernels\nwith kernels.use_backend('reference'): " + WITH_ANY_BACKEND
    assert environment.run(reference, elsewhere) == "sum 6.0\n"


@pytest.mark.parametrize("file", ["kernels/tiny/cython_cpu.pyx", "kernels/cpu/factor.h", "kernels/cpu/two.h"])
def test_stale_after_any_of_its_sources_changed(editable: tuple[Environment, Checkout], elsewhere: Path, file: str):
    environment, checkout = editable
    (checkout.folder / file).write_text(TINY[file].replace("2.0", "4.0") + "\n", encoding="utf-8")
    assert state_of_the_tiny_kernel(checkout) == "stale"
    last = environment.run(WITH_ANY_BACKEND, elsewhere).splitlines()[-1]
    assert "BuildError" in last and "was not built from the sources beside it" in last
    assert f"type `make build` or `pip install -e .` in {checkout.folder}" in last
    assert checkout.build().returncode == 0
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == f"sum {12.0 if file.endswith('two.h') else 6.0}\n"


def test_an_old_binary_put_back_is_stale_whatever_its_time(editable: tuple[Environment, Checkout], elsewhere: Path):
    environment, checkout = editable
    old = checkout.binary().read_bytes()
    (checkout.folder / "kernels/cpu/two.h").write_text("#define TWO 8.0\n", encoding="utf-8")
    assert checkout.build().returncode == 0
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == "sum 24.0\n"
    checkout.binary().unlink()
    checkout.binary().write_bytes(old)
    os.utime(checkout.binary(), (FAR_AHEAD, FAR_AHEAD))
    assert state_of_the_tiny_kernel(checkout) == "stale"
    assert "was not built from the sources beside it" in environment.run(WITH_ANY_BACKEND, elsewhere)
    assert checkout.build().returncode == 0
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == "sum 24.0\n"


def test_a_left_over_build_folder_replaces_nothing_newer(editable: tuple[Environment, Checkout], elsewhere: Path):
    environment, checkout = editable
    header = checkout.folder / "kernels/cpu/two.h"
    header.write_text("#define TWO 8.0\n", encoding="utf-8")
    assert checkout.build().returncode == 0  # build/ now holds the binary of these sources
    header.write_text("#define TWO 9.0\n", encoding="utf-8")
    environment.install("--editable", checkout.folder)  # builds in a temporary folder
    assert checkout.build().returncode == 0
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == "sum 27.0\n"


def test_a_build_compiles_only_what_is_out_of_date(editable: tuple[Environment, Checkout]):
    _, checkout = editable
    assert "building '" not in checkout.build().stdout
    (checkout.folder / "kernels/cpu/two.h").write_text("#define TWO 3.0\n", encoding="utf-8")
    built = [line for line in checkout.build().stdout.splitlines() if line.startswith("building '")]
    assert built == ["building 'minidl.kernels.tiny.cython_cpu' extension"]
    assert "building '" in checkout.build(CFLAGS="-DANOTHER").stdout


def test_a_checkout_that_was_moved_builds_again(tmp_path: Path):
    checkout = Checkout(tmp_path / "before").with_the_tiny_kernel_alone()
    assert checkout.build().returncode == 0
    checkout.folder = checkout.folder.rename(tmp_path / "after")
    (checkout.folder / "kernels/cpu/two.h").write_text("#define TWO 3.0\n", encoding="utf-8")
    assert "could NOT be built" not in checkout.build().stdout
    assert state_of_the_tiny_kernel(checkout) == "built"


def test_a_failed_build_gives_its_reason_and_the_reference_serves(
    editable: tuple[Environment, Checkout], elsewhere: Path
):
    environment, checkout = editable
    (checkout.folder / "kernels/cpu/two.h").write_text("this is not C\n", encoding="utf-8")
    build = checkout.build()
    assert build.returncode == 0
    assert "1 of " in build.stdout and "could NOT be built" in build.stdout
    assert state_of_the_tiny_kernel(checkout) == "failed"
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == "sum 6.0\n"
    strict = environment.run(RUN_TINY, elsewhere)
    assert "Error" in strict and "exit status 1" in strict
    (checkout.folder / "kernels/cpu/two.h").write_text("#define TWO 5.0\n", encoding="utf-8")
    assert state_of_the_tiny_kernel(checkout) == "stale"
    assert checkout.build().returncode == 0
    assert environment.run(WITH_ANY_BACKEND, elsewhere) == "sum 15.0\n"


def test_an_error_in_a_pyx_fails_the_build(editable: tuple[Environment, Checkout]):
    _, checkout = editable
    (checkout.folder / "kernels/tiny/cython_cpu.pyx").write_text("def forward(x) return x\n", encoding="utf-8")
    build = checkout.build()
    assert build.returncode != 0
    assert "kernels/tiny/cython_cpu.pyx:1:" in build.stdout


def test_a_checkout_in_the_working_folder_shadows_a_plain_install(plain: tuple[Environment, Checkout]):
    environment, checkout = plain
    last = environment.run(IMPORT, checkout.folder).splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(checkout.folder / "minidl") in last and "minidl.kernels is not installed" in last
    assert f"Type `pip install -e .` in {checkout.folder}" in last


def test_an_editable_install_used_from_another_checkout(
    editable: tuple[Environment, Checkout], plain: tuple[Environment, Checkout]
):
    environment, installed = editable
    other = plain[1]
    last = environment.run(IMPORT, other.folder).splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(other.folder / "minidl") in last and str(installed.folder / "kernels") in last
    assert f"Type `pip install -e .` in {other.folder}" in last


def test_a_plain_install_that_lost_its_kernels(plain: tuple[Environment, Checkout], elsewhere: Path):
    environment, _ = plain
    kernels = environment.site_packages / "minidl" / "kernels"
    away = kernels.with_name("away")
    kernels.rename(away)
    try:
        last = environment.run(IMPORT, elsewhere).splitlines()[-1]
    finally:
        away.rename(kernels)
    assert last.startswith("ImportError: ") and "pip install --force-reinstall minidl" in last
