"""minidl beside PyTorch: values, gradients, shapes and dtypes, for random arguments and at the edges of numbers.

Each strategy below draws a way to call one operation: shapes (with sizes 0 and 1 among them), arguments and numbers,
some of them whole, so that there are ties. Where PyTorch refuses a call, minidl must refuse it too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minidl.functional as F
from minidl import Tensor

torch = pytest.importorskip("torch")
TF = torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore")


class Call(NamedTuple):
    """What to call, here and there, with the same arrays."""

    ours: Callable
    theirs: Callable
    arrays: list[np.ndarray]
    gradient: bool = True


def outputs(result: Any, kind: type) -> list[Any]:
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [part for part in parts if isinstance(part, kind)]


def compare(call: Call, tolerance: float = 1e-9) -> None:
    call = call._replace(arrays=[np.asarray(x) for x in call.arrays])

    def wants_gradient(x):
        return call.gradient and x.dtype.kind == "f"

    mine = [Tensor(x.copy(), requires_grad=wants_gradient(x)) for x in call.arrays]
    other = [torch.from_numpy(x.copy()).requires_grad_(wants_gradient(x)) for x in call.arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = outputs(call.theirs(*other), torch.Tensor)
        except (RuntimeError, IndexError, ValueError, TypeError) as refusal:
            with pytest.raises((ValueError, IndexError, TypeError, ZeroDivisionError)):
                call.ours(*mine)
                pytest.fail(f"PyTorch refused: {refusal}")
            return
        got = outputs(call.ours(*mine), Tensor)
    assert len(got) == len(expected)
    for y, value in zip(got, expected):
        assert_same(y.data, value.detach().numpy(), tolerance, "value")
    pairs = [(y, value) for y, value in zip(got, expected) if value.requires_grad]
    if not pairs:
        return
    random = np.random.default_rng(0)
    for last, (y, value) in enumerate(pairs, start=1):
        dy = np.asarray(random.standard_normal(y.shape), y.dtype)
        y.backward(dy, retain_graph=last < len(pairs))
        value.backward(torch.from_numpy(dy), retain_graph=last < len(pairs))
    for i, (x, x_other) in enumerate(zip(mine, other)):
        if x_other.grad is None:
            assert x.grad is None or not x.grad.numpy().any()
        elif x.requires_grad:
            assert_same(x.grad.data, x_other.grad.numpy(), tolerance, f"gradient of input {i}")


def assert_same(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    assert got.dtype == expected.dtype, what
    assert got.shape == expected.shape, what
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=what)


# What is drawn

small = st.integers(0, 4)
positive_small = st.integers(1, 4)


def shapes(least: int = 0, most: int = 4, size: st.SearchStrategy = small) -> st.SearchStrategy:
    return st.lists(size, min_size=least, max_size=most).map(tuple)


@st.composite
def numbers(draw, shape: Any = None, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Random numbers, of which one time in three are whole, so that some are equal."""
    shape = draw(shapes()) if shape is None else tuple(shape)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if low is not None:
        return np.asarray(random.uniform(low, high, shape))
    x = np.asarray(random.standard_normal(shape))
    return np.round(x) if draw(st.integers(0, 2)) == 0 else x


def integers(high: int, shape: tuple) -> st.SearchStrategy:
    return st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).integers(0, high, shape))


def same(name: str, *args: Any, theirs: Any = None, **options: Any) -> tuple[Callable, Callable]:
    """The operation of that name here and there, with more arguments behind the arrays."""
    function = theirs or getattr(TF, name, None) or getattr(torch, name)
    return (lambda *x: getattr(F, name)(*x, *args, **options)), (lambda *x: function(*x, *args, **options))


@st.composite
def axis_of(draw, shape: tuple) -> int:
    return draw(st.integers(-len(shape), len(shape) - 1))


@st.composite
def axes_of(draw, shape: tuple) -> tuple[int, ...]:
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1)) if shape else []
    return tuple(axis - len(shape) if draw(st.booleans()) else axis for axis in axes)


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


@st.composite
def geometry(draw, most_padding: int = 2) -> dict[str, Any]:
    def one_or_two(least, most):
        return draw(st.one_of(st.integers(least, most), st.tuples(st.integers(least, most), st.integers(least, most))))

    return {"stride": one_or_two(1, 3), "padding": one_or_two(0, most_padding), "dilation": one_or_two(1, 2)}


@st.composite
def convolution(draw) -> Call:
    groups, c, k = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    taps = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    size = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    options = draw(geometry()) | {"groups": groups}
    n = draw(st.integers(0, 2))
    if draw(st.integers(0, 3)) == 0:
        options |= {"stride": 1, "padding": draw(st.sampled_from(["same", "valid"]))}
    arrays = [draw(numbers((n, c * groups, *size))), draw(numbers((k * groups, c, *taps)))]
    bias = [draw(numbers((k * groups,)))] if draw(st.booleans()) else []
    return Call(*same("conv2d", **options), arrays + bias)


@st.composite
def convolution_of_sequences(draw) -> Call:
    options = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, 2)),
        "dilation": draw(st.integers(1, 2)),
    }
    arrays = [draw(numbers((2, 2, draw(st.integers(1, 7))))), draw(numbers((3, 2, draw(st.integers(1, 3)))))]
    return Call(*same("conv1d", **options), [*arrays, draw(numbers((3,)))])


