"""minidl installed plainly, editably and without a compiler, and used from another folder."""

from __future__ import annotations

import platform
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, RUN_TINY, Checkout, Environment, run

pytestmark = pytest.mark.slow

NOT_SHIPPED = {".so", ".pyc", ".c", ".json", ".md"}

TABLE = """
import numpy
from minidl import kernels
for row in kernels.table():
    print(row.backend, row.available, row.reason, sep="|")
print("product", kernels.matmul.forward(numpy.full((2, 3), 2.0), numpy.full((3, 1), 5.0)).sum())
"""

# An intrinsic is an error in a function that is not compiled for its instruction set.
FUSED_PRODUCT = '''
cdef extern from *:
    """
    #include <immintrin.h>
    static void fused_product(float* x) { *(__mBITS*)x = _mmBITS_fmadd_ps(*(__mBITS*)x, *(__mBITS*)x, *(__mBITS*)x); }
    """
    void fused_product(float* x)

def call(size_t x):
    fused_product(<float*>x)
'''


def test_plain_install(plain: tuple[Environment, Checkout], elsewhere: Path):
    environment, _ = plain
    package, kernels, result = environment.run(RUN_TINY, elsewhere).split()
    assert Path(package) == environment.site_packages / "minidl" / "__init__.py"
    assert Path(kernels) == environment.site_packages / "minidl" / "kernels" / "__init__.py"
    assert result == "6.0"
    assert (environment.scripts / "minidl").is_file()


def test_editable_install(editable: tuple[Environment, Checkout], elsewhere: Path):
    environment, checkout = editable
    package, kernels, result = environment.run(RUN_TINY, elsewhere).split()
    assert Path(package) == checkout.folder / "minidl" / "__init__.py"
    assert Path(kernels) == checkout.folder / "kernels" / "__init__.py"
    assert result == "6.0"
    assert environment.run(RUN_TINY, checkout.folder).split() == [package, kernels, result]


def test_install_without_a_compiler(tmp_path: Path, elsewhere: Path):
    checkout = Checkout(tmp_path / "checkout").with_empty_cython_sources()
    extensions = len(list(checkout.folder.glob("kernels/**/*.pyx")))
    wheel, printed = checkout.wheel(CC="/bin/false")
    assert f"{extensions} of {extensions} Cython extensions could NOT be built" in printed

    environment = Environment(tmp_path / "environment")
    environment.install(wheel)
    *rows, product = environment.run(TABLE, elsewhere).splitlines()
    assert product == "product 60.0"
    cython = [row.split("|") for row in rows if row.startswith("cython|")]
    assert len(cython) >= 3
    for _, available, reason in cython:
        assert available == "False"
        assert "/bin/false" in reason and "with a working GCC or Clang" in reason


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX is an instruction set of x86-64")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_vector_loops_are_compiled_for_the_instruction_set_of_their_file(tmp_path: Path, compiler: str):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    checkout = Checkout(tmp_path / "checkout").with_the_tiny_kernel_alone()
    for name, bits in {"avx2": 256, "avx512": 512}.items():
        file = Path("kernels", "cpu", f"vector_loops_{name}.pyx")
        source = (ROOT / file).read_text(encoding="utf-8")
        wide = source.replace('include "vector_loops.pxi"', FUSED_PRODUCT.replace("BITS", str(bits)))
        assert wide != source
        (checkout.folder / file).write_text(wide, encoding="utf-8")
    done = checkout.build(CC=compiler)
    assert done.returncode == 0 and "could NOT be built" not in done.stdout, done.stdout


def test_the_wheel_holds_every_source_of_the_kernels(plain: tuple[Environment, Checkout]):
    [wheel] = (plain[1].folder / "dist").glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in plain[1].folder.glob("kernels/**/*") if path.is_file() and path.suffix not in NOT_SHIPPED]
    expected = {f"minidl/{path.relative_to(plain[1].folder).as_posix()}" for path in files}
    assert expected and expected - shipped == set()
    assert {"minidl/py.typed", "minidl/autograd/tensor_methods.pyi"} <= shipped  # for type checkers


def test_a_source_distribution_holds_what_a_wheel_is_built_from_and_no_tests(tmp_path: Path):
    checkout = Checkout(tmp_path / "checkout")
    files = [path for path in checkout.folder.rglob("*") if path.is_file() and path.suffix not in {".json", ".md"}]
    expected = {path.relative_to(checkout.folder).as_posix() for path in files}
    (checkout.folder / "tests").mkdir()
    (checkout.folder / "tests" / "test_one.py").touch()
    done = run([sys.executable, "setup.py", "sdist"], checkout.folder)
    assert done.returncode == 0, done.stdout
    [archive] = (checkout.folder / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        shipped = {name.partition("/")[2] for name in opened.getnames()}
    assert expected - shipped == set()
    assert not [name for name in shipped if name.startswith("tests")]


def test_a_wheel_holds_nothing_of_an_older_build(tmp_path: Path):
    checkout = Checkout(tmp_path / "checkout").with_the_tiny_kernel_alone()
    tiny = checkout.folder / "kernels" / "tiny"
    (tiny / "cython_cpu.pyx").unlink()  # setuptools builds what has extensions in another folder than what has none
    assert run([sys.executable, "setup.py", "build"], checkout.folder).returncode == 0
    assert (checkout.folder / "build" / "lib" / "minidl" / "kernels" / "tiny" / "reference.py").is_file()
    shutil.rmtree(tiny)
    assert not any("/tiny/" in name for name in zipfile.ZipFile(checkout.wheel()[0]).namelist())


def test_the_version_is_said_once():
    import tomllib

    import minidl

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert minidl.__version__ == version
