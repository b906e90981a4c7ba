"""minidl beside PyTorch: values, gradients, shapes and dtypes, for random arguments and at the edges of numbers.

Each strategy below draws a way to call one operation: shapes (with sizes 0 and 1 among them), arguments and numbers,
some of them whole, so that there are ties. Where PyTorch refuses a call, minidl must refuse it too.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minidl.functional as F
from tests.torch_calls import (
    Call,
    axes_of,
    axis_of,
    compare,
    integers,
    numbers,
    positive_small,
    same,
    shapes,
    small,
    torch,
)

pytestmark = pytest.mark.filterwarnings("ignore")


POSITIVE = ("log", "sqrt", "rsqrt", "log1p")
UNARY = (
    "abs neg sign exp expm1 reciprocal square sin cos tan tanh sigmoid erf floor ceil round relu elu silu softplus "
    "leaky_relu gelu logsigmoid"
).split()


@st.composite
def unary(draw) -> Call:
    name = draw(st.sampled_from([*UNARY, *POSITIVE]))
    x = draw(numbers(low=0.1, high=3.0)) if name in POSITIVE else draw(numbers())
    x = np.where(x == 0, 0.3, x) if name in ("reciprocal", "abs", "leaky_relu", "elu") else x
    return Call(*same(name), [x])


@st.composite
def binary(draw) -> Call:
    drawn = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3)).input_shapes
    name = draw(st.sampled_from("add sub mul div maximum minimum eq lt ge pow remainder".split()))
    x, y = draw(numbers(drawn[0])), draw(numbers(drawn[1]))
    if name == "pow":
        x = np.abs(x) + 0.1
    if name in ("div", "remainder"):
        y = np.where(np.abs(y) < 0.2, 1.3, y)
    return Call(*same(name), [x, y], gradient=name != "remainder")


@st.composite
def clipped(draw) -> Call:
    low, high = draw(st.sampled_from([(-0.5, 0.5), (None, 0.7), (0.1, None), (1.0, -1.0), (0, 1)]))
    return Call(*same("clip", min=low, max=high), [draw(numbers())])


@st.composite
def reduction(draw) -> Call:
    name = draw(st.sampled_from("sum mean amax amin logsumexp var std norm".split()))
    x = draw(numbers(draw(shapes(1))))
    options = {"dim": draw(axes_of(x.shape)), "keepdim": draw(st.booleans())}
    if name in ("var", "std"):
        options["correction"] = draw(st.integers(0, 1))
    theirs = torch.linalg.vector_norm if name == "norm" else getattr(torch, name)
    return Call(*same(name, **options, theirs=theirs), [x])


@st.composite
def whole_reduction(draw) -> Call:
    return Call(*same(draw(st.sampled_from("sum mean max min median prod var std norm".split()))), [draw(numbers())])


@st.composite
def along_an_axis(draw) -> Call:
    name = draw(st.sampled_from("prod cumprod cumsum max min median argmax argmin softmax log_softmax all any".split()))
    x = draw(numbers(draw(shapes(1))))
    if name in ("max", "min", "median", "argmax", "argmin"):
        x = x + np.arange(x.size).reshape(x.shape) * 1e-3  # which of several equal ones PyTorch takes is not defined
    options = {"dim": draw(axis_of(x.shape))}
    if name not in ("cumprod", "cumsum", "softmax", "log_softmax"):
        options["keepdim"] = draw(st.booleans())
    return Call(*same(name, **options), [x])


@st.composite
def sorting(draw) -> Call:
    x = draw(numbers(draw(shapes(1))))
    dim, descending = draw(axis_of(x.shape)), draw(st.booleans())
    if draw(st.booleans()):
        return Call(
            *same("sort", dim=dim, descending=descending, theirs=lambda x, **o: torch.sort(x, stable=True, **o)), [x]
        )
    x = x + np.arange(x.size).reshape(x.shape) * 1e-3
    return Call(*same("topk", k=draw(st.integers(0, 5)), dim=dim, largest=descending), [x])


@st.composite
def rearranged(draw) -> Call:
    x = draw(numbers(draw(shapes(1))))
    n = x.ndim
    dim, other = draw(axis_of(x.shape)), draw(axis_of(x.shape))
    return draw(
        st.sampled_from(
            [
                Call(*same("permute", tuple(draw(st.permutations(range(n))))), [x]),
                Call(*same("transpose", dim, other), [x]),
                Call(*same("movedim", dim, other), [x]),
                Call(*same("reshape", (x.size,)), [x]),
                Call(*same("reshape", (*x.shape[::-1], 1, -1)), [x]),
                Call(*same("flatten", dim, other), [x]),
                Call(*same("squeeze", dim), [x]),
                Call(*same("squeeze"), [x]),
                Call(*same("unsqueeze", draw(st.integers(-n - 1, n))), [x]),
                Call(*same("flip", draw(axes_of(x.shape))), [x]),
                Call(*same("roll", draw(st.integers(-5, 5)), dim), [x]),
                Call(*same("roll", draw(st.integers(-5, 5))), [x]),
                Call(*same("repeat", *[2] * n, theirs=lambda x, *r: x.repeat(*r)), [x]),
                Call(*same("repeat", 2, *[1] * n, theirs=lambda x, *r: x.repeat(*r)), [x]),
                Call(*same("expand", 3, *x.shape, theirs=lambda x, *s: x.expand(*s)), [x]),
                Call(*same("expand", *[-1 if m != 1 else 3 for m in x.shape], theirs=lambda x, *s: x.expand(*s)), [x]),
                Call(*same("tril", draw(st.integers(-3, 3))), [x]),
                Call(*same("triu", draw(st.integers(-3, 3))), [x]),
                Call(*same("chunk", draw(positive_small), dim), [x]),
                Call(*same("split", draw(positive_small), dim, theirs=torch.split), [x]),
                Call(*same("unbind", dim), [x]),
                Call(*same("unflatten", dim, (-1, x.shape[dim] or 1)), [x]),
            ]
        )
    )


@st.composite
def joined(draw) -> Call:
    shape = list(draw(shapes(1, 3)))
    dim = draw(axis_of(shape))
    if draw(st.booleans()):
        name, parts = "stack", [draw(numbers(shape)) for _ in range(draw(positive_small))]
    else:
        name, parts = "cat", []
        for _ in range(draw(positive_small)):
            shape[dim] = draw(small)
            parts.append(draw(numbers(shape)))
    return Call(lambda *xs: getattr(F, name)(xs, dim), lambda *xs: getattr(torch, name)(xs, dim), parts)


@st.composite
def padded(draw) -> Call:
    mode = draw(st.sampled_from(["constant", "reflect", "replicate"]))
    x = draw(numbers(draw(shapes(4, 4, positive_small))))
    widths = draw(st.lists(st.integers(-1 if mode == "constant" else 0, 3), min_size=4, max_size=4))
    return Call(*same("pad", widths, mode, **({"value": 1.5} if mode == "constant" else {})), [x])


@st.composite
def indexed(draw) -> Call:
    """Slices, integers, None and dots, with up to two arrays of positions or a mask among them."""
    x = draw(numbers(draw(shapes(1, 4, positive_small))))
    key, arrays, axis = [], [], 0
    rows = draw(st.sampled_from([(3,), (2, 1), (2, 3), ()]))
    while axis < x.ndim and draw(st.integers(0, 5)):
        n = x.shape[axis]
        kind = draw(st.sampled_from(["slice", "slice", "integer", "none", "positions", "mask"]))
        if kind == "none":
            key.append(None)
            continue
        if kind == "slice":
            start, stop = draw(st.integers(-n, n)), draw(st.integers(-n, n))
            key.append(slice(start, stop, draw(st.integers(1, 2))))
        elif kind == "integer":
            key.append(draw(st.integers(-n, n - 1)))
        elif kind == "positions" or any(a.dtype == bool for a in arrays):
            arrays.append(draw(integers(n, rows)))
            key.append(arrays[-1])
        elif not arrays:
            rows = (n,)
            arrays.append(np.ones(n, bool) if draw(st.booleans()) else np.arange(n) % 2 == 0)
            rows = (int(arrays[-1].sum()),)
            key.append(arrays[-1])
        else:
            continue
        axis += 1
    if draw(st.booleans()):
        key.append(...)
    places = [i for i, part in enumerate(key) if isinstance(part, np.ndarray)]

    def pick(x, *positions):
        parts = list(key)
        for i, value in zip(places, positions):
            parts[i] = value
        return x[tuple(parts)]

    return Call(pick, pick, [x, *arrays])


@st.composite
def gathered(draw) -> Call:
    x = draw(numbers(draw(shapes(1, 3, positive_small))))
    dim = draw(axis_of(x.shape))
    shape = [draw(st.integers(0, n)) for n in x.shape]
    shape[dim] = draw(small)
    index = draw(integers(x.shape[dim], tuple(shape)))
    flat = draw(integers(x.shape[dim], (draw(small),)))
    return draw(
        st.sampled_from(
            [
                Call(lambda x, i: F.gather(x, dim, i), lambda x, i: torch.gather(x, dim, i), [x, index]),
                Call(lambda x, i: F.index_select(x, dim, i), lambda x, i: torch.index_select(x, dim, i), [x, flat]),
                Call(
                    lambda x, i: F.masked_fill(x, i > 0, 0.7),
                    lambda x, i: x.masked_fill(i > 0, 0.7),
                    [x, draw(integers(2, x.shape))],
                ),
            ]
        )
    )


@st.composite
def scattered(draw) -> Call:
    x = draw(numbers(draw(shapes(1, 3, positive_small))))
    dim, name = draw(axis_of(x.shape)), draw(st.sampled_from(["scatter", "scatter_add"]))
    shape = [draw(st.integers(0, n)) for n in x.shape]
    shape[dim] = draw(st.integers(0, 3 if name == "scatter_add" else x.shape[dim]))
    index = draw(integers(x.shape[dim], tuple(shape)))
    if name == "scatter":  # of several numbers for one place PyTorch gives all the gradient
        index = (np.arange(shape[dim]).reshape([-1] + [1] * (x.ndim - 1 - dim % x.ndim)) + index * 0 + 1) % x.shape[dim]
    src = draw(numbers(tuple(shape)))
    return Call(
        lambda x, i, src: getattr(F, name)(x, dim, i, src), lambda x, i, src: getattr(torch, name)(x, dim, i, src),
        [x, index, src],
    )  # fmt: skip


@st.composite
def products(draw) -> Call:
    k = draw(small)
    batch = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=3)).input_shapes
    a = draw(st.sampled_from([(k,), (2, k), (*batch[0], 3, k)]))
    b = draw(st.sampled_from([(k,), (k, 2), (*batch[1], k, draw(small)), (k + 1, 2)]))
    return Call(*same("matmul"), [draw(numbers(a)), draw(numbers(b))])


@st.composite
def dense(draw) -> Call:
    c, k = draw(positive_small), draw(positive_small)
    arrays = [draw(numbers((*draw(shapes(0, 3)), c))), draw(numbers((k, c)))]
    return Call(*same("linear"), arrays + ([draw(numbers((k,)))] if draw(st.booleans()) else []))


@st.composite
def sums_of_products(draw) -> Call:
    sizes = dict(zip("ijkl", draw(st.lists(positive_small, min_size=4, max_size=4))))
    parts = draw(st.lists(st.text("ijkl", max_size=3), min_size=1, max_size=3))
    every = sorted(set("".join(parts)))
    out = "".join(draw(st.permutations(every))[: draw(st.integers(0, len(every)))])
    equation = ",".join(parts) + "->" + out
    arrays = [draw(numbers([sizes[letter] for letter in part])) for part in parts]
    return Call(lambda *x: F.einsum(equation, *x), lambda *x: torch.einsum(equation, *x), arrays)


STRATEGIES = [
    unary,
    binary,
    clipped,
    reduction,
    whole_reduction,
    along_an_axis,
    sorting,
    rearranged,
    joined,
    padded,
    indexed,
    gathered,
    scattered,
    products,
    dense,
    sums_of_products,
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_calls(strategy, data):
    compare(data.draw(strategy()))
