"""New tensors: of one value, of a sequence, of an array. Random ones are in random_tensors.py.

Floating-point tensors are float32 unless `dtype` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.autograd import Tensor, is_array, tensor, tensor_method, to_device
from minidl.functional.operands import integers, sizes_of

__all__ = [
    "BoolTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor", "arange", "as_tensor", "clone", "empty",
    "empty_like", "eye", "from_numpy", "full", "full_like", "get_default_dtype", "linspace", "logspace", "ones",
    "ones_like", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip


def get_default_dtype() -> Any:
    """The dtype of what is made of Python floats: always float32, as there is no ``set_default_dtype``."""
    return np.float32


def placed(array: np.ndarray, device: str | None, requires_grad: bool) -> Tensor:
    """The array as a Tensor, on the device if one is given."""
    return Tensor(array if device is None else to_device(array, device), requires_grad)


def new_size(arguments: tuple, by_name: Any = None) -> tuple[int, ...]:
    """The size of a new tensor, given as ``(2, 3)``, as ``2, 3``, or by its name."""
    size = sizes_of(arguments, "size", by_name)
    if min(size, default=0) < 0:
        raise ValueError(f"size must not be negative, got {size}")
    return size


def not_negative(name: str, value: Any) -> int:
    """The argument `name`, one integer from 0 up."""
    (count,) = integers(name, value)
    if count < 0:
        raise ValueError(f"{name} must not be negative, got {count}")
    return count


def as_tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """`data` as a Tensor: a Tensor stays itself, an array keeps its memory, numbers in nested lists are copied.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.ones(2)
    >>> minidl.as_tensor(x) is x, minidl.as_tensor([1.5]).dtype
    (True, dtype('float32'))
    """
    if not isinstance(data, Tensor) and not is_array(data):
        return tensor(data, dtype, device)
    x = data if isinstance(data, Tensor) else Tensor(data)
    return x.to(device=device, dtype=dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor in the memory of `array`: a change of one is a change of the other.

    Examples
    --------
    >>> import minidl, numpy as np
    >>> array = np.zeros(2)
    >>> x = minidl.from_numpy(array)
    >>> array[0] = 7
    >>> x
    tensor([7., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy needs a NumPy array, got {type(array).__name__}; use minidl.tensor")
    return Tensor(array)


def clone(x: Tensor) -> Tensor:
    """A copy of x, through which its gradient passes: ``x.clone()``."""
    return x.clone()


def zeros(
    *sizes: int | Sequence[int], size: Any = None, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of zeros.

    Examples
    --------
    >>> import minidl
    >>> minidl.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return placed(np.zeros(new_size(sizes, size), dtype or np.float32), device, requires_grad)


def ones(
    *sizes: int | Sequence[int], size: Any = None, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of ones."""
    return placed(np.ones(new_size(sizes, size), dtype or np.float32), device, requires_grad)


