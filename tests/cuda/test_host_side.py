"""The host side of CUDA kernels: signatures, checked launches, the cache of modules, detection of a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minidl.kernels import cuda
from minidl.kernels.cuda.detection import gpu_status
from minidl.kernels.cuda.source import inline_headers, signatures
from tests.cuda.compile_gate import KERNELS, VARIANTS
from tests.cuda_emulator import EmulatedModule, EmulatedRuntime

pytestmark = pytest.mark.cuda

SCALE = """
#include "common.cuh"
// a comment with extern "C" __global__ void not_a_kernel(int n)
extern "C" __global__ void scale(const scalar* x, scalar* __restrict__ y, int n, scalar factor, unsigned char* flags) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = x[i] * factor;
  if (flags) flags[i] = 1;
}
extern "C" __global__ void __launch_bounds__(64) reverse(const scalar* x, scalar* y) {
  y[63 - threadIdx.x] = x[threadIdx.x];
}
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "scale.cu"
    path.write_text(SCALE)
    return path


@pytest.fixture
def scale(source):
    return cuda.CudaModule(source, scalar="float").get_function("scale")


def arrays(runtime, n=10, dtype="float32"):
    return runtime.xp.arange(n, dtype=dtype), runtime.empty(n, dtype)


# ---- source ----


def test_signatures_are_what_the_compiler_sees():
    """Parsed from the text of every kernel of the library, against the types in the compiled code."""
    for variant in VARIANTS:
        module = cuda.CudaModule(KERNELS / variant.source, **variant.defines)
        compiled = EmulatedModule(code=module.code(tuple(EmulatedRuntime.header_folders)), options=module.options)
        assert module.signatures.keys() == compiled.parameter_names.keys() and module.signatures
        for name, parameters in module.signatures.items():
            assert [(parameter.type, parameter.pointer) for parameter in parameters] == compiled.get_function(
                name
            ).types
            assert [parameter.name for parameter in parameters] == compiled.parameter_names[name]


def test_a_signature_over_several_lines_with_every_kind_of_parameter():
    code = """
extern "C" __global__ void
__launch_bounds__(256, 2) f(const float *__restrict__ x, /* the result */ double* y,
                            unsigned n, long long big,  // a comment, with a comma
                            bool flag, const unsigned char* bytes) {}"""
    assert [tuple(parameter) for parameter in signatures(code)["f"]] == [
        ("x", "float", True, True),
        ("y", "double", True, False),
        ("n", "unsigned int", False, False),
        ("big", "long long", False, False),
        ("flag", "bool", False, False),
        ("bytes", "unsigned char", True, True),
    ]


def test_headers_are_brought_in_once_with_their_lines(tmp_path):
    (tmp_path / "inner.cuh").write_text("#pragma once\nint inner;\n")
    (tmp_path / "outer.cuh").write_text('#pragma once\n#include "inner.cuh"\nint outer;\n')
    (tmp_path / "file.cu").write_text('#include "inner.cuh"\n#include "outer.cuh"\nint own;\n')
    text = inline_headers(tmp_path / "file.cu")
    assert text.count("int inner;") == text.count("int outer;") == text.count("int own;") == 1
    lines = text.splitlines()
    assert lines[lines.index("int own;") - 1] == '#line 3 "file.cu"'
    assert '#line 1 "inner.cuh"' in lines and "pragma" not in text


def test_a_header_of_the_toolkit_is_refused(tmp_path):
    (tmp_path / "file.cu").write_text("#include <cuda_fp16.h>\n")
    with pytest.raises(ValueError, match="file.cu includes <cuda_fp16.h>"):
        inline_headers(tmp_path / "file.cu")


def test_a_missing_header_is_named(tmp_path):
    (tmp_path / "file.cu").write_text('#include "nowhere.cuh"\n')
    with pytest.raises(FileNotFoundError, match="nowhere.cuh"):
        inline_headers(tmp_path / "file.cu")


