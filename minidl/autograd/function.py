"""Function: a differentiable operation, with its formula and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from minidl.autograd.arrays import is_array, plain_array
from minidl.autograd.debug import checksums, debug
from minidl.autograd.grad_mode import grad_mode
from minidl.autograd.tensor import Tensor, _share_memory, _wrap, next_number

FLOAT32 = np.dtype(np.float32)
OTHER_FLOATS = np.dtype(np.float64), np.dtype(np.float16)
SMALL = {int, slice, str, type(None)}


class Function:
    """A differentiable operation: called with arrays it only computes, called with a Tensor it is recorded too.

    A subclass defines two methods. ``forward(*arrays)`` returns the output array, or a tuple of them.
    ``backward(dy, inputs, output)`` returns dx for each input, given dy, the gradient of the output. It is written in
    operations that take arrays and Tensors alike, so that one rule serves first derivatives (the engine passes arrays)
    and higher ones (it passes Tensors). Where an input was broadcast, dx may have the broadcast shape; the engine sums
    it, and adds up the gradients of a value that is used several times. With several outputs, `dy` is a tuple, with
    None for an output that was not used.

    Attributes
    ----------
    saves_inputs, saves_output : bool
        Whether ``backward`` reads them. If not, it gets None, and they are not kept.
    saved : Any
        What else ``forward`` keeps for ``backward``: only things without a derivative (indices, masks, shapes). Arrays
        are dropped after ``backward``, so that a second one is an error; of a shape or a number it is none.
    watches_inputs : int
        How many inputs, from the first, ``saved`` holds, such as a mask: changing one in place between forward and
        backward is an error, as it is for all inputs with ``saves_inputs``.
    sets_dtype : bool
        Whether the output keeps the dtype that ``forward`` gave it. Otherwise :func:`not_promoted` corrects it.
    is_view : bool
        Whether the output may share the input's memory, so that an in-place change of one changes the other. Without
        this, an output that does is an error inside ``with minidl.debug():``.

    Examples
    --------
    >>> from minidl.autograd import Function
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return x * x
    ...     def backward(self, dy, inputs, output):
    ...         return 2 * dy * inputs[0]
    >>> import minidl
    >>> x = minidl.tensor(3.0, requires_grad=True)
    >>> Square()(x).backward()
    >>> x.grad
    tensor(6.)
    """

    saves_inputs = True
    saves_output = False
    watches_inputs = 0
    sets_dtype = False
    is_view = False

    saved: Any = None
    number: int = 0  # order of recording; 0 until it is recorded
    freed: bool = False
    hooks: Any = None  # on its outputs, see :mod:`minidl.autograd.hooks`
    sums: Any = None  # in debug mode: checksums of the saved arrays
    computed: Any = None  # in debug mode: the output, for `trace`

    def forward(self, *arrays: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, *arrays)")

    def backward(self, dy: Any, inputs: Any, output: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define backward(self, dy, inputs, output)")

    def needs(self, i: int) -> bool:
        """Whether input `i` needs a gradient; if not, ``backward`` may skip the work and return None for it."""
        return self.edges[i] is not None

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """``cls()(*inputs)``, as programs of PyTorch call an operation; one whose methods take a ctx is an error."""
        if isinstance(vars(cls).get("forward"), staticmethod):
            raise TypeError(
                f"{cls.__name__} has the static methods of PyTorch, forward(ctx, x) and backward(ctx, dy); here write "
                "forward(self, x), of arrays, and backward(self, dy, inputs, output): read x from inputs in place of "
                f"ctx.saved_tensors, keep constants in self, give them to {cls.__name__}(...) and call that with x"
            )
        return cls()(*inputs)

    def __call__(self, *inputs: Any) -> Any:
        if self.number:  # this object is in the graph already, for an earlier call
            again = copy(self)
            again.number, again.freed = 0, False
            again.hooks = again.sums = again.computed = None
            return again(*inputs)
        for x in inputs:
            if isinstance(x, Tensor):
                return self._call_with_tensors(inputs)
        return self.forward(*inputs)

    def _call_with_tensors(self, inputs: tuple) -> Any:
        arrays = []  # what forward gets
        edges = []  # what each input's gradient belongs to (graph.Target), or None
        versions = []  # of the memory of each Tensor that backward reads
        recorded = False
        for x in inputs:
            edge = None
            if isinstance(x, Tensor):
                versions.append(x.version)
                if x._requires_grad:
                    recorded = True
                    edge = x if x.origin is None else x.origin
                x = x._data
            elif isinstance(x, np.generic):
                x = x.item()  # a Python number, which does not promote the dtype of tensors
            elif isinstance(x, np.ndarray) and type(x) is not np.ndarray:
                x = plain_array(x)
            elif type(x) is str:
                raise TypeError(f"{type(self).__name__}: an operand must be a Tensor, an array or a number, got {x!r}")
            arrays.append(x)
            edges.append(edge)
        try:
            output = self.forward(*arrays)
        except (TypeError, ValueError) as error:
            name_operands(error, type(self).__name__, arrays)
            raise
        recorded = recorded and grad_mode.enabled
        if not self.saves_inputs:
            versions = self._watched(inputs) if self.watches_inputs else []
        if type(output) is tuple:
            output = tuple([y if type(y) is np.ndarray else self._as_output(y) for y in output])
            results = tuple([_wrap(y, (self, i) if recorded else None) for i, y in enumerate(output)])
            if self.is_view:
                for result in results:
                    _share_memory(inputs[0], result)
            if recorded:
                self.shape, self.dtype = [y.shape for y in output], [y.dtype for y in output]
                if self.saves_inputs or self.saves_output:
                    versions += [y.version for y in results]
                self._save(arrays, edges, output, versions)
            return results
        if type(output) is not np.ndarray:
            output = self._as_output(output)
        if output.dtype is not FLOAT32:
            output = _real(output) if self.sets_dtype else not_promoted(_real(output), arrays)
        result = _wrap(output, self if recorded else None)
        if self.is_view and isinstance(inputs[0], Tensor) and _is_view(output, arrays[0]):
            _share_memory(inputs[0], result)
        if recorded:
            self.shape, self.dtype = output.shape, output.dtype
            if self.saves_output:
                versions.append(result.version)
            self._save(arrays, edges, output, versions)
        return result

    def _watched(self, inputs: tuple) -> list:
        return [x.version for x in inputs[: self.watches_inputs] if isinstance(x, Tensor)]

    def _as_output(self, y: Any) -> Any:
        """A result of ``forward`` as an array: NumPy gives scalars where no axis is left."""
        if is_array(y):
            return y
        if not isinstance(y, (np.generic, int, float)):
            raise TypeError(
                f"forward of {type(self).__name__} must return an array or a tuple of arrays, got {type(y).__name__}"
            )
        return np.asarray(y)

    def _save(self, arrays: list, edges: list, output: Any, versions: list) -> None:
        self.number = next_number()
        self.edges = edges
        self.inputs = arrays if self.saves_inputs else None
        self.output = output if self.saves_output else None
        self.versions = versions  # of what backward reads
        if debug.active:
            self.sums, self.computed = checksums(self.inputs, self.output), output
            if not self.is_view:
                self._check_apart(arrays, output)

    def _check_apart(self, arrays: list, output: Any) -> None:
        for y in output if type(output) is tuple else (output,):
            if any(is_array(x) and _is_view(y, x) for x in arrays):
                raise RuntimeError(
                    f"forward of {type(self).__name__} returned memory of its input, so a change in place of one would "
                    "change the other unseen; say is_view = True in the class, or return a copy"
                )

    def check_saved(self) -> None:
        """Raise if an array that ``backward`` reads was freed, or changed in place since the operation was recorded."""
        if self.freed:
            raise RuntimeError(
                f"backward goes through {type(self).__name__} a second time, but what it saved was freed the "
                "first time; pass retain_graph=True to the first backward, or compute the output again"
            )
        for version in self.versions:
            if version[0] > self.number:
                raise RuntimeError(
                    f"backward of {type(self).__name__}: one of the tensors that it reads was changed in place since; "
                    "compute the gradient first, or write x = x + y instead of changing x"
                )
        if self.sums is not None and self.sums != checksums(self.inputs, self.output):
            raise RuntimeError(
                f"backward of {type(self).__name__}: an array that it saved was written to since, past the engine "
                "(through .data?)"
            )

    def free(self) -> None:
        """Drop the saved arrays, if there are any; from here on, a second ``backward`` is an error."""
        if self.saves_inputs or self.saves_output or not _is_small(self.saved):
            self.inputs = self.output = self.saved = None
            self.freed = True


def _is_small(saved: Any) -> bool:
    """Whether it is a shape, a number or the like, which needs no freeing: such an operation can be gone back twice."""
    parts = saved if type(saved) is tuple or type(saved) is list else (saved,)
    return SMALL.issuperset(map(type, parts))


def name_operands(error: Exception, operation: str, operands: Sequence[Any]) -> None:
    """Where `error` is NumPy's, of None as an operand or of shapes that do not broadcast: say it with the operation."""
    if "'NoneType'" in str(error) and any(x is None for x in operands):
        error.args = (f"{operation}: an operand must be a Tensor, an array or a number, got None",)
        return
    shapes = [x.shape for x in operands if hasattr(x, "shape")]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        if "could not be broadcast" in str(error):
            error.args = (
                f"{operation}: the shapes {' and '.join(map(str, shapes))} do not broadcast to one; counted from the "
                "last axis, sizes must be equal or 1",
            )


