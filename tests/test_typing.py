"""What editors and type checkers see of minidl: Tensor with its methods, and programs without a false alarm."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minidl
from minidl import Tensor
from minidl.checks.operations import TABLE
from minidl.functional.extremes import MinAndMax, ValuesAndIndices
from tests import tensor_methods
from tests.test_snippets import ROOT, snippets

CACHE = ROOT / "build" / "mypy"  # of what NumPy declares, and of all else that has not changed since the last run

PROGRAM = """
import minidl
import minidl.functional as F
from minidl import nn, optim

class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.shift = nn.Parameter(minidl.zeros(8))

    def forward(self, x: minidl.Tensor) -> minidl.Tensor:
        return self.hidden(x).relu() + self.shift

net = Net()
optimizer = optim.Adam(net.parameters(), lr=0.01)
x = minidl.cat([minidl.randn(2, 4), minidl.ones(1, 4)])
y = net(x)
loss = F.mse_loss(y, minidl.zeros_like(y)) + 0.1 * (net.shift.detach() - 1).abs().sum(axis=0)
loss.backward()
optimizer.step()
optimizer.zero_grad()
with minidl.no_grad():
    x += 1 - 2 * x @ x.T.exp().mean(1, keepdim=True)
values, places = x.topk(2)
sizes: tuple[int, ...] = values.clamp_(0, 1)[places > 0].shape
name: str = x.device
"""
MISTAKES = """
import minidl

x = minidl.randn(2, 4)
x.no_such_method()
x.sum("rows")
name: str = x.exp().shape
minidl.no_such_name
"""


def test_the_stub_is_up_to_date():
    assert tensor_methods.STUB.read_text() == tensor_methods.stub(), "type: python -m tests.tensor_methods"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # logarithms of what has none
def test_methods_give_what_the_stub_says():
    (methods,) = [node for node in ast.parse(tensor_methods.stub()).body if isinstance(node, ast.ClassDef)]
    says = {method.name: ast.unparse(method.returns) for method in methods.body}
    checked, several = set(), set()
    for operation in TABLE:
        if operation.call or operation.name not in says or getattr(Tensor, operation.name) is not operation.function:
            continue
        result = operation.run(operation.function, operation.variables(operation.arrays()))
        if says[operation.name] == "Any":
            several |= {operation.name} if not isinstance(result, Tensor) else set()
        else:
            assert says[operation.name] == _kind(result), operation
        checked.add(operation.name)
    assert len(checked) > 100 and several <= tensor_methods.SEVERAL


def _kind(result: object) -> str:
    if isinstance(result, (ValuesAndIndices, MinAndMax)):
        return type(result).__name__
    if isinstance(result, tuple):
        assert all(isinstance(part, Tensor) for part in result)
        return "builtins.tuple[Tensor, ...]"
    return "Tensor" if isinstance(result, Tensor) else f"builtins.{type(result).__name__}"


def test_programs_pass_a_type_checker(tmp_path: Path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    # as an installation lies on the disk; mypy does not see through that of a source tree
    source = Path(minidl.__file__).parent
    shutil.copytree(source, tmp_path / "minidl", ignore=shutil.ignore_patterns("__pycache__", "kernels"))
    (tmp_path / "minidl" / "kernels").symlink_to(Path(minidl.kernels.__file__).parent)
    (tmp_path / "tests").symlink_to(Path(__file__).parent)  # which a page tells its reader to import from
    programs = [snippet.text for snippet in snippets("python")] + [PROGRAM, MISTAKES]
    for i, program in enumerate(programs):
        (tmp_path / f"program_{i}.py").write_text(program)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "--cache-dir", str(CACHE)]
        + [f"program_{i}.py" for i in range(len(programs))],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    *alarms, total = run.stdout.splitlines()
    assert len(programs) > 3 and [alarm.partition(": ")[0] for alarm in alarms] == [
        f"program_{len(programs) - 1}.py:{line}" for line in (5, 6, 7, 8)
    ], run.stdout + run.stderr
