"""Module, the base class of all layers and networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minidl.autograd import HookHandle, Tensor, is_grad_enabled, no_grad, zero_gradients
from minidl.nn.backward_hooks import call_with_hooks
from minidl.nn.parameter import Parameter


class LoadResult(NamedTuple):
    """The result of ``load_state_dict``: the keys that were missing, and those that were not expected."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """A network or a part of one.

    A subclass assigns parameters and other modules to attributes in ``__init__``, and defines ``forward``, which runs
    when the module is called.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.output = nn.Linear(8, 2)
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x).relu())
    >>> net = Net()
    >>> net(minidl.tensor([[1.0, 2.0, 3.0, 4.0]])).shape
    (1, 2)
    >>> [name for name, _ in net.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
    """

    training: bool = True

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_buffers", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "_transient", set())  # names of buffers that are not saved
        object.__setattr__(self, "_forward_hooks", {})
        object.__setattr__(self, "_forward_pre_hooks", {})
        object.__setattr__(self, "_backward_hooks", {})

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        try:
            if not (self._forward_pre_hooks or self._forward_hooks or self._backward_hooks):
                return self.forward(*inputs, **options)
            return self._call_with_hooks(inputs, options)
        except AttributeError as error:  # one place for all layers, which costs nothing until a list or None comes
            if inputs and error.obj is inputs[0] and error.name in ("ndim", "shape", "dtype"):
                raise TypeError(
                    f"{type(self).__name__} needs the {error.name} of its input, which must be a Tensor or an array, "
                    f"got {type(error.obj).__name__}"
                ) from error
            raise

    def _call_with_hooks(self, inputs: tuple, options: dict[str, Any]) -> Any:
        for hook in tuple(self._forward_pre_hooks.values()):  # a hook may remove itself
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        if self._backward_hooks and is_grad_enabled():
            hooks = tuple(self._backward_hooks.values())
            return call_with_hooks(self, hooks, lambda inputs: self._hooked_forward(inputs, options), inputs)
        return self._hooked_forward(inputs, options)

    def _hooked_forward(self, inputs: tuple, options: dict[str, Any]) -> Any:
        output = self.forward(*inputs, **options)
        for hook in tuple(self._forward_hooks.values()):
            changed = hook(self, inputs, output)
            if changed is not None:
                output = changed
        return output

    # Attributes: parameters, buffers and modules are kept in tables of their own

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self.__dict__.get("_parameters"), self.__dict__.get("_buffers"), self.__dict__.get("_modules")
        if tables[0] is None:
            if isinstance(value, (Parameter, Module)):
                raise AttributeError(
                    f"call super().__init__() before assigning {name} in {type(self).__name__}.__init__"
                )
            object.__setattr__(self, name, value)
            return
        parameters, buffers, modules = tables
        if isinstance(value, Parameter):
            table = parameters
        elif isinstance(value, Module):
            table = modules
        else:
            table = None
            for kept, kind, expected in (
                (parameters, "a parameter", "an nn.Parameter"),
                (buffers, "a buffer", "a Tensor"),
                (modules, "a module", "a Module"),
            ):
                if name in kept:
                    table = kept
                    if value is not None and not (table is buffers and isinstance(value, Tensor)):
                        raise TypeError(f"{name} is {kind}: assign {expected} or None, got {type(value).__name__}")
        for other in tables:
            if other is not table:
                other.pop(name, None)
        if table is None:
            object.__setattr__(self, name, value)
        else:
            self.__dict__.pop(name, None)
            table[name] = value

    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__
        if "_modules" not in attributes:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, for its __init__ did not call super().__init__()"
            )
        for table in (attributes["_parameters"], attributes["_modules"], attributes["_buffers"]):
            if name in table:
                return table[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters, *self._buffers, *self._modules]

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None for an optional one that is left out (``bias=False``)."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"{name} must be an nn.Parameter or None, got {type(param).__name__}")
        self._check_name(name, self._parameters)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained; saved only if `persistent`."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a Tensor or None, got {type(tensor).__name__}")
        self._check_name(name, self._buffers)
        self._buffers[name] = tensor
        if persistent:
            self._transient.discard(name)
        else:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name, which need not be a Python identifier."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{name} must be a Module or None, got {type(module).__name__}")
        self._check_name(name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, name: str, table: dict[str, Any]) -> None:
        if not name or "." in name:
            raise ValueError(f"a name must be a non-empty string without a dot, got {name!r}")
        if hasattr(self, name) and name not in table:
            raise ValueError(f"{type(self).__name__} has an attribute {name!r} already")

    # What is inside

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module and all in it, with names like ``"features.0"``: each once, or under each of its names."""
        return _walk(self, prefix, set() if remove_duplicate else None)

    def modules(self) -> Iterator[Module]:
        """This module and all modules in it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, each once."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules directly below, each once."""
        return (child for _, child in self.named_children())

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]
        for name, module in modules:
            for key, value in getattr(module, table).items():
                if value is not None and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield (f"{name}.{key}" if name else key), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter, with names like ``"features.0.weight"``: a shared one under its first name, or under all."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer, with its name: a shared one under its first name, or under all."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with that dotted name; ``""`` is this one."""
        module = self
        for name in target.split(".") if target else []:
            child = module._modules.get(name)
            if child is None:
                raise AttributeError(f"{type(module).__name__} has no module {name!r} (looking for {target!r})")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with that dotted name, as in :meth:`named_parameters`."""
        return self._get("_parameters", "parameter", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with that dotted name, as in :meth:`named_buffers`."""
        return self._get("_buffers", "buffer", target)

    def _get(self, table: str, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        value = getattr(module, table).get(name)
        if value is None:
            raise AttributeError(f"{type(module).__name__} has no {kind} {name!r} (looking for {target!r})")
        return value

    # Changing all modules and parameters

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` on every module, children first; returns this module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout drops, batch norm uses the batch) or evaluation mode; returns this module."""
        object.__setattr__(self, "training", bool(mode))
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode; returns this module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Let all parameters be trained, or freeze them; returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all gradients to None, or to zeros without `set_to_none`."""
        zero_gradients(self.parameters(), set_to_none)

    def to(self, *targets: Any, device: str | None = None, dtype: Any = None) -> Module:
        """Move parameters and buffers to a device, and convert floating-point ones to a dtype; returns this module.

        `targets` are those of ``Tensor.to``: ``"cpu"``, ``"cuda"``, a dtype, a Tensor for its device and dtype.
        """
        for tensor in (*self.parameters(), *self.buffers()):
            for part in (tensor, tensor.grad):
                if part is None:
                    continue
                converted = part.detach().to(*targets, device=device, dtype=dtype)
                if not part.is_floating_point():
                    converted = part.detach().to(converted.device)
                elif not converted.is_floating_point():
                    raise TypeError(
                        f"dtype must be a floating-point type for a module's parameters, got {converted.dtype}"
                    )
                if converted.data is not part.data:
                    part.data = converted.data
                    part.changed()
        return self

    def cpu(self) -> Module:
        """``to("cpu")``."""
        return self.to("cpu")

    def cuda(self) -> Module:
        """``to("cuda")``."""
        return self.to("cuda")

    def float(self) -> Module:
        """Convert floating-point parameters and buffers to float32."""
        return self.to(np.float32)

    def double(self) -> Module:
        """Convert floating-point parameters and buffers to float64."""
        return self.to(np.float64)

    # Hooks

    def register_forward_hook(self, hook: Callable[[Module, tuple, Any], Any]) -> HookHandle:
        """Call ``hook(module, inputs, output)`` after every forward; its result, unless None, replaces the output."""
        return HookHandle(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple], Any]) -> HookHandle:
        """Call ``hook(module, inputs)`` before every forward; what it returns, unless None, replaces the inputs."""
        return HookHandle(self._forward_pre_hooks, hook)

    def register_full_backward_hook(self, hook: Callable[[Module, tuple, tuple], Any]) -> HookHandle:
        """Call ``hook(module, grad_input, grad_output)`` in every backward pass through a call of this module.

        Both are tuples of gradients, one for each positional input and one for each output. None stands for an input
        that needs no gradient, or where the loss does not depend on it (PyTorch gives zeros). What the hook returns,
        unless None, replaces `grad_input`; the gradients of parameters stay as they are.

        Examples
        --------
        >>> import minidl
        >>> from minidl import nn
        >>> layer = nn.ReLU()
        >>> handle = layer.register_full_backward_hook(lambda module, dx, dy: print(dx, dy))
        >>> layer(minidl.tensor([-1.0, 2.0], requires_grad=True)).sum().backward()
        (tensor([0., 1.]),) (tensor([1., 1.]),)
        """
        return HookHandle(self._backward_hooks, hook)

    # State

    def state_dict(self, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and persistent buffers by name: detached tensors that share their memory, or they themselves."""
        state: dict[str, Tensor] = {}
        for name, module in self.named_modules(remove_duplicate=False):  # a shared one under each name, as in PyTorch
            saved = {key: value for key, value in module._buffers.items() if key not in module._transient}
            for key, value in (*module._parameters.items(), *saved.items()):
                if value is not None:
                    state[f"{prefix}{name}.{key}" if name else f"{prefix}{key}"] = (
                        value if keep_vars else value.detach()
                    )
        return state

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> LoadResult:
        """Copy the values of `state_dict` (Tensors or arrays) into the parameters and buffers of the same names.

        Raises
        ------
        RuntimeError
            Names every key that is missing, unexpected (with `strict`), or of another shape.
        TypeError
            A value is not real numbers. After either error nothing is changed.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a dict of Tensors or arrays by name, got {type(state_dict).__name__}")
        own = self.state_dict()
        # old files lack this counter, which only a batch norm with momentum=None reads
        missing = [key for key in own if key not in state_dict and not key.endswith("num_batches_tracked")]
        unexpected = [key for key in state_dict if key not in own]
        problems = []
        if strict and missing:
            problems.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected keys: {', '.join(unexpected)}")
        for key in own:
            if key in state_dict and tuple(np.shape(state_dict[key])) != own[key].shape:
                problems.append(
                    f"{key} has shape {tuple(np.shape(state_dict[key]))} in the state, {own[key].shape} in the model"
                )
        if problems:
            raise RuntimeError(f"load_state_dict of {type(self).__name__}: " + "; ".join(problems))
        sources = {key: Tensor(state_dict[key]).detach() for key in own if key in state_dict}
        with no_grad():
            for key, source in sources.items():
                own[key].assign_(source.to(own[key].device))
        return LoadResult(missing, unexpected)

    # repr

    def extra_repr(self) -> str:
        """The text between the parentheses of a layer's ``repr``."""
        return ""

    def __repr__(self) -> str:
        own = self.extra_repr()
        lines = []
        for name, child in self._modules.items():
            lines.append(f"  ({name}): " + repr(child).replace("\n", "\n  "))
        if not lines:
            return f"{type(self).__name__}({own})"
        return "\n".join([f"{type(self).__name__}(", *[f"  {own}"] * bool(own), *lines, ")"])


def _walk(module: Module, name: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
    """`module` and all modules in it, with names, except for those in `seen`."""
    if seen is not None:
        if id(module) in seen:
            return
        seen.add(id(module))
    yield name, module
    for key, child in module._modules.items():
        if child is not None:
            yield from _walk(child, f"{name}.{key}" if name else key, seen)
