"""The node tests that ONNX publishes, run on minidl through the table of tests/conformance/onnx_operators.py.

Every model whose operators are all in the table is run, those that ONNX composes of others ("expanded") too. A case
must pass, be refused by the table with a reason, or stand in onnx_exceptions.txt with one.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Tensor
from tests.conformance.onnx_node import NotApplicable
from tests.conformance.onnx_operators import OPERATORS

EXCEPTIONS = Path(__file__).with_name("onnx_exceptions.txt")


def run(model: Any, arrays: list[Any]) -> list[np.ndarray]:
    from onnx import numpy_helper
    from onnx.helper import get_attribute_value

    graph = model.graph
    known = {part.name: Tensor(numpy_helper.to_array(part)) for part in graph.initializer}
    for place, array in zip((part for part in graph.input if part.name not in known), arrays):
        known[place.name] = None if array is None else Tensor(array)
    known[""] = None
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
            raise NotApplicable(f"minidl has no {node.op_type}")
        attributes = {part.name: get_attribute_value(part) for part in node.attribute}
        if node.op_type == "Split":
            attributes["outputs"] = len(node.output)
        results = OPERATORS[node.op_type](*(known[name] for name in node.input), **attributes)
        results = results if isinstance(results, tuple) else (results,)
        known.update({name: y for name, y in zip(node.output, results) if name})
    missing = [part.name for part in graph.output if part.name not in known]
    if missing:
        raise NotApplicable(f"the output {missing[0]}")
    return [known[part.name].numpy() for part in graph.output]


def exceptions() -> dict[str, str]:
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def outcome(case: Any) -> str:
    """ "passed", "not applicable: ..." or "failed: ..."."""
    plain = all(
        isinstance(x, np.ndarray) and x.dtype.name in ("float32", "float64", "int32", "int64", "bool", "uint8", "int8")
        for inputs, expected in case.data_sets
        for x in [*inputs, *expected]
    )
    if not plain:
        return "not applicable: other types than arrays of float32, float64, integers and booleans"
    try:
        for inputs, expected in case.data_sets:
            got = run(case.model, inputs)
            for y, value in zip(got, expected, strict=True):
                assert y.dtype == value.dtype, f"dtype {y.dtype} instead of {value.dtype}"
                assert y.shape == value.shape, f"shape {y.shape} instead of {value.shape}"
                np.testing.assert_allclose(y, value, rtol=case.rtol, atol=case.atol)
    except NotApplicable as reason:
        return f"not applicable: {reason}"
    except Exception as error:
        return f"failed: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return "passed"


def test_the_node_tests_of_onnx(conformance: dict[str, Counter]):
    pytest.importorskip("onnx")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        outcomes = {case.name: outcome(case) for case in load_model_tests(kind="node")}
    excused = exceptions()
    for name, reason in excused.items():
        if outcomes.get(name, "").startswith("failed"):
            outcomes[name] = f"not applicable: {reason}"
        elif name in outcomes:
            outcomes[name] = "failed: passes, so take it off the list of exceptions"
    conformance["ONNX's node tests"] = Counter(text.partition(":")[0] for text in outcomes.values())
    failed = [f"{name}: {text}" for name, text in outcomes.items() if text.startswith("failed")]
    assert not failed, f"{len(failed)} failed\n" + "\n".join(failed)
