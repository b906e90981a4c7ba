"""PyTorch's own operator database (OpInfo): its sample inputs, valid and invalid, given to minidl's operations.

Values, gradients, shapes and dtypes must be PyTorch's; what PyTorch refuses must be refused. A sample is not applicable
where its arguments are none of minidl's (the signature says so), or where opinfo_exceptions.txt gives the reason for
the operation.
"""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import sys
import types
import unittest
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidl.functional as F
from minidl import Tensor

OTHERS = {"unfold"}  # of Tensor, another function than that of torch.nn.functional
EXCEPTIONS = Path(__file__).with_name("opinfo_exceptions.txt")


class NotApplicable(Exception):
    """The sample asks for something that minidl does not have."""


def operations() -> dict[str, Any]:
    """Every operation of minidl under PyTorch's name for it."""
    names = set()
    for module in pkgutil.iter_modules(F.__path__):
        if module.name not in ("creation", "random_tensors"):
            names |= set(getattr(importlib.import_module(f"minidl.functional.{module.name}"), "__all__", ()))
    known = {name: getattr(F, name) for name in names}
    return known | {
        "__getitem__": F.index,
        "__radd__": lambda x, y: y + x,
        "__rdiv__": lambda x, y: y / x,
        "__rmatmul__": lambda x, y: F.matmul(y, x),
        "__rmod__": lambda x, y: y % x,
        "__rmul__": lambda x, y: y * x,
        "__rpow__": lambda x, y: y**x,
        "__rsub__": lambda x, y: y - x,
        "true_divide": F.div,
        "einsum": lambda operands, equation: F.einsum(equation, operands),
        "where": lambda x, condition, other: F.where(condition, x, other),
        "embedding": lambda weight, indices, padding_idx=None: F.embedding(indices, weight, padding_idx),
        "embedding_bag": lambda weight, indices, offsets=None, mode="mean": F.embedding_bag(
            indices, weight, offsets, mode
        ),
        "dropout": without_chance("dropout"),
        "dropout1d": without_chance("dropout1d"),
        "dropout2d": without_chance("dropout2d"),
        "scaled_dot_product_attention": without_chance("scaled_dot_product_attention"),
        "linalg.vector_norm": lambda x, ord=2, dim=None, keepdim=False: F.norm(x, ord, dim, keepdim),
        "split_with_sizes": F.split,
        "clone": lambda x: x.clone(),
        "T": lambda x: x.T,
        "mT": lambda x: x.mT,
        "item": lambda x: x.item(),
    }


def without_chance(name: str) -> Any:
    """The operation where no random number decides; two libraries never draw the same."""

    def call(*arguments: Any, **options: Any) -> Any:
        signature = inspect.signature(getattr(F, name)).bind(*arguments, **options)
        signature.apply_defaults()
        p = signature.arguments["dropout_p" if "dropout_p" in signature.arguments else "p"]
        if signature.arguments.get("training", True) and 0 < p < 1:
            raise NotApplicable("random numbers")
        return getattr(F, name)(*arguments, **options)

    return call


def database() -> Any:
    """PyTorch's list of operations; its module wants expecttest, of which nothing is used here."""
    if importlib.util.find_spec("expecttest") is None:
        sys.modules["expecttest"] = types.ModuleType("expecttest")
        sys.modules["expecttest"].TestCase = unittest.TestCase
    from torch.testing._internal import common_utils

    common_utils.extract_test_fn = lambda: None  # it would search the stack, with all its sources, for a unittest
    from torch.testing._internal.common_methods_invocations import op_db  # only now: it takes the function by its name

    return op_db


def converted(value: Any, torch: Any, requires_grad: bool) -> Any:
    if isinstance(value, torch.Tensor):
        if value.dtype in (torch.float16, torch.bfloat16) or value.is_complex() or value.layout != torch.strided:
            raise NotApplicable("other dtypes and sparse tensors")
        array = value.detach().numpy()
        return Tensor(array, requires_grad=requires_grad and value.requires_grad)
    if isinstance(value, (torch.dtype, torch.device, torch.memory_format, torch.layout, torch.Generator)):
        raise NotApplicable(f"a {type(value).__name__} as argument")
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, torch, requires_grad) for item in value)
    if isinstance(value, complex):
        raise NotApplicable("complex numbers")
    return value


def tensors(value: Any, kind: type) -> list[Any]:
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        return tensors(list(value.values()), kind)
    return [x for item in value for x in tensors(item, kind)] if isinstance(value, (list, tuple)) else []


def call(function: Any, sample: Any, torch: Any) -> tuple[Any, list[Tensor]]:
    """minidl's result, and its inputs in the order of PyTorch's."""
    arguments = [converted(part, torch, True) for part in (sample.input, *sample.args)]
    options = {name: converted(part, torch, True) for name, part in sample.kwargs.items()}
    try:
        inspect.signature(function).bind(*arguments, **options)
    except TypeError as error:
        raise NotApplicable(f"arguments: {error}") from None
    return function(*arguments, **options), tensors([arguments, options], Tensor)


