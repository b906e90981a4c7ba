import subprocess
import sys
import threading

import numpy as np
import pytest

from minidl import kernels
from minidl.kernels import build_report, registry


@pytest.fixture
def kernel_with_two(monkeypatch):
    """A kernel `double` of one argument, and a way to say which backends can serve it."""
    modules = {}

    def _load(package, backend):
        found = modules.get(backend, "not there")
        return (None, found) if isinstance(found, str) else (found, "")

    _load.cache_clear = lambda: None
    monkeypatch.setattr(registry, "_load", _load)
    monkeypatch.setattr(registry, "_caches", list(registry._caches))
    monkeypatch.setattr(registry, "_kernels", dict(registry._kernels))

    def double(x):
        """Return 2 * x."""
        if x.ndim == 0:
            raise ValueError("x must not be 0-d")
        return (x,)

    return registry.kernel(double), modules


class Module:
    def __init__(self, name, dtypes=None):
        self.double = lambda x: name
        if dtypes is not None:
            self.DTYPES = dtypes


def test_order_dtype_and_strict(kernel_with_two):
    double, modules = kernel_with_two
    modules |= {"cython": Module("cython", ("float32",)), "reference": Module("reference")}
    x = np.ones(2, np.float32)
    assert double(x) == "cython"
    assert double(x.astype(int)) == "reference"
    assert double(x.astype(">f4")) == "reference", "foreign byte order is not for compiled code"
    with kernels.use_backend("reference"):
        assert double(x) == "reference"
        with kernels.use_backend("numba"):
            assert double(x) == "cython", "not there: the next in order"
        with kernels.use_backend("numba", strict=True), pytest.raises(RuntimeError, match="numba: not there"):
            double(x)
        with (
            kernels.use_backend("cython", strict=True),
            pytest.raises(RuntimeError, match="int64 is not among float32"),
        ):
            double(x.astype(int))
        with kernels.use_backend("cuda", strict=True), pytest.raises(RuntimeError, match="runs on cuda arrays"):
            double(x)
        assert double(x) == "reference"
    assert double(x) == "cython"


def test_a_simulation_is_asked_anew(kernel_with_two):
    double, modules = kernel_with_two
    modules["reference"] = Module("reference")
    x = np.ones(2)
    with registry.simulate_device("cuda"):
        assert double(x) == "reference"
    modules["cuda"] = Module("cuda")
    with registry.simulate_device("cuda"):
        assert double(x) == "cuda"
    assert double(x) == "reference"


def test_the_contract_checks_first_and_documents(kernel_with_two):
    double, modules = kernel_with_two
    modules["reference"] = Module("reference")
    assert double.__name__ == "double" and double.__doc__ == "Return 2 * x."
    with pytest.raises(ValueError, match="0-d"):
        double(np.ones(()))


def test_the_choice_is_of_the_thread():
    seen = []
    with kernels.use_backend("reference"):
        thread = threading.Thread(target=lambda: seen.append(kernels.current_backend()))
        thread.start()
        thread.join()
        assert kernels.current_backend() == "reference"
    assert seen == ["auto"]


def test_unknown_backend():
    with pytest.raises(ValueError, match="backend: unknown backend 'cudnn'; expected one of auto, reference"):
        with kernels.use_backend("cudnn"):
            pass


def run_python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize(
    "variable, value, words",
    [
        ("MINIDL_BACKEND", "cudnn", "MINIDL_BACKEND: unknown backend 'cudnn'"),
        ("MINIDL_ISA", "mmx", "MINIDL_ISA: 'mmx' is not one of the instruction sets here"),
        ("MINIDL_NUM_THREADS", "many", "MINIDL_NUM_THREADS must be an integer between 1 and 64, got 'many'"),
        ("MINIDL_NUM_THREADS", "0", "MINIDL_NUM_THREADS must be an integer between 1 and 64, got '0'"),
    ],
)
def test_environment_is_validated(variable, value, words):
    result = run_python(
        "import numpy as np; from minidl import kernels; kernels.matmul.forward(np.eye(2), np.eye(2))",
        **{variable: value},
    )
    assert result.returncode == 1 and f"ValueError: {words}" in result.stderr, result.stderr


def test_environment_chooses_the_first_backend():
    result = run_python("from minidl import kernels; print(kernels.current_backend())", MINIDL_BACKEND="reference")
    assert result.stdout == "reference\n", result.stderr


def test_importing_kernels_loads_no_implementation():
    loaded = "[m for m in sys.modules if m.startswith('minidl.kernels') and m.endswith(('_cpu', '_gpu', 'reference'))]"
    result = run_python(f"import sys; import minidl.kernels; print({loaded}, 'cupy' in sys.modules)")
    assert result.stdout == "[] False\n", result.stdout + result.stderr


def test_table_has_a_reference_for_every_kernel():
    rows = {(row.kernel, row.backend): row for row in kernels.table()}
    for name in ("matmul", "conv2d", "pool2d", "channel_sums"):
        assert rows[name, "reference"].available
    for row in rows.values():
        assert row.available == (row.reason == "")


def test_numba_without_a_folder_to_write_to_cannot_serve():
    pytest.importorskip("numba")
    code = "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []; from minidl import kernels; "
    result = run_python(code + "print({row.reason for row in kernels.table() if row.backend == 'numba'})")
    reason = "Numba found no writable folder for its cache; set NUMBA_CACHE_DIR to one"
    assert result.stdout == f"{{'{reason}'}}\n", result.stderr


def test_table_tells_why_an_extension_cannot_serve(monkeypatch):
    registry._load.cache_clear()
    monkeypatch.setattr(build_report, "unavailable", lambda module: "there was no compiler")
    try:
        rows = {row.backend: row for row in kernels.table() if row.kernel == "matmul"}
        assert (rows["cython"].available, rows["cython"].reason) == (False, "there was no compiler")
    finally:
        registry._load.cache_clear()


def test_an_unbuilt_extension_is_an_error_and_not_a_silent_fallback(monkeypatch):
    def unavailable(module):
        raise build_report.BuildError(f"{module} is not built; type: make build")

    registry._load.cache_clear()
    monkeypatch.setattr(build_report, "unavailable", unavailable)
    try:
        x = np.ones((2, 2), np.float16)  # a dtype that no other test asks for: its choice is not remembered yet
        with pytest.raises(build_report.BuildError, match="make build"):
            kernels.matmul.forward(x, x)
        rows = {row.backend: row for row in kernels.table() if row.kernel == "matmul"}
        assert "make build" in rows["cython"].reason and rows["reference"].available
    finally:
        registry._load.cache_clear()


def test_scalars_of_numpy_are_served_by_the_reference():
    """What arrays with no axes become in a computation."""
    scalar = np.ones(()) * 0.5
    assert kernels.array_module(scalar) is np and kernels.device_of(scalar) == "other"
    assert kernels.activations.sigmoid_forward(scalar) == kernels.activations.sigmoid_forward(np.array(0.5))


def test_a_subclass_is_an_array_and_a_list_is_not():
    class Mine(np.ndarray):
        pass

    x = np.eye(2).view(Mine)
    np.testing.assert_array_equal(kernels.matmul.forward(x, np.eye(2)), np.eye(2))
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        kernels.array_module([1])


def test_channels_last():
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    y = kernels.channels_last(x)
    np.testing.assert_array_equal(y, x)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert kernels.channels_last(y) is y
    single = np.ones((2, 1, 4, 5))
    assert kernels.channels_last(single) is single, "with one channel the two orders are one"
