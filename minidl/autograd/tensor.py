"""Tensor: an array that records how it was computed.

Operators and most methods (``x + y``, ``x.sum()``) are differentiable operations, which ``minidl.functional`` defines
and attaches to this class with :func:`tensor_method`. So are ``backward`` (engine.py), ``register_hook`` (hooks.py) and
the methods that change a tensor in place (in_place.py).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.autograd.arrays import as_array, is_array, to_device
from minidl.autograd.grad_mode import grad_mode

if TYPE_CHECKING:  # a stub for editors and type checkers, with the methods that other files attach
    from minidl.autograd.tensor_methods import TensorMethods
else:
    TensorMethods = object

next_number = count(1).__next__  # one counter for operations and in-place changes, which tells their order


class Tensor(TensorMethods):
    """A NumPy or CuPy array, its gradient, and the operation that computed it.

    Parameters
    ----------
    data : array, or numbers in nested lists
        An array is wrapped, not copied (except for non-native byte order); :func:`tensor` copies. Python floats become
        float32.
    requires_grad : bool
        Whether ``backward`` should compute a gradient for this tensor. Floating-point data only.

    Attributes
    ----------
    data : ndarray
        The values, always an array (0-d for a single number). The engine does not see what is written into it. Assign
        an array or a Tensor to replace it.
    grad : Tensor or None
        d(output)/d(self) for the output on which ``backward`` was called, added up over calls. Set it to None to start
        anew, or to a Tensor of the same shape and dtype.
    requires_grad : bool
        True for a leaf that was asked for a gradient, and for every recorded result. Assigning to it calls
        ``requires_grad_``.
    origin : None, Function or (Function, int)
        The operation that computed this tensor, with the output's number if it has several; None for a leaf.
    """

    __slots__ = ("_data", "_grad", "_requires_grad", "origin", "version", "hooks", "__weakref__")
    __array_ufunc__ = None  # so that array + tensor calls the tensor's __radd__

    def __init__(self, data: Any, requires_grad: bool = False):
        self._data = data._data if isinstance(data, Tensor) else as_array(data)
        self._grad = None
        self._requires_grad = False
        self.origin = None
        self.hooks = None  # of a leaf, see hooks.py
        self.version = [0]  # number of the memory's last in-place change; tensors that share memory share this list
        if isinstance(data, Tensor):
            _share_memory(data, self)
        if requires_grad is not False:
            self.requires_grad_(requires_grad)

    # What it is. Properties with a checking setter are read through attrgetter, which saves a Python call at every
    # operation. The class docstring describes them; without doc="" they would show that of attrgetter.

    def _set_data(self, data: Any) -> None:
        if isinstance(data, Tensor):
            data = data._data
        elif isinstance(data, np.generic):  # NumPy's 0-d results
            data = np.asarray(data)
        elif not is_array(data):
            raise TypeError(f"data must be an array or a Tensor, got {type(data).__name__}")
        self._data = as_array(data)

    data = property(attrgetter("_data"), _set_data, doc="")

    def _set_grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"grad must be a Tensor or None, got {type(grad).__name__}")
            if grad.shape != self.shape or grad.dtype != self.dtype:
                raise ValueError(
                    f"grad must be {self.dtype} of shape {self.shape} like its tensor, got {grad.dtype} of {grad.shape}"
                )
        self._grad = grad

    grad = property(attrgetter("_grad"), _set_grad, doc="")

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers, a NumPy dtype."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def device(self) -> str:
        """``"cpu"``, or ``"cuda:0"`` and so on."""
        device = getattr(self.data, "device", "cpu")  # NumPy's arrays say "cpu", CuPy's give an object
        return f"cuda:{device.id}" if hasattr(device, "id") else "cpu"

    @property
    def is_leaf(self) -> bool:
        """Whether it was not computed by a recorded operation; ``backward`` sets the ``grad`` of leaves only."""
        return self.origin is None

    def size(self, dim: int | None = None):
        """The shape, or the length of axis `dim`."""
        return self.data.shape if dim is None else self.data.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.data.size

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.data.itemsize

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating-point one: only those have gradients."""
        return self.data.dtype.kind == "f"

    def __len__(self) -> int:
        if self.data.ndim == 0:
            raise TypeError("len() of a 0-d tensor: it has no axis to count along; use x.item() for its value")
        return len(self.data)

    def __repr__(self) -> str:
        values = np.array2string(
            to_device(self.data, "cpu"), separator=", ", prefix="tensor(", precision=4, threshold=200
        )
        if self.data.size == 0 and self.data.ndim > 1:
            values = f"[], size={self.shape}"
        notes = "" if self.data.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.data.dtype}"
        if self.device != "cpu":
            notes += f", device='{self.device}'"
        if self.origin is not None:
            function = self.origin[0] if type(self.origin) is tuple else self.origin
            notes += f", origin={type(function).__name__}"
        elif self.requires_grad:
            notes += ", requires_grad=True"
        return f"tensor({values}{notes})"

    def __format__(self, specification: str) -> str:
        return format(self.item() if self.data.ndim == 0 else str(self), specification)

    # Its values

    def item(self) -> float | int | bool:
        """The value of a tensor of one element, as a Python number."""
        if self.data.size != 1:
            raise ValueError(f"item() needs a tensor of one element, this one has shape {self.shape}; use tolist()")
        return self.data.item()

    def tolist(self) -> Any:
        """The values as Python numbers in nested lists."""
        return self.data.tolist()

    def numpy(self) -> np.ndarray:
        """The values as a read-only NumPy array; of a tensor on the CPU, without a copy."""
        view = to_device(self.data, "cpu").view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iub":
            raise TypeError(f"only a tensor of integers can be an index, got dtype {self.data.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use x.any() or x.all()")
        return bool(self.data.item())

    def __iter__(self):
        if self.data.ndim == 0:
            raise TypeError("a 0-d tensor has no axis to iterate over; use x.item() for its value")
        return iter(self.unbind())

    def __contains__(self, value) -> bool:
        return bool((self.data == (value.data if isinstance(value, Tensor) else value)).any())

    __hash__ = object.__hash__

    # Its gradient

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this tensor, or no longer; returns it. ``x.requires_grad = True`` does the same.

        Raises
        ------
        TypeError
            `requires_grad` is not a boolean, or the data is not floating point.
        ValueError
            False for a tensor that was computed.
        """
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise TypeError(
                f"requires_grad must be True or False, got {requires_grad!r}; for a shape write minidl.empty(2, 3)"
            )
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(
                f"requires_grad needs floating-point data, got dtype {self.data.dtype}; convert with x.float()"
            )
        if not requires_grad and self.origin is not None:
            raise ValueError(
                "requires_grad can be turned off for leaves only; use x.detach() for a tensor that was computed"
            )
        self._requires_grad = bool(requires_grad)
        return self

    requires_grad = property(attrgetter("_requires_grad"), requires_grad_, doc="")

    def detach(self) -> Tensor:
        """A leaf without gradient that shares this tensor's memory."""
        result = _wrap(self.data)
        _share_memory(self, result)
        return result

    def detach_(self) -> Tensor:
        """Make this tensor a leaf without gradient; what was computed from it before keeps its history.

        Examples
        --------
        >>> import minidl
        >>> state = minidl.tensor([1.0], requires_grad=True) * 2
        >>> state.detach_()
        tensor([2.])
        """
        self.origin, self._requires_grad = None, False
        return self

    def clone(self) -> Tensor:
        """A copy that gradients flow through."""
        return self * 1 if self.requires_grad and grad_mode.enabled else _wrap(self.data.copy())

    # Copies and pickles hold the values, never the history

    def __deepcopy__(self, memo) -> Tensor:
        if self.origin is not None:
            raise ValueError("only leaves can be copied deeply; use x.detach() for a tensor that was computed")
        copy = type(self)(self.data.copy(), self.requires_grad)
        memo[id(self)] = copy
        copy._grad = deepcopy(self._grad, memo)
        return copy

    def __copy__(self) -> Tensor:
        return type(self)(self, self.requires_grad and self.origin is None)

    def __reduce__(self):
        return type(self), (self.data, self.requires_grad and self.origin is None)