def check(op: Any, function: Any, sample: Any, torch: Any) -> None:
    result, inputs = call(function, sample, torch)
    expected = op.op(sample.input, *sample.args, **sample.kwargs)
    if not isinstance(expected, (torch.Tensor, list, tuple)):
        assert result == expected
        return
    got, expected = tensors(result, Tensor), tensors(expected, torch.Tensor)
    assert len(got) == len(expected), f"{len(got)} results instead of {len(expected)}"
    for y, value in zip(got, expected):
        same(y.data, value.detach().numpy(), "value")
    pairs = [(y, value) for y, value in zip(got, expected) if value.requires_grad]
    others = tensors([sample.input, sample.args, sample.kwargs], torch.Tensor)
    checked = [(x, other) for x, other in zip(inputs, others) if other.requires_grad and other.is_leaf]
    if not pairs or not checked:
        return
    random = np.random.default_rng(0)
    v = [np.asarray(random.standard_normal(y.shape), y.dtype) for y, _ in pairs]
    import minidl

    recorded = [(y, dy) for (y, _), dy in zip(pairs, v) if y.requires_grad]
    assert recorded, "nothing was recorded"
    dx = minidl.grad([y for y, _ in recorded], [x for x, _ in checked], [dy for _, dy in recorded], allow_unused=True)
    theirs = torch.autograd.grad(
        [value for _, value in pairs],
        [other for _, other in checked],
        [torch.from_numpy(dy) for dy in v],
        allow_unused=True,
    )
    for number, (mine, other) in enumerate(zip(dx, theirs)):
        if other is None or mine is None:
            left = [part for part in (mine, other) if part is not None]
            assert not any(np.any(part.numpy()) for part in left), f"gradient {number} is there on one side only"
        else:
            same(mine.data, other.numpy(), f"gradient {number}")


def same(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert got.shape == expected.shape, f"{what}: shape {got.shape} instead of {expected.shape}"
    assert got.dtype == expected.dtype, f"{what}: dtype {got.dtype} instead of {expected.dtype}"
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7, err_msg=what)


def samples(op: Any, torch: Any) -> Any:
    """In float64, or where the operation takes no such numbers in integers or booleans."""
    dtype = next((dtype for dtype in (torch.float64, torch.int64, torch.bool) if dtype in op.dtypes), None)
    if dtype is None:  # complex numbers, or no implementation on a CPU
        return []
    return op.sample_inputs("cpu", dtype, requires_grad=op.supports_autograd and dtype.is_floating_point)


def outcome(op: Any, function: Any, sample: Any, torch: Any) -> str:
    try:
        check(op, function, sample, torch)
    except NotApplicable as reason:
        return f"not applicable: {reason}"
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return f"failed: {type(error).__name__}: {' '.join(lines[:8])[:200]}"
    return "passed"


def refusal(function: Any, sample: Any, torch: Any) -> str:
    """The outcome of a call that PyTorch refuses."""
    try:
        if any(isinstance(part, (int, float)) for part in (sample.input, *sample.args[:1])) and not sample.kwargs:
            raise NotApplicable("a number where PyTorch wants a tensor")
        call(function, sample, torch)
    except NotApplicable as reason:
        return f"not applicable: {reason}"
    except (ValueError, TypeError, IndexError):
        return "passed"
    except Exception as error:
        return f"failed: {type(error).__name__} instead of ValueError, TypeError or IndexError: {error}"
    return "failed: PyTorch refuses this, minidl does not"


def exceptions() -> dict[str, str]:
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def test_the_operator_database_of_pytorch(conformance: dict[str, Counter], monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    # which every sample calls; for each kind of device that is not there, PyTorch's own formats the stack
    monkeypatch.setattr(torch, "manual_seed", torch.default_generator.manual_seed)
    counts, failed, excused, known = Counter(), [], exceptions(), operations()
    used = set()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for op in database():
            name = op.name.removeprefix("nn.functional.")
            label = f"{name}/{op.variant_test_name}" if op.variant_test_name else name
            if name not in known or op.name in OTHERS:
                counts["not applicable"] += 1  # an operation that minidl does not have
                continue
            outcomes = [
                (f"{label} sample {i}", outcome(op, known[name], sample, torch))
                for i, sample in enumerate(samples(op, torch))
            ]
            if op.error_inputs_func is not None:
                outcomes += [
                    (f"{label} refusal {i}", refusal(known[name], wrong.sample_input, torch))
                    for i, wrong in enumerate(op.error_inputs("cpu"))
                ]
            for where, text in outcomes:
                if text.startswith("failed") and (reason := next((r for r in (where, label) if r in excused), None)):
                    used.add(reason)
                    text = "not applicable"
                counts[text.partition(":")[0]] += 1
                if text.startswith("failed"):
                    failed.append(f"{where}: {text}")
    conformance["PyTorch's operator database"] = counts
    assert not failed, f"{len(failed)} failed\n" + "\n".join(failed)
    assert set(excused) == used, f"no longer needed: {set(excused) - used}"
