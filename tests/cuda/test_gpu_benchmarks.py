"""The benchmarks of the CUDA kernels, as far as they go without a GPU: small shapes, emulated, NumPy as the peer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu as benchmark
from minidl.kernels import conv2d, cuda
from tests.cuda_emulator import emulated_gpu

pytestmark = pytest.mark.cuda
ROOT = Path(__file__).parents[2]


class SmallDevice:
    """Stands in for a GPU; its peer is the reference, and wrong on demand."""

    xp, about = np, {"device": "emulated", "peak_gflops": 100.0, "peak_gbytes_per_second": 1.0}

    def __init__(self, wrong=1.0):
        self.wrong = wrong

    def milliseconds(self, run):
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start)

    def peers(self, case, arrays):
        if case.reference == "matmul":
            return {"cublas": lambda: self.wrong * (arrays[0] @ arrays[1])}
        if case.in_torch:
            torch = pytest.importorskip("torch")
            tensors = [torch.from_numpy(x) for x in arrays]
            return {"torch": lambda: self.wrong * case.in_torch(torch, *tensors).numpy()}
        operation = case.reference.removeprefix("conv2d-")
        from minidl.kernels.conv2d import reference

        size = {"forward": None, "input_grad": arrays[0].shape[2:], "weight_grad": (3, 3)}[operation]
        geometry = ((1, 1), (1, 1), (1, 1), 1)
        return {"cudnn": lambda: self.wrong * getattr(reference, operation)(*arrays, size, *geometry)}


SMALL = [*benchmark.matmul_cases((32,)), *benchmark.conv2d_cases(1, ((4, 6),))]
MEMORY = benchmark.memory_cases((3, 5), (2, 3, 4, 6))


def test_every_case_is_measured_and_checked(tmp_path):
    with emulated_gpu(check=False) as runtime:
        rows = benchmark.run(SMALL, SmallDevice(), rounds=2)
    assert [row["name"] for row in rows] == [case.name for case in SMALL]
    for row in rows:
        assert (
            row["best_peer"] in row["peers_ms"] and row["ratio"] == row["ours_ms"] / row["peers_ms"][row["best_peer"]]
        )
        assert row["gflops"] > 0
        assert row["percent_of_peak"] == (None if "-tf32-" in row["name"] else pytest.approx(row["gflops"]))
    ladder = ("naive", "tiled", "registers", "async", "tf32")
    assert {f"matmul_{step}" for step in ladder} <= set(runtime.launches)
    assert not runtime.launches["transpose_images"], "the time of a change of memory order is none of the convolution's"
    report = {"machine": {"peak_gflops": 100.0}, "rows": rows}
    json.dumps(report)
    benchmark.plot_ladder(report, tmp_path / "ladder.png")
    assert (tmp_path / "ladder.png").stat().st_size > 1000


def test_kernels_bound_by_memory_are_measured_in_bytes():
    with emulated_gpu(check=False) as runtime:
        rows = benchmark.run(MEMORY, SmallDevice(), rounds=1)
    assert [row["name"] for row in rows] == [case.name for case in MEMORY]
    assert all(row["best_peer"] == "torch" and row["gflops"] == 0 for row in rows)
    assert rows[0]["gbytes_per_second"] == pytest.approx(4 * 2 * 15 / rows[0]["ours_ms"] / 1e6)
    assert runtime.launches["transpose_images"] == 4, "two checks, a round, the size: of that kernel alone"


def test_a_wrong_result_ends_the_benchmark():
    pytest.importorskip("torch")
    with emulated_gpu(check=False):
        for case in (*SMALL, *MEMORY):
            with pytest.raises(ValueError, match=f"{case.name}: ours and .* differ by"):
                benchmark.run([case], SmallDevice(wrong=1.01), rounds=1)


def test_a_case_that_fails_ends_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "matmul_cases", lambda: SMALL[:1])
    monkeypatch.setattr(benchmark, "conv2d_cases", lambda: SMALL[-1:])
    monkeypatch.setattr(benchmark, "memory_cases", lambda: [])
    device, path = SmallDevice(), tmp_path / "gpu.json"
    monkeypatch.setattr(device, "peers", lambda case, arrays: {} if case is SMALL[-1] else 1 / 0)
    with emulated_gpu(check=False):
        assert benchmark.main(["--rounds", "1", "--json", str(path)], device) == 1
    report = json.loads(path.read_text())
    assert [row["name"] for row in report["rows"]] == [SMALL[-1].name]
    assert report["failed"] == {SMALL[0].name: "ZeroDivisionError: division by zero"}


def test_tf32_is_no_peer_of_float32():
    device = SmallDevice()
    device.peers = lambda case, arrays: {"cudnn": lambda: case.run(*arrays), "cudnn-tf32": lambda: case.run(*arrays)}
    times = iter([3.0, 2.0, 1.0])
    device.milliseconds = lambda run: next(times)
    with emulated_gpu(check=False):
        (row,) = benchmark.run(SMALL[-1:], device, rounds=1)
    assert row["best_peer"] == "cudnn" and row["ratio"] == 1.5 and row["peers_ms"]["cudnn-tf32"] == 1.0


def test_the_operations_are_counted_right():
    """Against the products that the formulas name: one multiplication and one addition each."""
    m, k, n = 32, 32, 32
    assert SMALL[0].flops == 2 * m * k * n
    (case,) = [case for case in SMALL if case.name == "conv2d-forward-4x6"]
    y = conv2d.forward(*(np.ones(shape) for shape in case.shapes), padding=1)
    assert case.flops == 2 * y.size * 9 * 4


def test_unknown_names_and_a_missing_gpu_are_told(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["nothing-like-it"])
    assert "no case has nothing-like-it in its name: matmul-naive-1024" in capsys.readouterr().err
    if not cuda.gpu_status().available:
        for words in (["matmul"], ["--training", "M1"]):
            with pytest.raises(SystemExit, match="no GPU can be used: "):
                benchmark.main(words)


def test_training_steps_are_those_of_the_other_benchmark(tmp_path):
    path = tmp_path / "steps.json"
    assert benchmark.main(["--training", "N=4", "--rounds", "1", "--json", str(path)], SmallDevice()) == 0
    [row] = json.loads(path.read_text())["rows"]
    assert row["name"].startswith("M3") and row["ours_ms"] > 0
    assert "torch-eager" in row["peers_ms"] or "torch-eager" in row["missing"]


def test_training_steps_are_written_as_they_come(tmp_path, monkeypatch):
    def two_networks(*_):
        yield {"name": "first"}
        raise TimeoutError

    monkeypatch.setattr(benchmark.training, "rows", two_networks)
    path = tmp_path / "steps.json"
    with pytest.raises(TimeoutError):
        benchmark.main(["--training", "--json", str(path)], SmallDevice())
    assert json.loads(path.read_text())["rows"] == [{"name": "first"}]


STEP_WITHOUT_EXTENSIONS = """
import sys
sys.path[:0] = [".", "benchmarks/steps"]
import minidl_torch_steps, networks
from minidl.kernels import build_report
from tests.cuda_emulator import emulated_gpu
assert build_report.extension_status("minidl.kernels.matmul.cython_cpu").state == "unbuilt"
with emulated_gpu(check=False):
    step = minidl_torch_steps.build(networks.NETWORKS["M3 LeNet N=4"])
    first = step()
    assert step() < first