def test_every_header_with_ptx_has_an_emulated_twin():
    (twins,) = EmulatedRuntime.header_folders
    with_ptx = [path.name for path in KERNELS.rglob("*.cu*") if "asm" in path.read_text()]
    assert with_ptx and sorted(with_ptx) == sorted(path.name for path in twins.glob("*.cuh"))


# ---- launches ----


def test_launch(runtime, to_host, scale):
    x, y = arrays(runtime)
    flags = runtime.empty(10, "uint8")
    scale((2,), (8,), (x, y, 10, 2, flags))
    np.testing.assert_array_equal(to_host(y), np.arange(10) * 2)
    np.testing.assert_array_equal(to_host(flags), 1)


def test_none_is_the_null_pointer(runtime, to_host, scale):
    x, y = arrays(runtime)
    scale((2,), (8,), (x, y, 10, np.float32(0.5), None))
    np.testing.assert_array_equal(to_host(y), np.arange(10) / 2)


def test_double_is_double(runtime, to_host, source):
    x, y = arrays(runtime, dtype="float64")
    cuda.CudaModule(source, scalar="double").get_function("scale")((1,), (32,), (x, y, 10, 1 / 3, None))
    np.testing.assert_array_equal(to_host(y), np.arange(10) * (1 / 3))


def test_an_empty_grid_launches_nothing(runtime, scale):
    x, y = arrays(runtime, 0)
    scale((0,), (8,), (x, y, 0, 1.0, None))


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda xp, a: a[:-1], TypeError, r"scale takes 5 arguments \(x, y, n, factor, flags\), got 4"),
        (lambda xp, a: [a[0].astype("float64"), *a[1:]], TypeError, "'x' must be float32, got float64"),
        (lambda xp, a: [a[0][::2], *a[1:]], ValueError, "'x' must be C-contiguous"),
        (lambda xp, a: [[1.0], *a[1:]], TypeError, "'x' must be an array of .*, got list"),
        (lambda xp, a: [*a[:2], 10.0, *a[3:]], TypeError, r"'n' must be an integer \(int\), got float"),
        (lambda xp, a: [*a[:2], 2**31, *a[3:]], ValueError, "'n' does not fit int: 2147483648"),
        (lambda xp, a: [*a[:3], a[0], a[4]], TypeError, r"'factor' must be a number \(float\), got"),
        (lambda xp, a: [*a[:4], a[1]], TypeError, "'flags' must be uint8, got float32"),
    ],
)
def test_arguments_are_checked(runtime, scale, change, error, message):
    x, y = arrays(runtime)
    with pytest.raises(error, match=message):
        scale((2,), (8,), change(runtime.xp, [x, y, 10, 2.0, None]))


def test_arguments_are_checked_on_an_empty_grid_too(runtime, scale):
    with pytest.raises(TypeError, match="'x' must be float32"):
        scale((0,), (8,), (*arrays(runtime, 0, "float64"), 0, 1.0, None))


def test_unknown_kernel(source):
    with pytest.raises(ValueError, match="has no kernel 'scael'; it has reverse, scale"):
        cuda.CudaModule(source).get_function("scael")


# ---- modules and runtimes ----


class RecordingRuntime(EmulatedRuntime):
    """Remembers what was compiled and launched."""

    def __init__(self):
        super().__init__()
        self.compiled, self.launched = [], []

    def compile(self, code, options=()):
        self.compiled.append(options)
        module, launched = super().compile(code, options), self.launched

        def get_function(name):
            function = module.get_function(name)

            def launch(grid, block, args):
                launched.append((name, args))
                function(grid, block, args)

            return launch

        return SimpleNamespace(get_function=get_function)


