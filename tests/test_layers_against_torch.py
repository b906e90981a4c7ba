"""minidl's layers beside PyTorch: convolution, pooling, norms, losses and the rest, for random arguments.

The strategies are like those of `test_against_torch.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minidl.functional as F
from minidl import Tensor
from tests.torch_calls import TF, Call, compare, integers, numbers, positive_small, same, shapes, torch

pytestmark = pytest.mark.filterwarnings("ignore")


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
    kind = draw(st.sampled_from(["train", "eval", "layer", "group", "instance"]))
    if kind == "layer":
        shape = x.shape[1:]
        arrays = [x, draw(numbers(shape)), draw(numbers(shape))]
        return Call(lambda x, w, b: F.layer_norm(x, shape, w, b), lambda x, w, b: TF.layer_norm(x, shape, w, b), arrays)
    if kind == "group":
        return Call(lambda x, w, b: F.group_norm(x, 2, w, b), lambda x, w, b: TF.group_norm(x, 2, w, b), [x, w, b])
    if kind == "instance" and x[0, 0].size > 1:
        functions = F.instance_norm, TF.instance_norm
        return Call(*(lambda x, w, b, f=f: f(x, None, None, w, b, True, 0.1, 0.01) for f in functions), [x, w, b])
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
