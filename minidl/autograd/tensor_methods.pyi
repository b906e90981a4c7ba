"""The methods that operations attach to Tensor. Written by tests/tensor_methods.py: do not edit."""

# ruff: noqa: E501

import builtins
from collections.abc import Callable, Sequence
from typing import Any

from numpy.random import Generator

from minidl.autograd.hooks import HookHandle
from minidl.autograd.tensor import Tensor
from minidl.functional.extremes import MinAndMax, ValuesAndIndices

class TensorMethods:
    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
    def __abs__(self) -> Tensor: ...
    def __add__(self, x2: Any) -> Tensor: ...
    def __and__(self, x2: Any) -> Tensor: ...
    def __eq__(self, x2: Any) -> Tensor: ...  # type: ignore[override]
    def __floordiv__(self, x2: Any) -> Tensor: ...
    def __ge__(self, x2: Any) -> Tensor: ...
    def __getitem__(self, key: Any) -> Tensor: ...
    def __gt__(self, x2: Any) -> Tensor: ...
    def __iadd__(self, x2: Any) -> Tensor: ...
    def __ifloordiv__(self, x2: Any) -> Tensor: ...
    def __imod__(self, x2: Any) -> Tensor: ...
    def __imul__(self, x2: Any) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __ipow__(self, x2: Any) -> Tensor: ...
    def __isub__(self, x2: Any) -> Tensor: ...
    def __itruediv__(self, x2: Any) -> Tensor: ...
    def __le__(self, x2: Any) -> Tensor: ...
    def __lt__(self, x2: Any) -> Tensor: ...
    def __matmul__(self, b: Any) -> Tensor: ...
    def __mod__(self, x2: Any) -> Tensor: ...
    def __mul__(self, x2: Any) -> Tensor: ...
    def __ne__(self, x2: Any) -> Tensor: ...  # type: ignore[override]
    def __neg__(self) -> Tensor: ...
    def __or__(self, x2: Any) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __pow__(self, x2: Any) -> Tensor: ...
    def __radd__(self, x2: Any) -> Tensor: ...
    def __rand__(self, x2: Any) -> Tensor: ...
    def __rfloordiv__(self, x1: Any) -> Tensor: ...
    def __rmatmul__(self, a: Any) -> Tensor: ...
    def __rmod__(self, x1: Any) -> Tensor: ...
    def __rmul__(self, x2: Any) -> Tensor: ...
    def __ror__(self, x2: Any) -> Tensor: ...
    def __rpow__(self, x1: Any) -> Tensor: ...
    def __rsub__(self, x1: Any) -> Tensor: ...
    def __rtruediv__(self, x1: Any) -> Tensor: ...
    def __rxor__(self, x2: Any) -> Tensor: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __sub__(self, x2: Any) -> Tensor: ...
    def __truediv__(self, x2: Any) -> Tensor: ...
    def __xor__(self, x2: Any) -> Tensor: ...
    def abs(self) -> Tensor:
        """y = |x|; the gradient is 0 at 0."""
    def abs_(self) -> Tensor:
        """y = |x|; the gradient is 0 at 0."""
    def acos(self) -> Tensor:
        """y = acos(x), the angle from 0 to pi whose cosine is x; NaN outside of -1 to 1."""
    def acos_(self) -> Tensor:
        """y = acos(x), the angle from 0 to pi whose cosine is x; NaN outside of -1 to 1."""
    def acosh(self) -> Tensor:
        """y = acosh(x), from 0 up, whose hyperbolic cosine is x: log(x + sqrt(x^2 - 1)); NaN below 1."""
    def acosh_(self) -> Tensor:
        """y = acosh(x), from 0 up, whose hyperbolic cosine is x: log(x + sqrt(x^2 - 1)); NaN below 1."""
    def add(self, x2: Any, *, alpha: builtins.float = ...) -> Tensor:
        """x1 + alpha * x2."""
    def add_(self, x2: Any, *, alpha: builtins.float = ...) -> Tensor:
        """x1 += alpha * x2."""
    def addcdiv(self, tensor1: Any, tensor2: Any, *, value: builtins.float = ...) -> Tensor:
        """x + value * tensor1 / tensor2, of floating-point numbers."""
    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: builtins.float = ...) -> Tensor:
        """x += value * tensor1 / tensor2."""
    def addcmul(self, tensor1: Any, tensor2: Any, *, value: builtins.float = ...) -> Tensor:
        """x + value * tensor1 * tensor2."""
    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: builtins.float = ...) -> Tensor:
        """x += value * tensor1 * tensor2."""
    def addmm(self, mat1: Any, mat2: Any, *, beta: builtins.float = ..., alpha: builtins.float = ...) -> Tensor:
        """beta * x + alpha * (mat1 @ mat2) of matrices, to whose product x is broadcast; with ``beta=0`` without x."""
    def all(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """Whether every value along `dim` is true (not 0)."""
    def allclose(self, other: Any, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> builtins.bool:
        """Whether all elements are close, see :func:`isclose`: one Python boolean."""
    def amax(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The largest value along `dim`; ties share the gradient equally."""
    def amin(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The smallest value along `dim`; ties share the gradient equally."""
    def aminmax(self, *, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., axis: Any = ..., keepdims: Any = ...) -> MinAndMax:
        """The pair of :func:`amin` and :func:`amax`, along one axis or of all values."""
    def any(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """Whether any value along `dim` is true (not 0)."""
    def argmax(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """Where the (first) largest value is, along `dim` or in the flattened x."""
    def argmin(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """Where the (first) smallest value is, along `dim` or in the flattened x."""
    def argsort(self, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ...) -> Tensor:
        """Where the values of :func:`sort` come from: integers in the shape of x, which have no gradient."""
    def argwhere(self) -> Tensor:
        """The positions of the values that are not 0, one row each: ``nonzero(x)``."""
    def asin(self) -> Tensor:
        """y = asin(x), the angle from -pi/2 to pi/2 whose sine is x; NaN outside of -1 to 1."""
    def asin_(self) -> Tensor:
        """y = asin(x), the angle from -pi/2 to pi/2 whose sine is x; NaN outside of -1 to 1."""
    def asinh(self) -> Tensor:
        """y = asinh(x), whose hyperbolic sine is x: log(x + sqrt(x^2 + 1))."""
    def asinh_(self) -> Tensor:
        """y = asinh(x), whose hyperbolic sine is x: log(x + sqrt(x^2 + 1))."""
    def assign_(self, values: Any) -> Tensor:
        """Write `values` (broadcast) into this tensor's memory. Not recorded, so no gradient may flow through it."""
    def astype(self, dtype: Any) -> Tensor:
        """x in another dtype."""
    def atan(self) -> Tensor:
        """y = atan(x), the angle from -pi/2 to pi/2 whose tangent is x."""
    def atan2(self, x: Any) -> Tensor:
        """The angle from -pi to pi of the point (x, y): atan(y / x) in all four quadrants."""
    def atan2_(self, x: Any) -> Tensor:
        """The angle from -pi to pi of the point (x, y): atan(y / x) in all four quadrants."""
    def atan_(self) -> Tensor:
        """y = atan(x), the angle from -pi/2 to pi/2 whose tangent is x."""
    def atanh(self) -> Tensor:
        """y = atanh(x), whose hyperbolic tangent is x: log((1 + x) / (1 - x)) / 2; NaN outside of -1 to 1."""
    def atanh_(self) -> Tensor:
        """y = atanh(x), whose hyperbolic tangent is x: log((1 + x) / (1 - x)) / 2; NaN outside of -1 to 1."""
    def backward(self, gradient: Any = ..., retain_graph: builtins.bool | None = ..., create_graph: builtins.bool = ...) -> None:
        """Add d(output)/d(leaf) to the ``grad`` of every leaf that `output` was computed from."""
    def baddbmm(self, batch1: Any, batch2: Any, *, beta: builtins.float = ..., alpha: builtins.float = ...) -> Tensor:
        """beta * x + alpha * (batch1 @ batch2) of two batches of matrices; see :func:`addmm`."""
    def become_(self, result: Tensor) -> Tensor:
        """Take over the values and history of `result`, computed from this tensor: a recorded in-place change."""
    def bernoulli(self, *, generator: Generator | None = ...) -> Tensor:
        """1 with probability x, 0 otherwise, drawn for each number of x; without gradient."""
    def bernoulli_(self, p: Any = ..., *, generator: Generator | None = ...) -> Tensor:
        """Write 1 with probability `p`, a number or a Tensor that broadcasts, and 0 otherwise, see :meth:`Tensor.assign_`."""
    def bincount(self, weights: Any = ..., minlength: builtins.int = ...) -> Tensor:
        """y[k] = how often k is in x; with `weights`, the sum of weights[i] over the i with x[i] = k."""
    def bmm(self, b: Any) -> Tensor:
        """The products of two batches of matrices: a (B, N, K) and b (B, K, M) give (B, N, M)."""
    def bool(self) -> Tensor:
        """True where x is not 0."""
    def broadcast_to(self, shape: builtins.tuple[builtins.int, ...]) -> Tensor:
        """x repeated to `shape`, without copying."""
    def bucketize(self, boundaries: Any, *, out_int32: builtins.bool = ..., right: builtins.bool = ...) -> Tensor:
        """The number i of the interval of each x: boundaries[i - 1] < x <= boundaries[i]; with `right`, < and <= exchanged."""
    def ceil(self) -> Tensor:
        """The smallest integer not below x; its gradient is 0."""
    def ceil_(self) -> Tensor:
        """The smallest integer not below x; its gradient is 0."""
    def changed(self) -> None:
        """Tell the engine that the memory was written to, so that a ``backward`` that needs the old values raises."""
    def check_writable(self) -> None:
        """Raise if the memory is read-only: that of ``expand`` (many elements are one number), or of a read-only array."""
    def chunk(self, chunks: builtins.int, dim: builtins.int = ...) -> builtins.tuple[Tensor, ...]:
        """x cut along `dim` into at most `chunks` pieces of equal size (the last may be smaller)."""
    def clamp(self, min: Any = ..., max: Any = ...) -> Tensor:
        """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds."""
    def clamp_(self, min: Any = ..., max: Any = ...) -> Tensor:
        """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds."""
    def clamp_max(self, max: Any) -> Tensor:
        """x, but at most `max`: ``clamp(x, max=max)``."""
    def clamp_max_(self, max: Any) -> Tensor:
        """x, but at most `max`: ``clamp(x, max=max)``."""
    def clamp_min(self, min: Any) -> Tensor:
        """x, but at least `min`: ``clamp(x, min=min)``."""
    def clamp_min_(self, min: Any) -> Tensor:
        """x, but at least `min`: ``clamp(x, min=min)``."""
    def clip(self, min: Any = ..., max: Any = ...) -> Tensor:
        """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds."""
    def clip_(self, min: Any = ..., max: Any = ...) -> Tensor:
        """x, but at least `min` and at most `max`, numbers or tensors; its gradient is 1 inside and on the bounds."""
    def contiguous(self) -> Tensor:
        """x in C-ordered memory; x itself if it is that already."""
    def copy_(self, source: Any) -> Tensor:
        """Write the values of `source`; recorded where a gradient flows."""
    def corrcoef(self) -> Tensor:
        """y[i, j] = c[i, j] / sqrt(c[i, i] * c[j, j]) with c the :func:`cov`: from -1 to 1, 1 on the diagonal."""
    def cos(self) -> Tensor:
        """y = cos(x), x in radians."""
    def cos_(self) -> Tensor:
        """y = cos(x), x in radians."""
    def cosh(self) -> Tensor:
        """y = cosh(x), the hyperbolic cosine: (e^x + e^-x) / 2."""
    def cosh_(self) -> Tensor:
        """y = cosh(x), the hyperbolic cosine: (e^x + e^-x) / 2."""
    def count_nonzero(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """How many values along `dim` are not 0."""
    def cov(self, *, correction: builtins.int = ..., fweights: Any = ..., aweights: Any = ...) -> Tensor:
        """y[i, j] = sum_n w[n] * (x[i, n] - m[i]) * (x[j, n] - m[j]) / d, with m = sum_n w[n] * x[:, n] / sum_n w[n]."""
    def cpu(self) -> Tensor:
        """``to("cpu")``."""
    def cross(self, x2: Any, dim: builtins.int | None = ...) -> Tensor:
        """The cross product of vectors of 3 components: y[0] = x1[1] * x2[2] - x1[2] * x2[1], and so on around."""
    def cuda(self, non_blocking: builtins.bool = ...) -> Tensor:
        """``to("cuda")``."""
    def cumprod(self, dim: builtins.int, *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """y[i] = x[0] * ... * x[i] along `dim`; of integers and booleans in int64. Its gradient is right at 0 too."""
    def cumsum(self, dim: builtins.int, *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """y[i] = x[0] + ... + x[i] along `dim`; of integers and booleans in int64."""
    def deg2rad(self) -> Tensor:
        """x * pi / 180: degrees in radians."""
    def deg2rad_(self) -> Tensor:
        """x * pi / 180: degrees in radians."""
    def diag(self, diagonal: builtins.int = ...) -> Tensor:
        """The matrix with x (N,) on a diagonal and 0 elsewhere; of a matrix x its :func:`diagonal`, copied."""
    def diag_embed(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        """Matrices with the last axis of x on a diagonal and 0 elsewhere: y[..., i, i + offset] = x[..., i]."""
    def diagonal(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        """y[..., i] = x[..., i, i + offset], where the two axes are `dim1` and `dim2`; offset 1 is just above the diagonal."""
    def diff(self, n: builtins.int = ..., dim: builtins.int = ..., prepend: Any = ..., append: Any = ...) -> Tensor:
        """y[i] = x[i + 1] - x[i] along `dim`, `n` times over; of booleans, whether the two differ."""
    def div(self, x2: Any, *, rounding_mode: builtins.str | None = ...) -> Tensor:
        """x1 / x2; with `rounding_mode` "floor" rounded down, with "trunc" towards 0, both with a gradient of 0."""
    def div_(self, x2: Any, *, rounding_mode: builtins.str | None = ...) -> Tensor:
        """x1 / x2; with `rounding_mode` "floor" rounded down, with "trunc" towards 0, both with a gradient of 0."""
    def dot(self, b: Any) -> Tensor:
        """sum_k a[k] * b[k] of two vectors."""
    def double(self) -> Tensor:
        """x in float64."""
    def eq(self, x2: Any) -> Tensor:
        """x1 == x2, as booleans."""
    def equal(self, other: Any) -> builtins.bool:
        """Whether the shapes and all numbers are the same: one Python boolean."""
    def erf(self) -> Tensor:
        """y = erf(x), the error function: 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x."""
    def erf_(self) -> Tensor:
        """y = erf(x), the error function: 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x."""
    def exp(self) -> Tensor:
        """y = e^x."""
    def exp2(self) -> Tensor:
        """y = 2^x."""
    def exp2_(self) -> Tensor:
        """y = 2^x."""
    def exp_(self) -> Tensor:
        """y = e^x."""
    def expand(self, *sizes: builtins.int | Sequence[builtins.int]) -> Tensor:
        """x repeated along axes of size 1 and new axes in front, without copying; -1 keeps a size."""
    def expand_as(self, other: Any) -> Tensor:
        """x repeated to the shape of `other`, see :func:`expand`."""
    def expm1(self) -> Tensor:
        """y = e^x - 1, exact for small x."""
    def expm1_(self) -> Tensor:
        """y = e^x - 1, exact for small x."""
    def exponential_(self, lambd: builtins.float = ..., *, generator: Generator | None = ...) -> Tensor:
        """Write numbers drawn from the exponential distribution of mean 1 / lambd, see :meth:`Tensor.assign_`."""
    def fill_(self, value: builtins.float) -> Tensor:
        """Write one value everywhere; recorded where a gradient flows."""
    def fill_diagonal_(self, fill_value: builtins.float, wrap: builtins.bool = ...) -> Tensor:
        """`fill_value` in the places x[i, i, ...], x elsewhere."""
    def fix(self) -> Tensor:
        """x without what is behind its decimal point: the nearest integer towards 0; its gradient is 0."""
    def flatten(self, start_dim: builtins.int = ..., end_dim: builtins.int = ...) -> Tensor:
        """x with the axes from `start_dim` to `end_dim` joined into one."""
    def flip(self, *axes: builtins.int | Sequence[builtins.int], dims: builtins.int | Sequence[builtins.int] = ...) -> Tensor:
        """x in reverse order along `dims`, also given as ``flip(x, 0, 1)``."""
    def fliplr(self) -> Tensor:
        """x in reverse order along axis 1: left and right of a matrix exchanged."""
    def flipud(self) -> Tensor:
        """x in reverse order along axis 0: top and bottom of a matrix exchanged."""
    def float(self) -> Tensor:
        """x in float32."""
    def floor(self) -> Tensor:
        """The largest integer not above x; its gradient is 0."""
    def floor_(self) -> Tensor:
        """The largest integer not above x; its gradient is 0."""
    def floor_divide(self, x2: Any) -> Tensor:
        """floor(x1 / x2), without gradient."""
    def floor_divide_(self, x2: Any) -> Tensor:
        """floor(x1 / x2), without gradient."""
    def fmod(self, x2: Any) -> Tensor:
        """The remainder of x1 / x2 with the sign of x1, as in C; :func:`remainder` has that of x2, as in Python."""
    def fmod_(self, x2: Any) -> Tensor:
        """The remainder of x1 / x2 with the sign of x1, as in C; :func:`remainder` has that of x2, as in Python."""
    def frac(self) -> Tensor:
        """What is behind the decimal point of x, with its sign: x - trunc(x)."""
    def frac_(self) -> Tensor:
        """What is behind the decimal point of x, with its sign: x - trunc(x)."""
    def gather(self, dim: builtins.int, index: Any) -> Tensor:
        """y[i, j] = x[index[i, j], j] for ``dim=0``, x[i, index[i, j]] for ``dim=1``, and so on for more axes."""
    def ge(self, x2: Any) -> Tensor:
        """x1 >= x2, as booleans."""
    def gt(self, x2: Any) -> Tensor:
        """x1 > x2, as booleans."""
    def histc(self, bins: builtins.int = ..., min: builtins.float = ..., max: builtins.float = ...) -> Tensor:
        """How many numbers of x lie in each of `bins` equal parts of the range from `min` to `max`, in the dtype of x."""
    def hsplit(self, indices_or_sections: Any) -> builtins.tuple[Tensor, ...]:
        """x cut side by side: along axis 1, an x of one axis along it; into equal parts, or at the places in a list."""
    def hypot(self, x2: Any) -> Tensor:
        """sqrt(x1^2 + x2^2), the length of the vector (x1, x2); at the origin its gradient is 0."""
    def hypot_(self, x2: Any) -> Tensor:
        """sqrt(x1^2 + x2^2), the length of the vector (x1, x2); at the origin its gradient is 0."""
    def index_add(self, dim: builtins.int, index: Any, source: Any, *, alpha: builtins.float = ...) -> Tensor:
        """y = x, then y[index[i]] += alpha * source[i] along `dim`; entries for the same place add up."""
    def index_add_(self, dim: builtins.int, index: Any, source: Any, *, alpha: builtins.float = ...) -> Tensor:
        """y = x, then y[index[i]] += alpha * source[i] along `dim`; entries for the same place add up."""
    def index_copy(self, dim: builtins.int, index: Any, source: Any) -> Tensor:
        """y = x, then y[index[i]] = source[i] along `dim`; of several for one place the last one stays."""
    def index_copy_(self, dim: builtins.int, index: Any, source: Any) -> Tensor:
        """y = x, then y[index[i]] = source[i] along `dim`; of several for one place the last one stays."""
    def index_fill(self, dim: builtins.int, index: Any, value: Any) -> Tensor:
        """y = x, then y[index] = `value`, one number, along `dim`; negative positions count from the end."""
    def index_fill_(self, dim: builtins.int, index: Any, value: Any) -> Tensor:
        """y = x, then y[index] = `value`, one number, along `dim`; negative positions count from the end."""
    def index_put(self, indices: Sequence[Any], values: Any, accumulate: builtins.bool = ...) -> Tensor:
        """y = x, then y[indices] = values, or with `accumulate` y[indices] += values, those for one place added up."""
    def index_put_(self, indices: Sequence[Any], values: Any, accumulate: builtins.bool = ...) -> Tensor:
        """y = x, then y[indices] = values, or with `accumulate` y[indices] += values, those for one place added up."""
    def index_select(self, dim: builtins.int, index: Any) -> Tensor:
        """The entries `index` (one axis of integers from 0) of x along `dim`."""
    def inner(self, x2: Any) -> Tensor:
        """y[i..., j...] = sum_k x1[i..., k] * x2[j..., k]: along the last axis of both; of a number, x1 * x2."""
    def int(self) -> Tensor:
        """x in int32."""
    def is_contiguous(self) -> builtins.bool:
        """Whether the numbers lie in C order, one after the other."""
    @property
    def is_cuda(self) -> builtins.bool:
        """Whether the numbers are on a GPU."""
    def isclose(self, other: Any, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> Tensor:
        """|x - other| <= atol + rtol * |other|, as booleans; infinities are close to themselves, NaN with `equal_nan`."""
    def isfinite(self) -> Tensor:
        """Where x is neither infinite nor NaN, as booleans."""
    def isinf(self) -> Tensor:
        """Where x is infinite, as booleans."""
    def isnan(self) -> Tensor:
        """Where x is NaN, as booleans."""
    def kron(self, x2: Any) -> Tensor:
        """The Kronecker product: x2 in place of every number of x1, multiplied by it."""
    def kthvalue(self, k: builtins.int, dim: builtins.int = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> ValuesAndIndices:
        """The k-th smallest value along `dim`, from 1 on, and where it is; NaN counts as the largest."""
    def le(self, x2: Any) -> Tensor:
        """x1 <= x2, as booleans."""
    def lerp(self, x2: Any, weight: Any) -> Tensor:
        """x1 + weight * (x2 - x1): x1 where `weight` is 0, x2 where it is 1, a moving average where it is small."""
    def lerp_(self, x2: Any, weight: Any) -> Tensor:
        """x1 += weight * (x2 - x1)."""
    def log(self) -> Tensor:
        """y = log(x), the natural logarithm; -inf at 0, NaN below."""
    def log10(self) -> Tensor:
        """y = log10(x), the logarithm to base 10; -inf at 0, NaN below."""
    def log10_(self) -> Tensor:
        """y = log10(x), the logarithm to base 10; -inf at 0, NaN below."""
    def log1p(self) -> Tensor:
        """y = log(1 + x), exact for small x."""
    def log1p_(self) -> Tensor:
        """y = log(1 + x), exact for small x."""
    def log2(self) -> Tensor:
        """y = log2(x), the logarithm to base 2; -inf at 0, NaN below."""
    def log2_(self) -> Tensor:
        """y = log2(x), the logarithm to base 2; -inf at 0, NaN below."""
    def log_(self) -> Tensor:
        """y = log(x), the natural logarithm; -inf at 0, NaN below."""
    def log_softmax(self, dim: builtins.int = ..., dtype: Any = ...) -> Tensor:
        """log(softmax(x)), exact where softmax would round to 0; with `dtype`, x is converted first."""
    def logaddexp(self, x2: Any) -> Tensor:
        """log(e^x1 + e^x2): adds two probabilities whose logarithms are given."""
    def logaddexp_(self, x2: Any) -> Tensor:
        """log(e^x1 + e^x2): adds two probabilities whose logarithms are given."""
    def logical_and(self, x2: Any) -> Tensor:
        """Whether both x1 and x2 are true (not 0)."""
    def logical_not(self) -> Tensor:
        """Whether x is not true (is 0)."""
    def logical_or(self, x2: Any) -> Tensor:
        """Whether x1 or x2 or both are true (not 0)."""
    def logical_xor(self, x2: Any) -> Tensor:
        """Whether one of x1 and x2 is true (not 0), but not both."""
    def logit(self, eps: builtins.float | None = ...) -> Tensor:
        """log(x / (1 - x)), the inverse of the sigmoid: NaN outside of 0 to 1; with `eps`, of x cut to eps ... 1 - eps."""
    def logit_(self, eps: builtins.float | None = ...) -> Tensor:
        """log(x / (1 - x)), the inverse of the sigmoid: NaN outside of 0 to 1; with `eps`, of x cut to eps ... 1 - eps."""
    def logsumexp(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """log(sum of e^x) along `dim`, without overflow."""
    def long(self) -> Tensor:
        """x in int64."""
    def lt(self, x2: Any) -> Tensor:
        """x1 < x2, as booleans."""
    @property
    def mT(self) -> Tensor:
        """The tensor with its last two axes exchanged."""
    def masked_fill(self, mask: Any, value: builtins.float) -> Tensor:
        """`value` where `mask` (bool) is true, x elsewhere, in the dtype of x."""
    def masked_fill_(self, mask: Any, value: builtins.float) -> Tensor:
        """`value` where `mask` (bool) is true, x elsewhere, in the dtype of x."""
    def masked_scatter(self, mask: Any, source: Any) -> Tensor:
        """y = x, then the places where `mask` (bool) is true are filled with the numbers of `source`, in order."""
    def masked_scatter_(self, mask: Any, source: Any) -> Tensor:
        """y = x, then the places where `mask` (bool) is true are filled with the numbers of `source`, in order."""
    def masked_select(self, mask: Any) -> Tensor:
        """The values of x where `mask` (bool) is true, as one axis."""
    def matmul(self, b: Any) -> Tensor:
        """The matrix product over the last two axes; axes in front broadcast; a vector is a row (left) or a column (right)."""
    def max(self, dim: builtins.int | Tensor | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Any:
        """The largest value of all; along `dim`, the values and their (first) indices; NaN counts as the largest."""
    def maximum(self, x2: Any) -> Tensor:
        """The larger of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient."""
    def mean(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The sum along `dim` divided by the number of values; NaN where there are none."""
    def median(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Any:
        """The middle one of the values in order, the lower of two; along `dim`, these values and where they are."""
    def min(self, dim: builtins.int | Tensor | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Any:
        """The smallest value of all; along `dim`, the values and their (first) indices; NaN counts as the smallest."""
    def minimum(self, x2: Any) -> Tensor:
        """The smaller of x1 and x2; NaN if either is. Where they are equal each gets half of the gradient."""
    def mm(self, b: Any) -> Tensor:
        """The product of two matrices: a (N, K) and b (K, M) give (N, M)."""
    def move(self, device: builtins.str) -> Tensor:
        """x on another device: ``"cpu"``, ``"cuda"`` (the current GPU), ``"cuda:1"``."""
    def moveaxis(self, source: builtins.int | builtins.tuple[builtins.int, ...], destination: builtins.int | builtins.tuple[builtins.int, ...]) -> Tensor:
        """x with one or several axes moved from `source` to `destination`; the others keep their order."""
    def movedim(self, source: builtins.int | builtins.tuple[builtins.int, ...], destination: builtins.int | builtins.tuple[builtins.int, ...]) -> Tensor:
        """x with one or several axes moved from `source` to `destination`; the others keep their order."""
    def mul(self, x2: Any) -> Tensor:
        """x1 * x2, element by element."""
    def mul_(self, x2: Any) -> Tensor:
        """x1 * x2, element by element."""
    def multinomial(self, num_samples: builtins.int, replacement: builtins.bool = ..., *, generator: Generator | None = ...) -> Tensor:
        """`num_samples` positions drawn from each row of x, position i with probability x[i] / sum_j x[j]."""
    def mv(self, b: Any) -> Tensor:
        """A matrix times a vector: a (N, K) and b (K,) give (N,)."""
    def nan_to_num(self, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ...) -> Tensor:
        """x with numbers for what is none: `nan` for NaN, `posinf` for inf, `neginf` for -inf; no gradient goes there."""
    def nan_to_num_(self, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ...) -> Tensor:
        """x with numbers for what is none: `nan` for NaN, `posinf` for inf, `neginf` for -inf; no gradient goes there."""
    def nanmean(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The mean along `dim` of what is not NaN; NaN where all is."""
    def nansum(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The sum along `dim` of what is not NaN; 0 where all is, or nothing is there."""
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
        """`length` numbers of x along `dim`, from `start` on."""
    def ndimension(self) -> builtins.int:
        """The number of axes: ``x.dim()``."""
    def ne(self, x2: Any) -> Tensor:
        """x1 != x2, as booleans."""
    def neg(self) -> Tensor:
        """y = -x."""
    def neg_(self) -> Tensor:
        """y = -x."""
    def nelement(self) -> builtins.int:
        """The number of elements: ``x.numel()``."""
    def new_empty(self, *sizes: builtins.int | Sequence[builtins.int], dtype: Any = ..., device: builtins.str | None = ...) -> Tensor:
        """Whatever values the memory held, in the given size, in the dtype and on the device of x."""
    def new_full(self, size: Sequence[builtins.int], fill_value: builtins.float, dtype: Any = ..., device: builtins.str | None = ...) -> Tensor:
        """One value in the given size, in the dtype and on the device of x."""
    def new_ones(self, *size: builtins.int | Sequence[builtins.int], dtype: Any = ..., device: builtins.str | None = ...) -> Tensor:
        """Ones of the given size in the dtype and on the device of x."""
    def new_tensor(self, data: Any, dtype: Any = ..., device: builtins.str | None = ...) -> Tensor:
        """A copy of `data` in the dtype and on the device of x."""
    def new_zeros(self, *size: builtins.int | Sequence[builtins.int], dtype: Any = ..., device: builtins.str | None = ...) -> Tensor:
        """Zeros of the given size in the dtype and on the device of x."""
    def nonzero(self, as_tuple: builtins.bool = ...) -> Any:
        """The positions of the values that are not 0 (NaN included), one row each; `as_tuple`, one array for each axis."""
    def norm(self, p: builtins.float | builtins.str | None = ..., dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """(sum |x|^p)^(1/p) along `dim`; ``p=inf`` the largest |x|, ``p=0`` the number of values that are not 0."""
    def normal_(self, mean: builtins.float = ..., std: builtins.float = ..., *, generator: Generator | None = ...) -> Tensor:
        """Write numbers drawn from the normal distribution, see :meth:`Tensor.assign_`."""
    def outer(self, b: Any) -> Tensor:
        """y[i, j] = a[i] * b[j] of two vectors."""
    def permute(self, *order: builtins.int | Sequence[builtins.int], dims: Sequence[builtins.int] = ...) -> Tensor:
        """x with its axes in the order `dims`, also given as ``permute(x, 1, 0)``: y.shape[i] = x.shape[dims[i]]."""
    def pow(self, x2: Any) -> Tensor:
        """x1 ** x2; booleans count as the integers 0 and 1."""
    def pow_(self, x2: Any) -> Tensor:
        """x1 ** x2; booleans count as the integers 0 and 1."""
    def prod(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The product along `dim`; of integers and booleans in int64."""
    def quantile(self, q: Any, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, interpolation: builtins.str = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The number that a fraction `q` of the values along `dim` lies below; NaN if any value is NaN."""
    def rad2deg(self) -> Tensor:
        """x * 180 / pi: radians in degrees."""
    def rad2deg_(self) -> Tensor:
        """x * 180 / pi: radians in degrees."""
    def ravel(self) -> Tensor:
        """x with all axes joined into one: ``flatten(x)``."""
    def reciprocal(self) -> Tensor:
        """y = 1 / x."""
    def reciprocal_(self) -> Tensor:
        """y = 1 / x."""
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call ``hook(grad)`` in every ``backward`` through this tensor; its result, unless None, replaces the gradient."""
    def relu(self, inplace: builtins.bool = ...) -> Tensor:
        """max(x, 0); the gradient at 0 is 0, and NaN stays NaN."""
    def relu_(self, inplace: builtins.bool = ...) -> Tensor:
        """max(x, 0); the gradient at 0 is 0, and NaN stays NaN."""
    def remainder(self, x2: Any) -> Tensor:
        """x1 % x2 = x1 - floor(x1 / x2) * x2: the sign of x2, as in Python."""
    def remainder_(self, x2: Any) -> Tensor:
        """x1 % x2 = x1 - floor(x1 / x2) * x2: the sign of x2, as in Python."""
    def repeat(self, *repeats: builtins.int | Sequence[builtins.int]) -> Tensor:
        """x tiled: `repeats` copies along each axis, new axes in front."""
    def repeat_interleave(self, repeats: Any, dim: builtins.int | None = ...) -> Tensor:
        """Each entry of x along `dim`, repeated `repeats` times in a row; without `dim`, each of the flattened x."""
    def reshape(self, *shape: builtins.int | Sequence[builtins.int]) -> Tensor:
        """x in another shape with as many numbers; one size may be -1, meaning "what is left"."""
    def reshape_as(self, other: Any) -> Tensor:
        """x in the shape of `other`."""
    def retain_grad(self) -> None:
        """Let ``backward`` add the gradient of this tensor to its ``grad`` even though it is not a leaf."""
    @property
    def retains_grad(self) -> builtins.bool:
        """Whether ``retain_grad`` was called on a tensor that is not a leaf."""
    def roll(self, shifts: builtins.int | Sequence[builtins.int], dims: builtins.int | Sequence[builtins.int] | None = ...) -> Tensor:
        """x shifted by `shifts` along `dims`; what leaves at one end comes in at the other. None shifts the flattened x."""
    def rot90(self, k: builtins.int = ..., dims: Sequence[builtins.int] = ...) -> Tensor:
        """x turned by `k` right angles, from the first of the two axes `dims` to the second; a copy."""
    def round(self, decimals: builtins.int = ...) -> Tensor:
        """The nearest number of `decimals` decimals, ties to even; its gradient is 0."""
    def round_(self, decimals: builtins.int = ...) -> Tensor:
        """The nearest number of `decimals` decimals, ties to even; its gradient is 0."""
    def rsqrt(self) -> Tensor:
        """y = 1 / sqrt(x)."""
    def rsqrt_(self) -> Tensor:
        """y = 1 / sqrt(x)."""
    def scatter(self, dim: builtins.int, index: Any, src: Any = ..., *, value: builtins.float | None = ...) -> Tensor:
        """y = x, then y[index[i, j], j] = src[i, j] for ``dim=0``, y[i, index[i, j]] = src[i, j] for ``dim=1``, and so on."""
    def scatter_(self, dim: builtins.int, index: Any, src: Any = ..., *, value: builtins.float | None = ...) -> Tensor:
        """y = x, then y[index[i, j], j] = src[i, j] for ``dim=0``, y[i, index[i, j]] = src[i, j] for ``dim=1``, and so on."""
    def scatter_add(self, dim: builtins.int, index: Any, src: Any) -> Tensor:
        """y = x, then y[index[i, j], j] += src[i, j] for ``dim=0``, y[i, index[i, j]] += src[i, j] for ``dim=1`` ..."""
    def scatter_add_(self, dim: builtins.int, index: Any, src: Any) -> Tensor:
        """y = x, then y[index[i, j], j] += src[i, j] for ``dim=0``, y[i, index[i, j]] += src[i, j] for ``dim=1`` ..."""
    def scatter_reduce(self, dim: builtins.int, index: Any, src: Any, reduce: builtins.str, *, include_self: builtins.bool = ...) -> Tensor:
        """y = x, then y[index[i, j], j] = the `reduce` of all src[i, j] that go there, and of x[...] with `include_self`."""
    def scatter_reduce_(self, dim: builtins.int, index: Any, src: Any, reduce: builtins.str, *, include_self: builtins.bool = ...) -> Tensor:
        """y = x, then y[index[i, j], j] = the `reduce` of all src[i, j] that go there, and of x[...] with `include_self`."""
    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:
        """The entry `index` of x along `dim`, without that axis: x[:, index] for ``dim=1``. It shares the memory of x."""
    def shares_memory(self) -> builtins.bool:
        """Whether another existing tensor shares this one's memory: a view of it, or the tensor that it is a view of."""
    def sigmoid(self) -> Tensor:
        """1 / (1 + e^-x)."""
    def sigmoid_(self) -> Tensor:
        """1 / (1 + e^-x)."""
    def sign(self) -> Tensor:
        """-1, 0 or 1, and 0 for NaN; its gradient is 0."""
    def sign_(self) -> Tensor:
        """-1, 0 or 1, and 0 for NaN; its gradient is 0."""
    def sin(self) -> Tensor:
        """y = sin(x), x in radians."""
    def sin_(self) -> Tensor:
        """y = sin(x), x in radians."""
    def sinc(self) -> Tensor:
        """sin(pi * x) / (pi * x), and 1 at 0."""
    def sinc_(self) -> Tensor:
        """sin(pi * x) / (pi * x), and 1 at 0."""
    def sinh(self) -> Tensor:
        """y = sinh(x), the hyperbolic sine: (e^x - e^-x) / 2."""
    def sinh_(self) -> Tensor:
        """y = sinh(x), the hyperbolic sine: (e^x - e^-x) / 2."""
    def softmax(self, dim: builtins.int = ..., dtype: Any = ...) -> Tensor:
        """y[i] = e^x[i] / sum_j e^x[j] along axis `dim`: positive numbers that add up to 1."""
    def sort(self, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ...) -> ValuesAndIndices:
        """The values in order along `dim`, and where each came from; equal values always keep their order, as if `stable`."""
    def split(self, split_size: builtins.int | Sequence[builtins.int], dim: builtins.int = ...) -> builtins.tuple[Tensor, ...]:
        """x cut along `dim` into pieces of `split_size` (the last may be smaller), or of the sizes in a list."""
    def sqrt(self) -> Tensor:
        """y = sqrt(x); NaN below 0."""
    def sqrt_(self) -> Tensor:
        """y = sqrt(x); NaN below 0."""
    def square(self) -> Tensor:
        """y = x^2."""
    def square_(self) -> Tensor:
        """y = x^2."""
    def squeeze(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ...) -> Tensor:
        """x without its axes of size 1; of those that `dim` names, if it is given."""
    def std(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., correction: builtins.float = ..., keepdim: builtins.bool = ..., unbiased: builtins.bool | None = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The square root of :func:`var`; where it is 0 its gradient is 0."""
    def sub(self, x2: Any, *, alpha: builtins.float = ...) -> Tensor:
        """x1 - alpha * x2."""
    def sub_(self, x2: Any, *, alpha: builtins.float = ...) -> Tensor:
        """x1 -= alpha * x2."""
    def sum(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """The sum along `dim`."""
    def swapaxes(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """x with two axes exchanged."""
    def swapdims(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """x with two axes exchanged."""
    def t(self) -> Tensor:
        """The transposed matrix."""
    def take(self, index: Any) -> Tensor:
        """The numbers of the flattened x at `index`, in the shape of index; negative positions count from the end."""
    def take_along_dim(self, indices: Any, dim: builtins.int | None = ...) -> Tensor:
        """y[i, j, ...] = x[i, indices[i, j, ...], ...] with the index in place of axis `dim`; the other axes broadcast."""
    def tan(self) -> Tensor:
        """y = tan(x), x in radians."""
    def tan_(self) -> Tensor:
        """y = tan(x), x in radians."""
    def tanh(self) -> Tensor:
        """y = tanh(x), the hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x)."""
    def tanh_(self) -> Tensor:
        """y = tanh(x), the hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x)."""
    def tensor_split(self, indices_or_sections: Any, dim: builtins.int = ...) -> builtins.tuple[Tensor, ...]:
        """x cut along `dim` into a number of parts, the first ones larger by 1; or at the places in a list."""
    def tile(self, *dims: builtins.int | Sequence[builtins.int]) -> Tensor:
        """:func:`repeat`, where `dims` may be fewer than the axes of x: those in front are then not repeated."""
    def to(self, *targets: Any, device: builtins.str | None = ..., dtype: Any = ..., non_blocking: builtins.bool = ...) -> Tensor:
        """x on another device (``"cpu"``, ``"cuda"``), in another dtype, or in both of another Tensor or array."""
    def topk(self, k: builtins.int, dim: builtins.int = ..., largest: builtins.bool = ..., sorted: builtins.bool = ...) -> ValuesAndIndices:
        """The k largest (or smallest) values along `dim` and where they are, always in order, as if `sorted`, best first."""
    def trace(self) -> Tensor:
        """sum_i x[i, i] of a matrix."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """x with two axes exchanged."""
    def tril(self, diagonal: builtins.int = ...) -> Tensor:
        """x with zeros above the given diagonal: 0 is the main one, 1 the one above it, -1 the one below."""
    def tril_(self, diagonal: builtins.int = ...) -> Tensor:
        """x with zeros above the given diagonal: 0 is the main one, 1 the one above it, -1 the one below."""
    def triu(self, diagonal: builtins.int = ...) -> Tensor:
        """x with zeros below the given diagonal, see :func:`tril`."""
    def triu_(self, diagonal: builtins.int = ...) -> Tensor:
        """x with zeros below the given diagonal, see :func:`tril`."""
    def trunc(self) -> Tensor:
        """x without what is behind its decimal point: the nearest integer towards 0; its gradient is 0."""
    def trunc_(self) -> Tensor:
        """x without what is behind its decimal point: the nearest integer towards 0; its gradient is 0."""
    def type(self, dtype: Any) -> Tensor:
        """x in another dtype."""
    def type_as(self, other: Any) -> Tensor:
        """x in the dtype and on the device of another Tensor or array, as ``other.data`` is."""
    def unbind(self, dim: builtins.int = ...) -> builtins.tuple[Tensor, ...]:
        """x cut along `dim` into pieces of size 1, without that axis."""
    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor:
        """x with axis `dim` cut into several, of the given `sizes`."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """Windows along one axis: y[..., i, ..., j] = x[..., i * step + j, ...], a new last axis of `size`, copied."""
    def uniform_(self, low: builtins.float = ..., high: builtins.float = ..., *, generator: Generator | None = ...) -> Tensor:
        """Write numbers drawn evenly from `low` to `high`, see :meth:`Tensor.assign_`."""
    def unique(self, sorted: builtins.bool = ..., return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ...) -> Any:
        """The values of x, each once, in ascending order; along `dim`, the different slices."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """x with a new axis of size 1 at `dim`."""
    def var(self, dim: builtins.int | builtins.tuple[builtins.int, ...] | None = ..., correction: builtins.float = ..., keepdim: builtins.bool = ..., unbiased: builtins.bool | None = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        """sum((x - mean)^2) / (n - correction) along `dim`: ``correction=1`` estimates the variance of what x samples."""
    def view(self, *shape: builtins.int | Sequence[builtins.int]) -> Tensor:
        """x in another shape with as many numbers; one size may be -1, meaning "what is left"."""
    def view_as(self, other: Any) -> Tensor:
        """x in the shape of `other`."""
    def vsplit(self, indices_or_sections: Any) -> builtins.tuple[Tensor, ...]:
        """x, of at least 2 axes, cut along axis 0: into equal parts, or at the places in a list."""
    def where(self, condition: Any, x2: Any) -> Tensor: ...
    def xlogy(self, x2: Any) -> Tensor:
        """x1 * log(x2), and 0 where x1 is 0, whatever x2 is; NaN where x2 is."""
    def xlogy_(self, x2: Any) -> Tensor:
        """x1 * log(x2), and 0 where x1 is 0, whatever x2 is; NaN where x2 is."""
    def zero_(self) -> Tensor:
        """Write 0 everywhere; recorded where a gradient flows."""