def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of `data`; Python floats become float32, integers int64, arrays keep their dtype.

    Raises
    ------
    TypeError
        The data is not real numbers.
    ValueError
        Lists of different lengths.
    OverflowError
        Python numbers that an integer `dtype` can't hold. (Arrays are converted as by NumPy.)

    Examples
    --------
    >>> import minidl
    >>> minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    array = data._data if isinstance(data, Tensor) else as_array(data, dtype)
    array = array.astype(dtype or array.dtype)
    if device is not None:
        array = to_device(array, device)
    return Tensor(array, requires_grad)


def is_tensor(x: Any) -> bool:
    """Whether x is a Tensor.

    Examples
    --------
    >>> import minidl
    >>> minidl.is_tensor(minidl.zeros(2)), minidl.is_tensor([0.0])
    (True, False)
    """
    return isinstance(x, Tensor)


def _wrap(data: Any, origin: Any = None) -> Tensor:
    """A Tensor around an array, without the constructor's checks, as every operation makes one."""
    result = Tensor.__new__(Tensor)
    result._data = data
    result._grad = None
    result._requires_grad = origin is not None
    result.origin = origin
    result.hooks = None
    result.version = [0]
    return result


def _share_memory(x: Tensor, view: Tensor) -> None:
    """Let x and its view share one version, which also holds weak references to its tensors."""
    version = view.version = x.version
    if len(version) == 1:
        version.append(set())  # not a list, in which removing 100,000 rows one by one would take long
    refs = version[1]
    for tensor in (x, view) if not refs else (view,):
        refs.add(weakref.ref(tensor, refs.discard))


def tensor_method(*names: str) -> Callable:
    """Make an operation a method of Tensor, under its own name or under `names` (``"__add__"``)."""

    def attach(operation: Callable) -> Callable:
        for name in names or (operation.__name__,):
            setattr(Tensor, name, operation)
        return operation

    return attach