"""


def test_training_steps_need_no_extension(tmp_path):
    """On a GPU they are measured before anything is built, in a copy without extensions for that Python."""
    for folder in ("minidl", "kernels", "tests", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.so", "kernels"))
    shutil.copy(ROOT / "setup.py", tmp_path)
    (tmp_path / "minidl" / "kernels").symlink_to("../kernels")
    subprocess.run([sys.executable, "-c", STEP_WITHOUT_EXTENSIONS, "1", "minidl"], cwd=tmp_path, check=True)


# Stands in for Python in on_gpu.sh: writes its arguments down, one a line, and can import neither CuPy nor PyTorch.
FAKE_PYTHON = """#!/bin/sh
printf '%s\\n' -- "$@" >>"$CALLS"
case "$2" in *"assert int(cupy"* | "import torch"*) exit 1 ;; esac
"""


@pytest.fixture
def on_gpu(tmp_path):
    """Run on_gpu.sh in a repository of empty folders, with a Python in a folder whose name has a space."""
    for folder in ("minidl", "kernels", "tests", "benchmarks", "an env/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / file).touch()
    script = shutil.copy(ROOT / "benchmarks" / "on_gpu.sh", tmp_path / "benchmarks")
    python = tmp_path / "an env" / "bin" / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)

    def run(chosen, *arguments):
        environment = os.environ | {"PYTHON": chosen, "CALLS": str(tmp_path / "calls")}
        done = subprocess.run([script, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done, (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []

    return run


@pytest.mark.skipif(shutil.which("timeout") is None, reason="on_gpu.sh needs the program timeout")
def test_on_gpu_runs_each_part_and_installs_no_version_that_is_too_old(on_gpu, tmp_path):
    done, calls = on_gpu("an env/bin/python")  # relative, though the script changes the folder
    parts = ("packages", "matmul", "conv2d", "memory", "training", "build", "tests")
    for said in (done.stdout, (tmp_path / "benchmarks" / "results" / "gpu.log").read_text()):
        assert [line.split(" after")[0] for line in said.splitlines() if line.startswith("== ")] == [
            f"== {part}: status 0" for part in parts
        ]
    assert done.returncode == 0 and done.stderr == ""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    bounds = {*project["build-system"]["requires"], *project["project"]["dependencies"], *extras["cuda"]}
    assert bounds <= set(calls)
    installed = {argument for argument in calls if ">=" in argument and " " not in argument}
    assert installed <= bounds | {bound for extra in extras.values() for bound in extra}
    # A bound that the shell takes for a redirection makes a file "=77".
    assert sorted(path.name for path in (tmp_path / "build" / "gpu").iterdir()) == sorted(
        ["minidl", "kernels", "tests", "benchmarks", "setup.py", "pyproject.toml", "README.md", "LICENSE"]
    )


def test_on_gpu_goes_on_after_parts_that_fail(on_gpu, tmp_path):
    with (tmp_path / "an env" / "bin" / "python").open("a") as python:
        python.write('case "$*" in *matmul* | *setup.py*) echo "what went wrong" >&2; exit 3 ;; esac\n')
    done, calls = on_gpu("an env/bin/python")
    said = done.stdout.splitlines()
    assert [line.split()[3] for line in said if line.startswith("== ")] == ["0", "3", "0", "0", "0", "3", "0"]
    assert said.count("what went wrong") == 2 and done.returncode == 2


@pytest.mark.parametrize(("driver", "cupy"), [("12.8", "12"), ("13.0", "13")])
def test_without_pytorch_the_driver_says_which_cupy(on_gpu, tmp_path, monkeypatch, driver, cupy):
    """CuPy for CUDA 13 finds no GPU with a driver for CUDA 12."""
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(f"#!/bin/sh\necho '| NVIDIA-SMI 512.1   Driver Version: 512.1   CUDA Version: {driver}   |'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")
    _, calls = on_gpu("an env/bin/python", "a folder", "packages")
    assert f"cupy-cuda{cupy}x[ctk]>=14" in calls


@pytest.mark.skipif(shutil.which("timeout") is None, reason="on_gpu.sh needs the program timeout")
def test_on_gpu_runs_only_the_parts_that_are_named(on_gpu):
    done, calls = on_gpu("an env/bin/python", "a folder", "build", "tests")
    said = [line.split(" after")[0] for line in done.stdout.splitlines() if line.startswith("== ")]
    assert said == ["== build: status 0", "== tests: status 0"] and done.returncode == 0 and done.stderr == ""
    assert "setup.py" in calls and "pytest" in calls and "benchmarks.gpu" not in calls
    done, _ = on_gpu("an env/bin/python", "a folder", "test")
    assert done.returncode == 99 and "there is no part test, only packages matmul" in done.stderr


def test_on_gpu_without_python_says_so(on_gpu):
    done, calls = on_gpu("no-such-python")
    assert done.returncode == 99 and "there is no program no-such-python" in done.stderr and not calls


@pytest.mark.gpu
def test_on_a_gpu(tmp_path):
    path = tmp_path / "gpu.json"
    assert benchmark.main(["1024", "64x56", "--rounds", "2", "--json", str(path)]) == 0
    assert all(row["ours_ms"] > 0 for row in json.loads(path.read_text())["rows"])


def test_every_test_for_a_gpu_is_in_the_folder_that_make_gpu_runs():
    tests = ROOT / "tests"
    assert "pytest.mark.gpu" in (tests / "cuda" / "conftest.py").read_text()
    elsewhere = [
        path for path in tests.rglob("*.py") if path.parent != tests / "cuda" and "mark.gpu" in path.read_text()
    ]
    assert elsewhere == []