def test_a_source_is_compiled_once_for_each_set_of_constants_and_text(source):
    with cuda.use_runtime(RecordingRuntime()) as runtime:
        x, y = arrays(runtime)
        for _ in range(2):
            module = cuda.CudaModule(source, scalar="float")
            module.get_function("scale")((1,), (32,), (x, y, 10, 1, None))
        assert runtime.compiled == [("--std=c++17", "-Dscalar=float")]
        cuda.CudaModule(source, scalar="float", OTHER=1).get_function("scale")((1,), (32,), (x, y, 10, 1, None))
        assert len(runtime.compiled) == 2
        source.write_text(SCALE.replace("* factor", "* factor + 1"))
        cuda.CudaModule(source, scalar="float").get_function("scale")((1,), (32,), (x, y, 10, 1, None))
        assert len(runtime.compiled) == 3 and y[3] == 4


def test_a_change_in_a_header_is_not_missed(tmp_path):
    (tmp_path / "f.cu").write_text('#include "value.cuh"\nextern "C" __global__ void f(float* y) { y[0] = VALUE; }\n')
    with cuda.use_runtime(EmulatedRuntime()) as runtime:
        y = runtime.empty(1, "float32")
        for value in (1, 2):
            (tmp_path / "value.cuh").write_text(f"#define VALUE {value}\n")
            cuda.CudaModule(tmp_path / "f.cu").get_function("f")((1,), (1,), (y,))
            assert y == value


def test_the_converted_scalars_reach_the_launch(scale):
    with cuda.use_runtime(RecordingRuntime()) as runtime:
        x, y = arrays(runtime)
        scale((2,), (8,), (x, y, 10, 2, None))
        ((name, args),) = runtime.launched
    assert name == "scale" and args[0] is x and type(args[2]) is np.int32 and type(args[3]) is np.float32
    assert type(args[4]) is np.uintp and args[4] == 0


def test_sizes_that_come_again_are_not_converted_again_but_still_checked(tmp_path):
    path = tmp_path / "count.cu"
    path.write_text('extern "C" __global__ void count(float* y, float by, int first, int n) { y[0] += by * n; }')
    count = cuda.CudaModule(path).get_function("count")
    with cuda.use_runtime(RecordingRuntime()) as runtime:
        y = runtime.xp.zeros(1, "float32")
        for by in (1.0, -0.0, 0.0):
            count((1,), (1,), (y, by, 1000, 7))
        launched = [args for _, args in runtime.launched]
        assert y == 7 and [type(number) for number in launched[0][2:]] == [np.int32, np.int32]
        assert all(args[2] is launched[0][2] and args[3] is launched[0][3] for args in launched)
        assert [np.signbit(args[1]) for args in launched] == [False, True, False]
        for wrong in (7.0, np.zeros(2)):
            with pytest.raises(TypeError, match=r"'n' must be an integer \(int\), got"):
                count((1,), (1,), (y, 1.0, 1000, wrong))


def test_runtimes_nest_and_end(scale):
    first, second = EmulatedRuntime(), EmulatedRuntime()
    with cuda.use_runtime(first):
        with cuda.use_runtime(second):
            assert cuda.current_runtime() is second
        assert cuda.current_runtime() is first and cuda.unavailable() is None and cuda.array_library() is np


@pytest.mark.skipif(cuda.gpu_status().available, reason="there is a GPU")
def test_without_a_gpu_the_error_gives_the_reason(scale):
    with pytest.raises(RuntimeError, match="no GPU can be used: ") as error:
        scale((1,), (1,), (None, None, 0, 0, None))
    assert cuda.unavailable() == cuda.gpu_status().reason and cuda.unavailable() in str(error.value)


class FakeArray:
    """As much of a CuPy array as a launch looks at."""

    dtype, flags, data = np.dtype("float32"), SimpleNamespace(c_contiguous=True), SimpleNamespace(device_id=1)


