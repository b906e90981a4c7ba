"""minidl beside PyTorch where random calls seldom come: other dtypes, edge values, names of arguments.

Every case is written once, for both libraries: `L` is minidl or torch, `F` its functional module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidl
from tests.torch_calls import Call, compare, torch

pytestmark = pytest.mark.filterwarnings("ignore")

OURS, THEIRS = (minidl, minidl.functional), (torch, torch.nn.functional)


def case(name: str, function: Callable, *arrays: Any, **options: Any) -> Any:
    return pytest.param(function, [np.asarray(x) for x in arrays], options, id=name)


X = np.array([[0.5, -1.25, 2.0], [1.5, 0.0, -3.0]])
BYTES, FLAGS = np.array([0, 1, 5, 255], np.uint8), np.array([True, False, True])
INTEGERS, SHORT = np.array([[3, -1, 2], [0, 2, 2]]), np.array([3, -1, 2], np.int32)
NUMBER32, NUMBER64 = np.float32(1.5), np.float64(1.5)
SINGLE = X.astype(np.float32)
PROBABILITIES = np.array([0.0, 1.0, 0.0, 1.0, 0.3, 1e-30, 1 - 1e-10])
TARGETS = np.array([0.3, 0.3, 0.0, 1.0, 0.8, 1.0, 0.1])
LARGE = np.array([np.nan, np.inf, -np.inf, -800.0, -90.0, -16.5, 0.0, 16.5, 17.5, 19.9, 20.1, 36.5, 90.0, 800.0])
IMAGES = np.random.default_rng(1).normal(size=(2, 3, 5, 7))
UNEVEN = np.random.default_rng(0).integers(0, 2, (2, 3, 5, 7)).astype(float)
UNEVEN[0, 0, 1, 2], UNEVEN[0, 1, 4, 6], UNEVEN[1, 0, 0, 3] = np.inf, -np.inf, np.nan

CASES = [
    *(
        case(f"{name} of {kind}", lambda L, F, x, name=name: getattr(x, name)(), array, tolerance=1e-6)
        for name in "exp expm1 log1p sqrt rsqrt reciprocal sin cos tan tanh sigmoid erf".split()
        for kind, array in (("bytes", BYTES), ("flags", FLAGS), ("integers", INTEGERS))
    ),
    *(
        case(f"{name} of integers", lambda L, F, x, name=name: getattr(F, name)(x), INTEGERS)
        for name in "leaky_relu elu gelu silu softplus logsigmoid".split()
    ),
    *(
        case(f"{name} of {array.dtype}", lambda L, F, x, name=name: getattr(x, name)(), array)
        for name in "sum prod".split()
        for array in (BYTES, FLAGS, SHORT)
    ),
    *(
        case(f"nan_to_num of {x.dtype}", lambda L, F, x: L.nan_to_num(x), x)
        for x in (LARGE, LARGE.astype(np.float32), SHORT, FLAGS)
    ),
    case("nan_to_num, given", lambda L, F, x: x.nan_to_num(7, neginf=-2.5), LARGE),
    case("addmm without x", lambda L, F, x: L.addmm(L.full_like(x, L.nan), x, x.T, beta=0, alpha=2), X[:, :2]),
    case("cumsum of bytes", lambda L, F, x: x.cumsum(0), BYTES),
    case("cumsum of int32", lambda L, F, x: x.cumsum(0), SHORT),
    case("logsumexp of integers", lambda L, F, x: x.logsumexp(1), INTEGERS, tolerance=1e-6),
    case("power of flags", lambda L, F, x: x**2, FLAGS),
    case("tril of flags", lambda L, F, x: x.tril(), X > 0),
    *(
        case(f"a {y.dtype} number beside {x.dtype}", lambda L, F, x, y: (x + y, y * x, x / y, L.maximum(x, y)), x, y,
             tolerance=1e-4)
        for x, y in ((SINGLE, NUMBER64), (X, NUMBER32), (NUMBER32, NUMBER64), (INTEGERS, NUMBER64))
    ),
    case("where beside a number of float64", lambda L, F, x, y: L.where(x > 0, x, y), SINGLE, NUMBER64,
         tolerance=1e-6),
    case("bytes to a power", lambda L, F, x, y: x**y, BYTES[1:], np.array([1.5, -2.0, 0.3])),
    case("over numbers whose squares float32 lacks", lambda L, F, x, y: x / y, np.float32([1e30, 1e-23, 3.0]),
         np.float32([1e20, 1e-23, -1e-20]), tolerance=1e-6),
    case("integers over 0", lambda L, F, x: x // 0, INTEGERS),
    case("the rest of integers over 0", lambda L, F, x, y: x % y, INTEGERS, INTEGERS),
    case("x.where", lambda L, F, x, y: (x.where(x > 0, y), x.where(x > 0, 7.0)), X, -X),
    case("the count of what is not 0", lambda L, F, x: x.norm(0, 1), np.array([[np.nan, 0.0], [0.0, 2.0]])),
    case("a norm with p below 0", lambda L, F, x: x.norm(-1, 0), np.array([[1.0, 0.0, np.nan], [-2.0, 3.0, 1.0]])),
    case("a norm with p below 0 of no values", lambda L, F, x: x.norm(-1), X[:0]),
    case("median of no values", lambda L, F, x: x.median(), X[:0]),
    case("median of NaN and numbers", lambda L, F, x: x.median(), np.array([1.0, np.nan, 3.0, np.nan])),
    case("least of NaN and numbers", lambda L, F, x: (x.min(), x.max()), np.array([1.0, np.nan, 3.0, np.nan])),
    case("median along no values", lambda L, F, x: x.median(0), X[:0]),
    case("where of bytes", lambda L, F, x: L.where(x, 1.0, 2.0), BYTES),
    case("a mask fills integers", lambda L, F, x: x.masked_fill(x > 1, 2.5), INTEGERS),
    case("a mask fills flags", lambda L, F, x: x.masked_fill(x, 0), FLAGS),
    *(
        case(f"{name} over no axis", lambda L, F, x, name=name: getattr(x, name)(()), X)
        for name in "sum mean amax amin all any count_nonzero".split()
    ),
    *(
        case(f"{name} along axis=", lambda L, F, x, name=name: getattr(x, name)(axis=-1), X)
        for name in "sum mean prod amax max argmin std var cumsum any".split()
    ),
    case("keepdims=", lambda L, F, x: x.std(axis=0, keepdims=True), X),
    *(
        case(f"{name}, several axes", lambda L, F, x, name=name: getattr(x, name)((0, 1)), X)
        for name in "softmax cumsum argmax max unbind sort topk".split()
    ),
    case("softmax along None", lambda L, F, x: x.cumsum(None), X),
    case("sum along True", lambda L, F, x: x.norm(2, True), X),
    case("a number has no axis 1", lambda L, F, x: x.flatten(1), 2.0),
    case("sign of flags", lambda L, F, x: x.sign(), FLAGS),
    case("normal integers", lambda L, F, x: L.randn_like(x), INTEGERS),
    case("uniform integers", lambda L, F, x: L.rand(2, dtype=L.int64), INTEGERS),
    case(
        "nll_loss of -inf that is ignored",
        lambda L, F, x, t: F.nll_loss(x, t, ignore_index=0),
        *([[-np.inf, 1.0], [2.0, 3.0]], [0, 1]),
    ),
    case("probabilities, ignore_index", lambda L, F, x, t: F.cross_entropy(x, t, ignore_index=1), X, X),
    case("clip at its bounds", lambda L, F, x: (x.clip(-90, 90), x.clip(min=-90), x.clip(max=90)), LARGE),
    case("norm without p", lambda L, F, x: x.norm(p=None), X),
    *(
        case(f"norm {p} at 0", lambda L, F, x, p=p: (x.norm(p, dim=1), x.norm(p)), [[0.0, 0.0], [3.0, 0.0]])
        for p in (0.5, 1, 1.5, 2, 3)
    ),
    case("norm -1", lambda L, F, x: x.norm(-1, dim=1), [[1.0, 2.0], [3.0, -4.0]]),
    case("a negative norm of NaN and 0", lambda L, F, x: x.detach().norm(-1, dim=1), [[np.nan, 0.0], [0.0, 2.0]]),
    case("the rest of 1 / 0.1, rounded to 10", lambda L, F, x, y: x % y, [1.0, -1.0, 6.0], [0.1, 0.1, np.inf]),
    case("norm -1 at 0", lambda L, F, x: x.detach().norm(-1, dim=1), [[1.0, 0.0], [3.0, -4.0]]),
    case("losses of endless errors", lambda L, F, x, t: (
        F.smooth_l1_loss(x, t, beta=0.5, reduction="none"), F.huber_loss(x, t, delta=2.0, reduction="none")
    ), [np.inf, -np.inf, np.nan, 1.0, 0.25], [0.0, 1.0, 0.0, 3.0, 0.5]),
    case("unary plus", lambda L, F, x: +x, X),
    case("a matrix times a number", lambda L, F, x: x @ 2, X),
    case("dims=", lambda L, F, x: (x.flip(dims=(0, 1)), L.permute(x, dims=(1, 0))), X),
    case("conv2d by name", lambda L, F, x, w, b: F.conv2d(x, weight=w, bias=b),
         X[None, None], X[None, None, :1], [2.0]),
    case("linear by name", lambda L, F, x, w: F.linear(x, weight=w, bias=None), X, X),
    case("expand_as", lambda L, F, x, y: y.expand_as(x) * x, X, X[:1]),
    case("inplace=", lambda L, F, x: F.relu(F.leaky_relu(x * 1, 0.1, inplace=True) * 1, inplace=True), X),
    case("softplus, threshold", lambda L, F, x: (F.softplus(x, 2, 3), F.softplus(x, threshold=1.0)), X),
    *(
        case(f"{name} of large {kind}", lambda L, F, x, name=name: getattr(F, name)(x), x, tolerance=1e-6)
        for name in ("softplus", "logsigmoid")
        for kind, x in (("float64", LARGE), ("float32", LARGE.astype(np.float32)))
    ),
    case("sign of NaN and of both zeros", lambda L, F, x: (x.sign(), 1 / x.sign()), [np.nan, 0.0, -0.0, -np.inf, 2.0]),
    *(  # PyTorch's vectors say 0, its single numbers 1 of the first two: 16 numbers are whole vectors
        case(f"{name} of NaN", lambda L, F, x, name=name: getattr(F, name)(x), np.full(16, np.nan))
        for name in ("hardtanh", "relu6", "hardsigmoid")
    ),
    case("a number scattered by name", lambda L, F, x, i: (
        x.scatter(1, i.abs(), value=7), L.zeros(2, 4).scatter_(dim=1, index=i.abs(), value=1)
    ), np.c_[X, X], INTEGERS),
    case("pairs of numbers", lambda L, F, x: (
        L.combinations(x), L.combinations(x, 4), L.combinations(x, r=1), L.cartesian_prod(x), L.cartesian_prod(x, x)
    ), SHORT),
    case("combinations of a matrix", lambda L, F, x: L.combinations(x), X),
    case("combinations of no numbers at a time", lambda L, F, x: L.combinations(x, -1), SHORT),
    case("cartesian_prod of a number", lambda L, F, x: L.cartesian_prod(x, x[0]), SHORT),
    case("tensors as columns", lambda L, F, x, y: (L.column_stack((x[0], x.T)), L.column_stack([y, y])), X, 2.0),
    case("matrices along the diagonal", lambda L, F, x, y: L.block_diag(x, y, y[0], x[:0], y > 0), X, SHORT),
    case("a cube along the diagonal", lambda L, F, x: L.block_diag(x, x[None]), X),
    case("prelu of a number", lambda L, F, x: F.prelu(x[0, 0], x[0, 1:2]) * 2, X),
    *(
        case(f"prelu, {np.size(w)} slopes", lambda L, F, x, w: F.prelu(x, w),
             [[np.nan, 0.0, -np.inf], [np.inf, -2, 3]], w)
        for w in ([0.25], [0.5, -1.0, 2.0])
    ),
    case("cross-entropy of saturated probabilities", lambda L, F, x, t: F.binary_cross_entropy(x, t.detach()),
         PROBABILITIES, TARGETS, tolerance=1e-8),
    case("divergence from negative targets", lambda L, F, x, t: F.kl_div(x, t.detach(), reduction="none"), X, -X),
    case("batch norm of no images", lambda L, F, x, w: F.batch_norm(x, None, None, w, None, True), X[:0], X[0]),
    *(
        case(f"{mode}, {factor} times", lambda L, F, x, options=options: F.interpolate(x, **options), X[None, None])
        for mode in ("nearest", "bilinear")
        for factor in (1.2, 1.7, 2.3)
        for recompute in (None, True)
        for options in [{"mode": mode, "scale_factor": factor, "recompute_scale_factor": recompute}]
    ),
    *(
        case(f"adaptive pooling to {size} of equal numbers, infinity and NaN", lambda L, F, x, size=size: (
            F.adaptive_max_pool2d(x, size), F.adaptive_avg_pool2d(x, size)
        ), image)
        for size in ((2, 3), (3, 2), (7, 7), (None, 3))
        for image in (UNEVEN, UNEVEN[0], UNEVEN[:0])
    ),
    case("settings in tuples", lambda L, F, x, w: F.conv1d(x, w, None, (2,), (1,), (1,)), X[:, None], X[None, :1]),
    case("maxima far apart", lambda L, F, x: F.max_pool2d(x, (1, 2), 1, dilation=(1, 300), return_indices=True),
         np.arange(1208.0).reshape(1, 2, 2, 302) % 301),
    case("size and recompute", lambda L, F, x: F.interpolate(x, size=2, recompute_scale_factor=True), X[None, None]),
    *(  # detached: PyTorch's gradient of it is that of another factor
        case(f"nearest, {factor} times, {x.ndim - 2} axes", lambda L, F, x, factor=factor: F.interpolate(
            x.detach(), scale_factor=factor), x)
        for factor in (1.3, 2.2)
        for x in (X[None], X[None, None], X[None, None, None])
    ),
    case("arange of long steps", lambda L, F, x: (
        L.arange(1000, 1100, 0.1), L.arange(1e5, 1e5 + 10, 0.1), L.arange(16777216, 16777226, 1.0)
    ), X, tolerance=2e-7),
    case("variance far from 0", lambda L, F, x: (x.detach() + 1e5).var(0), np.float32([[0.0, 1 / 128], [1 / 128, 0.0]]),
         tolerance=1e-6),
    case("a long cumulative sum", lambda L, F, x: x.cumsum(0), np.full(300_000, 0.1, np.float32), tolerance=2e-7),
    case("largest distance without features", lambda L, F, x: L.cdist(x, x, p=float("inf")), X[:, :0]),
    *(
        case(f"addcmul and addcdiv of {x.dtype} and {y.dtype}", lambda L, F, x, y: (
            L.addcmul(x, y, y, value=2), x.addcdiv(y, y * y + 1, value=-1)
        ), x, y, tolerance=1e-6)
        for x in (X, SINGLE, INTEGERS) for y in (X, SINGLE, INTEGERS)
    ),
    case("rows added, alpha", lambda L, F, x, y: x.index_add(1, L.tensor([2, 0, 2]), y, alpha=-0.5), X, -X),
    case("rows added from behind", lambda L, F, x: x.index_add(0, L.tensor([-1, 0]), x), X),
    case("rows added of other lengths", lambda L, F, x: x.index_add(0, L.tensor([1, 0, 0]), x), X),
    *(
        case(f"quantiles, {how}", lambda L, F, x, q, how=how: (
            x.quantile(0.3, interpolation=how), x.quantile(q.detach(), 1, interpolation=how)
        ), X, [0.0, 0.25, 0.6, 1.0])
        for how in ("linear", "lower", "higher", "midpoint", "nearest", "median")
    ),
    case("quantiles of float32", lambda L, F, x: x.quantile(L.tensor([0.1, 0.35, 0.9])),
         np.arange(11, dtype=np.float32) ** 2, tolerance=1e-6),
    *(
        case(f"quantile of infinities, {how}", lambda L, F, x, how=how: x.detach().quantile(0.5, interpolation=how),
             [-np.inf, 1.0, np.inf, np.inf])
        for how in ("lower", "higher", "nearest")
    ),
    case("quantile by another dtype", lambda L, F, x: x.quantile(L.tensor([0.5])), X),
    case("quantile above 1", lambda L, F, x: x.quantile(1.5), X),
    case("quantile of NaN", lambda L, F, x: x.detach().quantile(0.5, 0), [[np.nan, 1.0], [2.0, 3.0]]),
    case("kthvalue of NaN", lambda L, F, x: (x.kthvalue(2), x.kthvalue(3, keepdim=True)), [np.nan, 3.0, 1.0]),
    case("kthvalue 0", lambda L, F, x: x.kthvalue(0), X),
    *(
        case(f"histc {arguments}", lambda L, F, x, a=arguments: x.detach().histc(*a), x)
        for arguments in ((), (4, -3, 2), (4, 1, 1), (3, 2, 1), (0,), (4, 0, np.inf))
        for x in (X, X[:0], np.array([2.0, 2.0]), SINGLE)
    ),
    case("histc of integers", lambda L, F, x: x.histc(4), INTEGERS),
    *(
        case(f"bucketize, right={right}", lambda L, F, x, right=right: (
            L.bucketize(x, L.tensor([0.0, 1.5, 2.0], dtype=L.float64), right=right, out_int32=right),
            L.bucketize(1.5, L.tensor([0.0, 1.5]), right=right), L.searchsorted(L.tensor([1, 2, 2]), 2, right=right),
            L.searchsorted(L.tensor([1, 2, 2]), 1.5), L.searchsorted(L.tensor([0.1]), 0.1, right=right),
        ), X)
        for right in (False, True)
    ),
    case("searchsorted of another dtype", lambda L, F, x: L.searchsorted(L.tensor([1, 2]), x), X),
    case("bucketize by integers", lambda L, F, x: L.bucketize(x, L.tensor([0, 1])), X),
    case("isin beside numbers", lambda L, F, x: (L.isin(x, 2), L.isin(2, x), L.isin(x, x[0], invert=True)), INTEGERS),
    *(
        case(f"x.unfold{arguments}", lambda L, F, x, a=arguments: x.unfold(*a), X)
        for arguments in ((1, 2, 1), (0, 2, 3), (-1, 0, 1), (1, 4, 1), (1, 2, 0), (1, 2, -1), (2, 1, 1))
    ),
    case("x.unfold of a number", lambda L, F, x: (x.unfold(0, 1, 1), x.unfold(0, 0, 1)), 2.0),
    *(
        case(f"windows of {args}", lambda L, F, x, a=args: (y := F.unfold(x, *a), F.fold(y, x.shape[2:], *a)), IMAGES)
        for args in (((2, 3), (2, 1), (1, 2), (2, 3)), ((5, 7),), ((5, 2), (1, 3)), (2, 5), (8,))
    ),
    case("stacked numbers and rows", lambda L, F, x, y: (L.hstack((y, y)), L.vstack((y, y)), L.dstack((x, x))), X, 2.0),
    case("rows stacked on numbers", lambda L, F, x, y: L.hstack((x, y)), X, 2.0),
    case("nothing stacked", lambda L, F, x: L.vstack([]), X),
    case("tile", lambda L, F, x: (x.tile(2), x.tile((2, 1, 1)), L.tile(x, (2, 2))), X),
    case("var_mean", lambda L, F, x: (*L.var_mean(x), *L.var_mean(x, 1, correction=0, keepdim=True),
         *L.std_mean(x, False), *L.std_mean(x, dim=(0, 1), unbiased=True)), X),
    case("clamp by NaN", lambda L, F, x, y: (x.clamp(L.nan), x.clamp(y.detach()), x.clamp(max=y.detach())),
         X, [1, np.nan, 1]),
    case("clamp_min by a tensor", lambda L, F, x, y: (x.clamp_min(y), L.clamp_max(x, y), x.clamp_min(0)), X, -X),
    case("logarithms of integers", lambda L, F, x: (L.log2(x), x.log10(), x.atan(), L.atan2(x, x + 1)), INTEGERS + 2,
         tolerance=1e-6),
    case("the angle of the origin", lambda L, F, y, x: L.atan2(y, x), [0.0, -0.0, 1.0], [0.0, 0.0, 0.0]),
    case("hypot of denormals", lambda L, F, x, y: L.hypot(x, y), np.float32([0.0, 3e-40]), np.float32([1e-40, 4e-40]),
         tolerance=1e-4),
    case("whole powers", lambda L, F, x: (x.log2(), x.log10()), [8.0, 1000.0, 2.0**-30]),
    case("triangles", lambda L, F, x: (
        L.triu_indices(3, 4, 1), L.triu_indices(4, 3, -1), L.tril_indices(3, 3, offset=1), L.tril_indices(2, 4, -5),
        L.triu_indices(3, 3, dtype=L.int32),
    ), X),
    case("older constructors", lambda L, F, x: (
        L.FloatTensor([[1, 2.5]]), L.LongTensor([1, -2]), L.LongTensor([1.5]), L.BoolTensor([1, 0]),
        L.FloatTensor(np.arange(3)), L.IntTensor((3, 4)), L.DoubleTensor([]), L.LongTensor(2, 3) * 0, L.LongTensor(),
        L.FloatTensor([L.tensor(1.0), 2]), L.LongTensor(range(3)), L.FloatTensor([[True], [False]]),
    ), X),
    case("an older constructor of a number", lambda L, F, x: L.FloatTensor(1.5), X),
    case("an older constructor of another dtype", lambda L, F, x: L.LongTensor(x), X),
    case("a size by name", lambda L, F, x: (
        L.zeros(size=(2, 3)), L.ones(size=[2]), L.empty(size=(0, 2)), L.rand(size=(0,)), L.randn(size=(2, 0, 1)),
        L.empty_like(x[:0]), L.empty_like(x[:0], dtype=L.int64), x.new_empty(0, 2),
    ), X),
    case("a size twice", lambda L, F, x: L.zeros(2, size=(3,)), X),
    case("a chance of 2", lambda L, F, x: x.detach().bernoulli_(2.0), X),
    case("certain chances", lambda L, F, x: (
        x.detach().clone().bernoulli_(1.0), L.zeros(2, 2).bernoulli_(L.tensor([0.0, 1.0])),
        L.zeros(2, dtype=L.int64).bernoulli_(1),
    ), X),
    case("exponential integers", lambda L, F, x: x.exponential_(), INTEGERS),
    case("gumbel_softmax of one", lambda L, F, x: (
        F.gumbel_softmax(x[:, :1]), F.gumbel_softmax(x[:1], hard=True, dim=0)
    ), X),
    case("powers of 0 and to 0", lambda L, F, x, y: x**y, [0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0]),
    case("of equal numbers the larger and the smaller", lambda L, F, x, y: (L.maximum(x, y), L.minimum(x, y)), X, X),
    case("hardtanh at its bounds", lambda L, F, x: (F.hardtanh(x), F.relu6(x)), [-1.0, 0.0, 1.0, 6.0]),
    case("0 over integers", lambda L, F, x, y: (x % y, x // y), np.array([0, 3]), np.array([2, 5])),
    case("no 0 over 0", lambda L, F, x, y: x // y, np.array([4, 3]), np.array([2, 0])),
    case("the rest of no 0 over 0", lambda L, F, x, y: x % y, np.array([4, 3]), np.array([2, 0])),
    case("alpha beside int32", lambda L, F, x, y: x.add(y, alpha=2), SHORT, INTEGERS[0]),
    case("a choice of -0.0", lambda L, F, x: (1 / L.where(x > 0, x, -0.0), 1 / L.where(x > 0, -0.0, x)), X + 1),
    case("isclose", lambda L, F, x, y: (L.isclose(x, y), L.isclose(x, y, atol=0), L.isclose(x, y, rtol=0)),
         [1 + 1.1e-5, 1 + 0.9e-5, 1e6 + 9, 1.1e-8, 0.9e-8, np.nan, np.inf], [1.0, 1.0, 1e6, 0.0, 0.0, np.nan, np.inf]),
    case("isclose of bytes", lambda L, F, x, y: x.isclose(y, rtol=0.0, atol=1.5), BYTES, BYTES[::-1].copy()),
    case("cross-entropy, all of it smoothed", lambda L, F, x, t: F.cross_entropy(x, t, label_smoothing=1.0),
         X, np.array([0, 2])),
    case("a grid of a list", lambda L, F, x: L.meshgrid([x[0], x[1, :2]], indexing="xy"), X),
    case("a grid of one axis", lambda L, F, x: L.meshgrid(x[0], indexing="xy"), X),
    case("bincount of nothing", lambda L, F, x: L.bincount(x), INTEGERS[0, :0]),
    case("one_hot of nothing", lambda L, F, x: F.one_hot(x, 3), INTEGERS[:, :0]),
    case("the first row pads", lambda L, F, w: F.embedding(L.tensor([0, 1]), w, padding_idx=-2), X),
    case("no bags", lambda L, F, w: F.embedding_bag(L.tensor([]).to(L.int64), w, L.tensor([]).to(L.int64)), X),
    case("made in a given dtype", lambda L, F, x: (
        L.zeros_like(x, dtype=L.int64), L.ones_like(x, dtype=L.int64), L.full_like(x, 2, dtype=L.float32),
        x.new_zeros(2, dtype=L.int64), x.new_ones(2, dtype=L.int64), x.new_full((2,), 7, dtype=L.int64),
        x.new_tensor([1.5], dtype=L.float32), L.eye(2, 3, dtype=L.float64), L.arange(3, dtype=L.int32),
    ), X),
    *(
        case(f"an integer, an array and dots: {i}", lambda L, F, x, key=key: x[key(L, x)],
             np.arange(24.0).reshape(2, 3, 2, 2))
        for i, key in enumerate((
            lambda L, x: (0, ..., L.tensor([1, 0])),
            lambda L, x: (..., 1, L.tensor([1, 0, 1])),
            lambda L, x: (L.tensor([1, 0]), ..., 1),
            lambda L, x: (0, None, ..., L.tensor([1])),
            lambda L, x: (0, ..., x[0, 0] > 1),
            lambda L, x: (1, x[1, :, 0] > 14, ...),
            lambda L, x: (..., x[1, :, :, 0] > 16, 1),
        ))
    ),
    case("narrow at the ends", lambda L, F, x: (x.narrow(1, 0, 3), x.narrow(1, 3, 0), x.narrow(0, -1, 1)), X),
    case("pieces of nothing", lambda L, F, x: (*x.split(2), *x.chunk(2), *x.split([0])), X[:0]),
    case("circular padding as wide as x", lambda L, F, x: F.pad(x, (3, 3), mode="circular"), X[None]),
    case("output_padding that dilation allows", lambda L, F, x, w: F.conv_transpose2d(
        x, w, output_padding=(0, 1), dilation=2), X[None, None], X[None, None]),
    *(
        case(f"same padding of {w.shape}", lambda L, F, x, w: F.conv2d(x, w, padding="same"), X[None, None], w)
        for w in (X[None, None], X.T[None, None])
    ),
    case("tensordot of int32 along an axis of 1", lambda L, F, x: (
        L.tensordot(x, x[None], ([0], [0])), L.tensordot(x[:, None], x[None], ([1], [1]))), SHORT),
    *(
        case(f"scatter_reduce of booleans, {reduce}", lambda L, F, x, i, reduce=reduce: x.scatter_reduce(
            0, i, ~x, reduce, include_self=False), FLAGS, np.array([0, 0, 1]))
        for reduce in ("amax", "amin")
    ),
    case("smooth_l1_loss without a bend", lambda L, F, x, t: F.smooth_l1_loss(x, t, beta=0.0), X, X[::-1].copy()),
    case("pairs on their margin", lambda L, F, x, t: (
        F.margin_ranking_loss(x, x + 0, t), F.hinge_embedding_loss(x, -t, margin=1.5),
        F.cosine_embedding_loss(x[:, :2], x[:, :2].flip(1) * L.tensor([1.0, -1.0]).double(), -t[:, 0])),
         np.array([[1.5, 2.0], [1.5, 1.5]]), np.ones((2, 2), int)),
    case("triplets on their margin", lambda L, F, x, y, z: (
        F.triplet_margin_loss(x, y, z, p=1.0, eps=0.0, margin=2.0),
        F.triplet_margin_with_distance_loss(x, y, z, distance_function=lambda a, b: (b - a).sum(-1), margin=2.0)),
         np.zeros((2, 2)), np.full((2, 2), 3.0), np.full((2, 2), 4.0)),
    case("a loss of the target alone", lambda L, F, x, t: F.smooth_l1_loss(x.detach(), t), X, X[::-1].copy()),
    case("places of maxima beside a border", lambda L, F, x: F.max_pool2d(x, (3, 5), 2, (1, 2), return_indices=True),
         np.nan_to_num(UNEVEN)),
    case("unbiased or not, by position", lambda L, F, x: (x.var(False), x.std(True)), X),
    case("differences taken no times", lambda L, F, x: x.diff(n=0, prepend=x[:, :1]), X),
    case("order along the last axis", lambda L, F, x: (x.argsort(), *x.sort()), X),
    case("arange backwards", lambda L, F, x: L.arange(5, 1), X),
    case("arange without a step", lambda L, F, x: L.arange(1, 5, 0), X),
]  # fmt: skip


@pytest.mark.parametrize("function, arrays, options", CASES)
def test_edge(function, arrays, options):
    ours, theirs = (lambda *x, L=library: function(*L, *x) for library in (OURS, THEIRS))
    compare(Call(ours, theirs, arrays), **options)


def test_every_operation_is_at_the_top_too():
    for name in minidl.functional.__all__:
        assert getattr(minidl, name) is getattr(minidl.functional, name)
    with pytest.raises(AttributeError):
        minidl.no_such_operation  # noqa: B018