@st.composite
def transposed_convolution(draw) -> Call:
    groups, taps = draw(st.integers(1, 2)), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    options = draw(geometry(1)) | {"groups": groups, "output_padding": draw(st.integers(0, 2))}
    size = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    arrays = [draw(numbers((2, 2 * groups, *size))), draw(numbers((2 * groups, 1, *taps)))]
    bias = [draw(numbers((groups,)))] if draw(st.booleans()) else []
    return Call(*same("conv_transpose2d", **options), arrays + bias)


@st.composite
def pooled(draw) -> Call:
    name = draw(st.sampled_from(["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"]))
    # from 2 pixels up: where a dilated window misses an image of one, PyTorch 2.13 writes outside of its memory
    shape = (draw(st.integers(0, 2)), 2, draw(st.integers(2, 7)), draw(st.integers(2, 7)))
    if name.startswith("adaptive"):
        return Call(*same(name, (draw(st.integers(1, 5)), draw(st.integers(1, 5)))), [draw(numbers(shape))])
    options = draw(geometry(1)) | {"kernel_size": draw(st.integers(1, 3)), "ceil_mode": draw(st.booleans())}
    x = draw(numbers(shape))
    if name == "avg_pool2d":
        del options["dilation"]
        options["count_include_pad"] = draw(st.booleans())
    else:
        options["return_indices"] = draw(st.booleans())
    return Call(*same(name, **options), [x])


@st.composite
def resized(draw) -> Call:
    shape = (draw(st.integers(1, 2)), 2, draw(positive_small), draw(positive_small))
    options: dict[str, Any] = {"mode": draw(st.sampled_from(["nearest", "bilinear"]))}
    if draw(st.booleans()):
        options["size"] = (draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    else:
        options["scale_factor"] = draw(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 2]))
    if options["mode"] == "bilinear":
        options["align_corners"] = draw(st.booleans())
    return Call(*same("interpolate", **options), [draw(numbers(shape))])


@st.composite
def normalized(draw) -> Call:
    n, c = draw(st.integers(1, 3)), 4
    x = draw(numbers((n, c, *draw(shapes(0, 2, positive_small)))))
    w, b = draw(numbers((c,))), draw(numbers((c,)))
    kind = draw(st.sampled_from(["train", "eval", "layer", "group"]))
    if kind == "layer":
        shape = x.shape[1:]
        arrays = [x, draw(numbers(shape)), draw(numbers(shape))]
        return Call(lambda x, w, b: F.layer_norm(x, shape, w, b), lambda x, w, b: TF.layer_norm(x, shape, w, b), arrays)
    if kind == "group":
        return Call(lambda x, w, b: F.group_norm(x, 2, w, b), lambda x, w, b: TF.group_norm(x, 2, w, b), [x, w, b])
    mean, var = draw(numbers((c,))), draw(numbers((c,), 0.5, 2.0))

    def ours(x, w, b):
        running = Tensor(mean.copy()), Tensor(var.copy())
        return F.batch_norm(x, *running, w, b, training=kind == "train", momentum=0.3), *running

    def theirs(x, w, b):
        running = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())
        return TF.batch_norm(x, *running, w, b, training=kind == "train", momentum=0.3), *running

    return Call(ours, theirs, [x, w, b])


@st.composite
def of_classes(draw) -> Call:
    c, extra = draw(st.integers(1, 4)), draw(shapes(0, 2, positive_small))
    n = draw(st.integers(1, 3))
    options = {
        "reduction": draw(st.sampled_from(["mean", "sum", "none"])),
        "ignore_index": draw(st.sampled_from([-100, 0, 1])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1])),
    }
    x = draw(numbers((n, c, *extra)))
    weight = draw(numbers((c,), 0.5, 2.0)) if draw(st.booleans()) else None
    if draw(st.integers(0, 3)) == 0:
        target = np.exp(draw(numbers(x.shape)))
        target /= target.sum(1, keepdims=True)
        del options["ignore_index"]
    else:
        target = draw(integers(c, (n, *extra)))
    labels = target.dtype.kind == "i"

    def ours(x, target):
        return F.cross_entropy(
            x, target if labels else target.detach(), None if weight is None else Tensor(weight), **options
        )

    def theirs(x, target):
        w = None if weight is None else torch.from_numpy(weight)
        return TF.cross_entropy(x, target if labels else target.detach(), w, **options)

    return Call(ours, theirs, [x, target])


@st.composite
def of_pairs(draw) -> Call:
    name = draw(
        st.sampled_from(
            (
                "mse_loss l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy "
                "binary_cross_entropy_with_logits"
            ).split()
        )
    )
    shape = draw(shapes(1, 3))
    bounded = name in ("kl_div", "binary_cross_entropy")
    x = draw(numbers(shape, 0.05, 0.95)) if bounded else draw(numbers(shape))
    target = draw(numbers(shape, 0.05, 0.95)) if "binary" in name or bounded else draw(numbers(shape)) + 0.013
    return Call(*same(name, reduction=draw(st.sampled_from(["mean", "sum", "none"]))), [x, target])


@st.composite
def similarity(draw) -> Call:
    x, y = (
        draw(numbers((*shape, 3)))
        for shape in draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2)).input_shapes
    )
    return Call(*same("cosine_similarity", dim=-1), [x + 0.01, y + 0.02])


@st.composite
def embedded(draw) -> Call:
    indices = draw(integers(4, draw(shapes(0, 2))))
    return Call(
        *same("embedding", padding_idx=draw(st.sampled_from([None, 0, 2, -1]))), [indices, draw(numbers((4, 3)))]
    )


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
    convolution,
    convolution_of_sequences,
    transposed_convolution,
    pooled,
    resized,
    normalized,
    of_classes,
    of_pairs,
    similarity,
    embedded,
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_calls(strategy, data):
    compare(data.draw(strategy()))