def fake_cupy(count=1, capability=(9, 0), fails=None, where=""):
    """A stand-in for the module `cupy`, as far as the detection and the runtime use it."""

    def answer(name, value):
        def call(*args, **kwargs):
            if where == name:
                raise fails
            return value

        return call

    properties = {"name": b"Card", "major": capability[0], "minor": capability[1], "totalGlobalMem": 2**30}
    return SimpleNamespace(
        __name__="cupy",
        ndarray=FakeArray,
        ones=answer("allocation", np.ones(1)),
        ascontiguousarray=lambda array: array,
        RawModule=lambda *, code, options: ("compiled", code, options),
        cuda=SimpleNamespace(
            Device=lambda number=0: SimpleNamespace(id=number, attributes={"MultiProcessorCount": 132}),
            nvrtc=SimpleNamespace(getVersion=answer("nvrtc", (13, 0))),
            function=SimpleNamespace(CNumpyArray=lambda array: ("the memory of", array)),
            runtime=SimpleNamespace(
                getDevice=lambda: 0,
                getDeviceCount=answer("count", count),
                getDeviceProperties=answer("properties", properties),
            ),
        ),
    )


@pytest.mark.parametrize(
    "cupy, reason",
    [
        (fake_cupy(), ""),
        (fake_cupy(count=0), "no CUDA device is visible"),
        (fake_cupy(capability=(7, 5)), "Card has compute capability 7.5, the kernels need 8.0 or newer"),
        (fake_cupy(fails=RuntimeError("driver\nmore"), where="count"), "^RuntimeError: driver$"),
        (fake_cupy(fails=OSError("libnvrtc.so not found"), where="nvrtc"), "OSError: libnvrtc.so not found"),
        (fake_cupy(fails=MemoryError("out of memory"), where="allocation"), "MemoryError: out of memory"),
        (None, "CuPy"),
    ],
)
def test_detection_tries_and_keeps_the_reason(monkeypatch, cupy, reason):
    monkeypatch.setitem(sys.modules, "cupy", cupy)  # None: the import fails
    status = gpu_status.__wrapped__()
    assert status.available == (reason == "")
    if reason:
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(status.reason)
    else:
        assert status.device == "Card" and status.compute_capability == (9, 0) and status.memory_bytes == 2**30


def test_the_runtime_of_cupy(monkeypatch, source):
    """That the production runtime hands CuPy what the emulated one gets, as far as that shows without a GPU."""
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    runtime = cuda.CupyRuntime()
    module = cuda.CudaModule(source, scalar="float")
    kind, code, options = module.compiled(runtime)
    assert kind == "compiled" and options == ("--std=c++17", "-Dscalar=float") and "__shfl_xor_sync" in code
    assert runtime.multiprocessors == 132
    kind, number = runtime.number(np.int32(-7))
    assert kind == "the memory of" and type(number) is np.ndarray and number.dtype == "int32" and number == -7
    x = FakeArray()
    with cuda.use_runtime(runtime), pytest.raises(ValueError, match="'x' is on GPU 1, the current one is 0"):
        module.get_function("scale")((1,), (1,), (x, x, 3, 1.0, None))


def test_a_second_gpu_that_is_too_old_is_named(monkeypatch, source):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(capability=(7, 5)))
    module = cuda.CudaModule(source, scalar="float")
    with (
        cuda.use_runtime(cuda.CupyRuntime()),
        pytest.raises(RuntimeError, match="GPU 0 cannot be used: Card has .* 7.5"),
    ):
        module.get_function("scale")((1,), (1,), (None, None, 3, 1.0, None))


def test_nothing_imports_cupy_unasked():
    code = "import sys, minidl.kernels, minidl.kernels.matmul.cuda_gpu; sys.exit('cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


@pytest.mark.skipif(gpu_status().available, reason="there is a GPU")
def test_a_required_gpu_that_is_missing_is_an_error_and_no_skip():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "test_launch"]
    root = Path(__file__).parents[2]
    for required, code, message in (("1", 4, "MINIDL_REQUIRE_GPU=1, but no GPU can be used: "), ("0", 0, "1 skipped")):
        environment = {**os.environ, "MINIDL_REQUIRE_GPU": required}
        result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == code and message in result.stdout + result.stderr
