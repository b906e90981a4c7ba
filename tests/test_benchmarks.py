"""The benchmarks at tiny sizes: every suite runs, checks what it times, and writes, draws and tells what it measured.

No test here asks how long anything took, but one: the engine's own cost stays below 0.6 of PyTorch's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("threadpoolctl", reason="the benchmarks need threadpoolctl")
pytest.importorskip("matplotlib", reason="the benchmarks need matplotlib")
pytest.importorskip("minidl.kernels.cpu.peak", reason="the Cython kernels are not built")

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import architectures, busy, cases, engine, kernels, machine, sizes, table, training, turns, workers  # noqa: E402
from benchmarks.cases.case import Case  # noqa: E402
from benchmarks.steps import networks  # noqa: E402

WITH_TORCH = importlib.util.find_spec("torch") is not None
TORCH = ["torch-eager"] if WITH_TORCH else []
TINY = {
    "tiny CNN": networks._convolutional(2, (3, 10, 10), "conv 4 3, relu, pool, flatten, dense 10", "adam"),
    "tiny LSTM": {"kind": "recurrent", "batch": 2, "cell": "lstm", "hidden": 4},
}


def report(suite, rows):
    return {"suite": suite, "machine": machine.describe(1), "rows": rows}


@pytest.mark.skipif(not WITH_TORCH, reason="PyTorch is not installed")
def test_the_help_of_the_accuracies_in_pytorch_is_of_the_command_that_was_typed(monkeypatch, capsys):
    from benchmarks import torch_accuracy

    monkeypatch.setattr(sys, "argv", ["benchmarks/torch_accuracy.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        torch_accuracy.main()
    assert capsys.readouterr().out.startswith("usage: python -m benchmarks.torch_accuracy ")


# -- taking turns ------------------------------------------------------------------------------------------------------


def test_turns_alternate_and_the_medians_are_of_rounds():
    calls = []

    def turn(name, *values):
        values = iter(values)

        def run():
            calls.append(name)
            return next(values)

        return run

    ours = turn("ours", [1.0, 1.0, 9.0], [2.0], [3.0, 3.0])
    row = turns.compare(ours, {"a": turn("a", [4.0], [8.0], [6.0]), "numba": turn("numba", [0.1])}, 3, once={"numba"})
    assert calls == ["ours", "a", "numba", "a", "ours", "ours", "a"]
    assert row["ours_ms"] == 2.0 and row["ours_min_ms"] == 1.0 and row["ours_spread"] == 1.0
    assert row["peers_ms"] == {"a": 6.0, "numba": 0.1}
    assert row["ratios"]["a"] == {"median": 0.25, "min": 0.25, "max": 0.5, "of_shortest": 0.25}
    assert row["best_peer"] == "a" and row["ratio"] == 0.25  # Numba is ours: measured, but no rival


def test_without_peers_there_is_no_ratio():
    row = turns.compare(lambda: [1.0], {}, 2)
    assert row["best_peer"] is None and row["ratio"] is None
    assert "no peer" in turns.line({"name": "x", **row})


# -- training ----------------------------------------------------------------------------------------------------------


def test_training_step(tmp_path):
    rows = training.run([], TORCH, threads=1, rounds=2, seconds=0.01, networks=TINY)
    assert [row["name"] for row in rows] == list(TINY)
    for row in rows:
        assert row["ours_ms"] > 0 and set(row["peers_ms"]) == set(TORCH)
        assert row["cpu_while_waiting"]["minidl"] < 0.5
    assert "tiny CNN" in table.markdown(report("training", rows))


def test_an_architecture_is_the_same_program_in_both():
    rows = architectures.run(["MLP", "GRU"], TORCH, threads=1, rounds=1, seconds=0.01)
    assert [row["name"] for row in rows] == ["MLP N=128", "bidirectional GRU N=32"]
    for row in rows:
        first, *later = row["first_losses"]["minidl"]
        assert first > later[-1]
        for peer in TORCH:
            assert row["first_losses"][peer] == pytest.approx([first, *later], rel=1e-4)


def test_a_missing_peer_is_named(monkeypatch, capsys):
    monkeypatch.setitem(workers.FRAMEWORKS, "jax", ("no_such_module", "jax_steps.py", []))
    [row] = training.run(["CNN"], ["jax"], threads=1, rounds=1, seconds=0.01, networks=TINY)
    assert "no_such_module is not installed" in row["missing"]["jax"]
    assert "jax is missing" in capsys.readouterr().out


def test_a_peer_that_computes_something_else_is_an_error(monkeypatch):
    build = workers.Worker.build

    def wrong(worker, network):
        facts = build(worker, network)
        return {**facts, "losses": [1.05 * facts["losses"][0], *facts["losses"][1:]]} if worker.is_peer else facts

    with workers.started(["minidl"], 1) as (ours, _), workers.started(["minidl"], 1) as (theirs, _):
        ours["minidl"].is_peer, theirs["minidl"].is_peer = False, True
        monkeypatch.setattr(workers.Worker, "build", wrong)
        with pytest.raises(AssertionError, match="the first losses are .* with other"):
            started = {"minidl": ours["minidl"], "other": theirs["minidl"]}
            training.measure("tiny CNN", TINY["tiny CNN"], started, rounds=1, seconds=0.01)


def test_a_worker_that_is_killed_is_an_error():
    with workers.started(["minidl"], 1) as (started, missing):
        assert not missing
        os.kill(started["minidl"].process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended with status -9"):
            started["minidl"].build(TINY["tiny CNN"])


def test_workers_end_with_the_process_that_started_them():
    code = (
        "import sys\nfrom benchmarks import workers\n"
        "context = workers.started(['minidl'], 1)\n"
        "started, _ = context.__enter__()\n"
        "print(started['minidl'].process.pid, flush=True)\nsys.stdin.read()"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=machine.ROOT
    )
    pid = int(runner.stdout.readline())
    runner.kill()
    runner.communicate()
    deadline = time.monotonic() + 120
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("name", [name for name in networks.NETWORKS if "M4" not in name])  # whose weights are 95 MB
def test_both_layouts_hold_the_same_weights(name):
    network = networks.NETWORKS[name]
    first, last = networks.parameters(network), networks.channels_last_parameters(network)
    tables = 0  # embeddings, which are not turned
    if network["kind"] == "language":
        tables = 1 if "cell" in network else 2
    if "cell" in network:
        assert not first.pop(3 + tables).any()  # the second bias, which the others do not have
    for i, (w, v) in enumerate(zip(first, last, strict=True)):
        turned = w.transpose(2, 3, 1, 0) if w.ndim == 4 else w if i < tables else w.T
        assert v.shape == turned.shape
        np.testing.assert_array_equal(np.sort(w, axis=None), np.sort(v, axis=None))


def test_the_dense_layer_after_an_image_sees_the_same_pixels():
    network = TINY["tiny CNN"]
    w, v = networks.parameters(network)[2], networks.channels_last_parameters(network)[2]
    image = np.random.default_rng(0).standard_normal((4, 4, 4), dtype=np.float32)
    np.testing.assert_allclose(w @ image.ravel(), image.transpose(1, 2, 0).ravel() @ v, rtol=1e-5, atol=1e-6)


# -- kernels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["matmul TN 128", "conv2d M3.2 N=4 weight_grad", "rnn 32 forward+backward"])
def test_a_kernel(name, tmp_path):
    peers = [*TORCH, "openblas", "reference", "cython_naive"]
    [row] = kernels.run([name], peers, threads=1, rounds=2, seconds=0.001)
    assert row["name"] == name and row["gflops"] > 0 and 0 < row["percent_of_peak"] < 120
    assert row["operations_per_byte"] == pytest.approx(row["operations"] / row["bytes"])
    assert set(row["peers_ms"]) | set(row["missing"]) == {*peers, turns.ROOF}
    assert name in table.markdown(report("kernels", [row]))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in cases.CASES if "M4" not in name and "2048" not in name])
def test_every_case_is_right(name):
    """All that is timed gives the expected result: ours, PyTorch's in each layout, NumPy's."""
    peers = [peer for peer in kernels.PEERS if peer not in ("openblas-best", *turns.OWN)]
    case = cases.CASES[name]()
    kernels.measure(name, case, peers, rounds=1, seconds=0.0, openblas=None, absent="")


def test_a_wrong_kernel_is_an_error():
    right = np.ones(3)
    case = Case(1.0, 1.0, lambda: right, lambda: lambda: right, {"reference": lambda: lambda: right + 1e-3})
    with pytest.raises(AssertionError, match="reference is wrong, its error is 1.0e-03"):
        kernels.measure("x", case, ["reference"], 1, 0.0, None, "")


def test_a_kernel_that_turns_wrong_while_it_is_timed_is_an_error():
    calls = []

    def ours():
        calls.append(None)
        return np.ones(3) if len(calls) < 4 else np.zeros(3)

    case = Case(1.0, 1.0, lambda: np.ones(3), lambda: ours, {})
    with pytest.raises(AssertionError, match="ours is wrong"):
        kernels.measure("x", case, [], 3, 0.0, None, "")


def test_openblas_forced_to_its_best_kernels():
    if kernels.CORE_TYPES.get(kernels.minidl.kernels.cpu_info().chosen) is None:
        pytest.skip("OpenBLAS has one core type for this instruction set")
    [row] = kernels.run(["matmul batched 256"], ["openblas-best"], threads=1, rounds=1, seconds=0.001)
    assert set(row["peers_ms"]) == {"openblas-best", turns.ROOF}


# -- the other suites --------------------------------------------------------------------------------------------------


def test_sizes():
    tiny = {f"batch {n}": ("batch", n, {**TINY["tiny CNN"], "batch": n}) for n in (1, 4)}
    rows = sizes.run([], [], threads=1, rounds=1, seconds=0.01, sizes=tiny)
    assert [row["size"] for row in rows] == [1, 4]
    assert all(row["peak_bytes"]["minidl"] > 0 for row in rows)
    assert "batch 4" in table.markdown(report("sizes", rows))


def test_exponent_of_a_square():
    assert sizes.exponent([{"size": n, "ours_ms": 3.0 * n**2} for n in (1, 2, 4, 8)]) == pytest.approx(2)


def test_busy_processes_end(monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **named: started.append(popen(*a, **named)) or started[-1])
    [row] = busy.run(["M3 LeNet N=4"], [], threads=1, rounds=1, seconds=0.01)
    assert row["ours_ms"] > 0 and len(started) == row["other_processes"] + 1  # and our worker
    assert all(process.poll() is not None for process in started)


@pytest.mark.skipif(not WITH_TORCH, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", ["x + x", "x * x", "exp(x)"])
def test_the_engine_costs_at_most_six_tenths_of_pytorch(name):
    """The shortest of many turns: what another process takes from a turn only makes it longer."""
    ours, theirs = [], []
    for _ in range(20):
        [row] = engine.run([name], engine.PEERS, threads=1, rounds=3, seconds=0.02)
        ours.append(row["ours_min_ms"])
        theirs.append(row["peers_min_ms"]["torch-eager"])
        if len(ours) >= 2 and min(ours) <= 0.6 * min(theirs):
            return
    pytest.fail(f"{name}: {1e3 * min(ours):.2f} us, PyTorch {1e3 * min(theirs):.2f} us")


# -- the command line --------------------------------------------------------------------------------------------------


def run(*arguments):
    return command.parser().parse_args(arguments)


def test_json_picture_and_table(tmp_path, capsys):
    options = run("engine", "x + x", "--rounds", "1", "--seconds", "0", "--json", str(tmp_path / "a.json"))
    options.plot = str(tmp_path / "a.svg")
    assert options.run(options) == 0
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["suite"] == "engine" and written["rows"][0]["name"] == "x + x"
    assert {"commit", "cpu", "instruction_set", "build", "versions", "load_before"} <= set(written["machine"])
    assert "<svg" in (tmp_path / "a.svg").read_text()
    capsys.readouterr()
    options = run("table", str(tmp_path / "a.json"))
    options.run(options)
    assert "| x + x |" in capsys.readouterr().out


def test_a_page_is_filled(tmp_path):
    row = {"name": "M1", "ours_ms": 1.5, "peers_ms": {"jax": 3.0, "numba": 1.0}, "best_peer": "jax", "ratio": 0.5}
    (tmp_path / "a.json").write_text(json.dumps(report("training", [row])))
    page = "before\n<!-- table of a.json -->\nold\n<!-- end of table -->\nafter\n"
    filled = table.fill(page, tmp_path)
    assert "old" not in filled and "| M1 | **3.00** | 1.50 | 0.50 |" in filled
    assert filled.startswith("before\n<!-- table") and filled.endswith("<!-- end of table -->\nafter\n")
    assert table.fill(filled, tmp_path) == filled

    (tmp_path / "systems").mkdir()
    result = {"recipe": "r", "seed": 0, "epochs": 2, "seconds": 3.0, "measures": ["test_loss"], "test_loss": 0.25}
    (tmp_path / "systems" / "r-seed0.json").write_text(json.dumps({"commit": "c", "result": result}))
    page = "<!-- table of systems -->\n<!-- end of table -->\n"
    assert "\n| r | test loss | 0.2500 | - | 0 | 2 | 3 | c |\n" in table.fill(page, tmp_path)


def test_the_pages_tell_what_was_measured():
    pages = [machine.ROOT / "README.md", *(machine.ROOT / "benchmarks").rglob("*.md")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert table.fill(text, machine.ROOT) == text, f"type: python -m benchmarks table {page.name}"


def test_all_goes_on_after_a_failure(tmp_path, capfd):
    options = run("all", str(tmp_path / "results"), "--quick")
    suites = {"bad": ["engine", "nonsense", "--peers", ""], "good": ["engine", "x + x", "--peers", ""]}
    assert command.measure_all(options, suites) == 1
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["good.json", "good.png"]
    assert "failed: bad" in capfd.readouterr().err


@pytest.mark.parametrize("suite", ["kernels", "sizes", "training"])
def test_pictures(suite, tmp_path):
    row = {
        "name": "conv2d x", "threads": 1, "ours_ms": 1.0, "peers_ms": {"torch-eager": 2.0}, "best_peer": "torch-eager",
        "ratio": 0.5, "operations": 1e6, "gflops": 1.0, "operations_per_byte": 2.0, "peak_gflops": 10.0,
        "bandwidth_gb_per_s": 5.0, "series": "batch", "peak_bytes": {"minidl": 1e6, "torch-eager": 2e6},
    }  # fmt: skip
    command.plot.draw(report(suite, [{**row, "size": 1}, {**row, "size": 2}]), str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").stat().st_size > 5000


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["training", "--peers", "tourch"], "no peer is called tourch; there are: torch-eager"),
        (["engine", "nonsense"], "no operation is called nonsense"),
        (["kernels", "nonsense"], "no kernel is called nonsense"),
    ],
)
def test_wrong_names(arguments, message, capsys):
    options = run(*arguments)
    with pytest.raises(SystemExit):
        options.run(options)
    assert message in capsys.readouterr().err