def empty(
    *sizes: int | Sequence[int], size: Any = None, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor with whatever values its memory held before."""
    return placed(np.empty(new_size(sizes, size), dtype or np.float32), device, requires_grad)


def full(
    size: Sequence[int], fill_value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value; integers and booleans keep their dtype, floats are float32.

    Examples
    --------
    >>> import minidl
    >>> minidl.full((2, 2), 0.5)
    tensor([[0.5, 0.5],
            [0.5, 0.5]])
    """
    dtype = dtype or (np.float32 if isinstance(fill_value, float) else np.asarray(fill_value).dtype)
    return placed(np.full(new_size((size,)), fill_value, dtype), device, requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """start, start + step, ... below `end`; ``arange(n)`` is 0, ..., n - 1. Integers give int64, floats float32.

    Examples
    --------
    >>> import minidl
    >>> minidl.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange needs a step that leads from start to end, got {start}, {end} and step {step}")
    floating = any(isinstance(value, (float, np.floating)) for value in (start, end, step))
    dtype = np.dtype(dtype or (np.float32 if floating else np.int64))
    # In float32, NumPy would round the step to what start + step can hold.
    numbers = np.arange(start, end, step, np.float64 if dtype.kind == "f" else dtype)
    return placed(numbers.astype(dtype, copy=False), device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included.

    Examples
    --------
    >>> import minidl
    >>> minidl.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    return placed(
        np.linspace(start, end, not_negative("steps", steps), dtype=dtype or np.float32), device, requires_grad
    )


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base^z for `steps` numbers z at equal distances from `start` to `end`: learning rates to try, for example.

    Examples
    --------
    >>> import minidl
    >>> minidl.logspace(-2, 1, 4)
    tensor([ 0.01,  0.1 ,  1.  , 10.  ])
    """
    return placed(
        np.logspace(start, end, not_negative("steps", steps), base=base, dtype=dtype or np.float32),
        device,
        requires_grad,
    )


def eye(
    n: int, m: int | None = None, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """The n x n (or n x m) matrix with ones on its diagonal.

    Examples
    --------
    >>> import minidl
    >>> minidl.eye(2, 3)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    rows = not_negative("n", n)
    columns = rows if m is None else not_negative("m", m)
    return placed(np.eye(rows, columns, dtype=dtype or np.float32), device, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype and on the device of x."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype and on the device of x."""
    return ones(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def full_like(
    x: Tensor, fill_value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype and on the device of x.

    Examples
    --------
    >>> import minidl
    >>> minidl.full_like(minidl.zeros(2, dtype="float64"), 3)
    tensor([3., 3.], dtype=float64)
    """
    return full(x.shape, fill_value, dtype or x.dtype, device or x.device, requires_grad)


def empty_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Whatever values the memory held, in the shape and dtype and on the device of x.

    Examples
    --------
    >>> import minidl
    >>> minidl.empty_like(minidl.zeros(2, 3)).shape
    (2, 3)
    """
    return empty(x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, dtype: Any = None, device: str | None = None) -> Tensor:
    """Where a matrix (row, col) lies on or below a diagonal, as in :func:`tril`: its rows y[0], its columns y[1].

    Examples
    --------
    >>> import minidl
    >>> minidl.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    row, col = not_negative("row", row), not_negative("col", col)
    return placed(np.stack(np.tril_indices(row, offset, col)).astype(dtype or np.int64), device, False)


def triu_indices(row: int, col: int, offset: int = 0, dtype: Any = None, device: str | None = None) -> Tensor:
    """Where a matrix (row, col) lies on or above a diagonal, as in :func:`triu`: its rows y[0], its columns y[1].

    Examples
    --------
    >>> import minidl
    >>> i, j = minidl.triu_indices(3, 3, offset=1)
    >>> i, j
    (tensor([0, 0, 1]), tensor([1, 2, 2]))
    """
    row, col = not_negative("row", row), not_negative("col", col)
    return placed(np.stack(np.triu_indices(row, offset, col)).astype(dtype or np.int64), device, False)


def _of_dtype(name: str, dtype: Any) -> Callable[..., Tensor]:
    """The older way to make a tensor, `LongTensor` for int64: of a sequence, or of sizes as by :func:`empty`."""

    def make(*data: Any) -> Tensor:
        if len(data) == 1 and isinstance(data[0], Tensor) and data[0].dtype != dtype:
            raise TypeError(f"{name} takes no tensor of {data[0].dtype}: convert it with x.to({np.dtype(dtype)})")
        if len(data) != 1 or isinstance(data[0], (int, np.integer)):
            return empty(*(data or (0,)), dtype=dtype)
        if not hasattr(data[0], "__len__"):
            raise TypeError(f"{name} needs a sequence, or sizes, got {data[0]!r}; for a number write minidl.tensor")
        return data[0] if isinstance(data[0], Tensor) else tensor(tensor(data[0]), dtype)

    make.__name__ = make.__qualname__ = name
    make.dtype = np.dtype(dtype)  # so that x.type(LongTensor) and x.to(LongTensor) say what they mean
    make.__doc__ = f"""A tensor of {np.dtype(dtype)}: of a sequence of numbers, or of sizes, then not filled.

    Newer programs write ``minidl.tensor(data, dtype=...)`` and ``minidl.empty(sizes, dtype=...)``.
    """
    return make


FloatTensor = _of_dtype("FloatTensor", np.float32)
DoubleTensor = _of_dtype("DoubleTensor", np.float64)
IntTensor = _of_dtype("IntTensor", np.int32)
LongTensor = _of_dtype("LongTensor", np.int64)
BoolTensor = _of_dtype("BoolTensor", np.bool_)


@tensor_method()
def new_empty(x: Tensor, *sizes: int | Sequence[int], dtype: Any = None, device: str | None = None) -> Tensor:
    """Whatever values the memory held, in the given size, in the dtype and on the device of x."""
    return empty(*sizes, dtype=dtype or x.dtype, device=device or x.device)


@tensor_method()
def new_zeros(x: Tensor, *size: int | Sequence[int], dtype: Any = None, device: str | None = None) -> Tensor:
    """Zeros of the given size in the dtype and on the device of x."""
    return zeros(*size, dtype=dtype or x.dtype, device=device or x.device)


@tensor_method()
def new_ones(x: Tensor, *size: int | Sequence[int], dtype: Any = None, device: str | None = None) -> Tensor:
    """Ones of the given size in the dtype and on the device of x."""
    return ones(*size, dtype=dtype or x.dtype, device=device or x.device)


@tensor_method()
def new_full(x: Tensor, size: Sequence[int], fill_value: float, dtype: Any = None, device: str | None = None) -> Tensor:
    """One value in the given size, in the dtype and on the device of x."""
    return full(size, fill_value, dtype or x.dtype, device or x.device)


@tensor_method()
def new_tensor(x: Tensor, data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """A copy of `data` in the dtype and on the device of x."""
    return tensor(data, dtype or x.dtype, device or x.device)