def not_promoted(output: Any, arrays: Sequence[Any]) -> Any:
    """`output` in the dtype of PyTorch's rules, where NumPy's promotion differs.

    float64 and float16 come only from inputs of that dtype: NumPy gives them for an integer array with a Python float,
    or its square root, where PyTorch gives float32. And a 0-d input does not promote an array of the same kind: int32
    with a 0-d int64 stays int32.
    """
    dtype = output.dtype
    if dtype.kind in "iu":
        integers = [x for x in arrays if hasattr(x, "dtype") and x.dtype.kind in "iu"]
        dtypes = {x.dtype for x in integers if x.ndim}
        if dtypes and len(dtypes) < len(integers) and dtype == np.result_type(*[x.dtype for x in integers]):
            return output.astype(np.result_type(*dtypes), copy=False)
    if dtype not in OTHER_FLOATS:
        return output
    for x in arrays:
        if hasattr(x, "dtype") and x.dtype == dtype and x.ndim:
            return output  # the common case
    floats = [x for x in arrays if hasattr(x, "dtype") and x.dtype.kind == "f"]
    dtypes = {x.dtype for x in floats if x.ndim} or {x.dtype for x in floats} or {FLOAT32}
    return output.astype(np.result_type(*dtypes), copy=False)


def _real(output: Any) -> Any:
    """`output`; an error if it is complex, or has more than 64 bits."""
    if output.dtype.kind == "c" or output.dtype.itemsize > 8:
        raise TypeError(f"Tensors hold real numbers of at most 64 bits, this result would be {output.dtype}")
    return output


def _is_view(y: Any, x: Any) -> bool:
    """Whether y is x or shares its memory; comparing `base`, the owner of a view's memory, is enough in most cases."""
    if y.base is None or type(y) is not type(x):
        return y is x
    return y.base is x or y.base is x.base or np.may_share_memory(y, x)
