"""Optimizer, the base class: parameter groups, and a state for each parameter."""

from __future__ import annotations

import numbers
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

import numpy as np

from minidl.autograd import Tensor, enable_grad, to_device, zero_gradients
from minidl.kernels import aligned_empty, array_module


class Optimizer:
    """Updates parameters from their gradients, one :meth:`step` at a time.

    A subclass passes the default options to ``__init__`` and defines ``update(group, parameters)``.

    Parameters
    ----------
    params : iterable of Tensors, of pairs (name, Tensor), or of dicts
        Such as ``model.parameters()`` or ``model.named_parameters()``, whose names the group keeps as
        ``"param_names"``; or groups ``{"params": ..., "lr": ...}`` with options of their own.
    defaults : dict
        The options, for groups that do not give their own.

    Attributes
    ----------
    param_groups : list of dict
        ``"params"`` and the options of each group; a schedule changes ``group["lr"]``.
    state : dict
        For each parameter, what the optimizer keeps from step to step: Tensors and numbers by name.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn, optim
    >>> class SignDescent(optim.Optimizer):  # w -= lr * sign(dw)
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, group, parameters):
    ...         for w in parameters:
    ...             w.data[...] -= group["lr"] * w.grad.sign().data
    >>> w = nn.Parameter(minidl.tensor([1.0, -1.0]).data)
    >>> optimizer = SignDescent([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter containing:
    tensor([ 0.9, -0.9], requires_grad=True)
    """

    not_negative: tuple[str, ...] = ("lr",)  # the options that must not be negative
    flags: tuple[str, ...] = ()  # the options that must be True or False

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, (Tensor, dict)) or not isinstance(params, Iterable):
            raise TypeError(
                f"params must be an iterable of Tensors or of dicts, got one {type(params).__name__}; "
                "of a module write model.parameters(), of a tensor [x]"
            )
        groups = list(params)
        if not groups:
            raise ValueError("params is empty, so there is nothing to optimize (a generator can be used only once)")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with options of its own; other entries, such as a name, are kept."""
        group = {**self.defaults, **param_group}
        if "params" not in group:
            raise ValueError(f"a group of parameters must have 'params', got {', '.join(group)}")
        params = group["params"]
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        if group["params"] and all(isinstance(p, tuple) and len(p) == 2 for p in group["params"]):
            group["param_names"], group["params"] = map(list, zip(*group["params"]))
        for name in set(group) - set(self.defaults):
            meant = ["lr"] if name == "learning_rate" else get_close_matches(name, self.defaults, cutoff=0.85)
            if meant:
                raise ValueError(f"{type(self).__name__} has no option {name}; did you mean {meant[0]}?")
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"params must hold Tensors, got {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError("params must hold leaves: a tensor that was computed can't be optimized")
            if id(parameter) in known:
                raise ValueError(f"params must hold each parameter once, got one of shape {parameter.shape} twice")
            parameter.check_writable()
            known.add(id(parameter))
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: dict[str, Any]) -> None:
        """Raise if an option of the group is invalid."""
        for name in self.not_negative:
            if not isinstance(group[name], (numbers.Real, Tensor)):
                raise TypeError(f"{name} must be a number, got {group[name]!r}")
            if not group[name] >= 0:  # written so that NaN fails
                raise ValueError(f"{name} must not be negative, got {group[name]}")
        for name in self.flags:
            if not isinstance(group[name], (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {group[name]!r}")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all gradients to None, or to zeros without `set_to_none`."""
        for group in self.param_groups:
            zero_gradients(group["params"], set_to_none)

    def step(self, closure: Any = None) -> Any:
        """Update every parameter that has a gradient; `closure`, if given, first computes the loss and gradients."""
        loss = None
        if closure is not None:
            if not callable(closure):
                raise TypeError(f"closure must be a function that computes the loss and its gradients, got {closure!r}")
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameters in _alike(group["params"]):
                try:
                    self.update(group, parameters)
                except (TypeError, ValueError):
                    self._check_state(parameters)
                    raise
                for parameter in parameters:
                    parameter.changed()
        return loss

    def update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update `parameters` of a group in place; all have a gradient, and the same dtype and device."""
        raise NotImplementedError(f"{type(self).__name__} must define update(self, group, parameters)")

    def states_of(self, parameters: list[Tensor], *names: str, initial: float = 0.0) -> list[list[Any]]:
        """The arrays in the states of `parameters`, a list for each name; the first time they are made of `initial`."""
        state = self.state
        try:
            return [[state[parameter][name]._data for parameter in parameters] for name in names]
        except KeyError:  # some have no state yet
            for parameter in parameters:
                of_parameter = state.setdefault(parameter, {})
                for name in names:
                    if name not in of_parameter:
                        of_parameter[name] = Tensor(_full_like(parameter.data, initial))
            return self.states_of(parameters, *names)

    def _check_state(self, parameters: list[Tensor]) -> None:
        """Raise if a parameter's dtype, shape or device has changed since its state was made."""
        number = self._numbers()
        for parameter in parameters:
            for name, value in self.state.get(parameter, {}).items():
                kept = Tensor(value) if hasattr(value, "shape") else parameter
                if (kept.dtype, kept.shape, kept.device) != (parameter.dtype, parameter.shape, parameter.device):
                    raise ValueError(
                        f"parameter {number[id(parameter)]} is {parameter.dtype} of shape {parameter.shape} on "
                        f"{parameter.device}, but the optimizer's {name} of it {kept.dtype} of shape {kept.shape} on "
                        f"{kept.device}: convert a model before its first step, or convert the state too, by "
                        "optimizer.load_state_dict(optimizer.state_dict())"
                    )

    def _numbers(self) -> dict[int, int]:
        """0, 1, ... for the parameters of all groups in their order, by the id of each."""
        return {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}

    def next_steps(self, parameters: list[Tensor]) -> list[int]:
        """The number t of the step that is made now, for each parameter: 1 the first time."""
        return [self.state[parameter].get("step", 0) + 1 for parameter in parameters]

    def count_steps(self, parameters: list[Tensor], steps: list[int]) -> None:
        """Keep the numbers of :meth:`next_steps`, once the step is made: one that fails is not counted."""
        for parameter, step in zip(parameters, steps):
            self.state[parameter]["step"] = step

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {number: ...}, "param_groups": [...]}``, where numbers stand for parameters, as in PyTorch."""
        number = self._numbers()
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {
            number[id(parameter)]: {
                key: Tensor(value) if hasattr(value, "shape") else value for key, value in values.items()
            }
            for parameter, values in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, here or of the PyTorch optimizer of the same name."""
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            got = ", ".join(state_dict) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ValueError(f"the state of an optimizer has 'state' and 'param_groups', got {got}")
        saved = state_dict["param_groups"]
        for group in saved:
            absent = set(self.defaults) - set(group) - {"amsgrad"}  # missing in old states of Adam
            if absent:
                raise ValueError(
                    f"the saved groups have no {', '.join(sorted(absent))}: they are not those of {type(self).__name__}"
                )
            if group.get("maximize"):
                raise ValueError(f"{type(self).__name__} has no maximize, which the saved state was made with")
        sizes = [len(group["params"]) for group in saved], [len(group["params"]) for group in self.param_groups]
        if sizes[0] != sizes[1]:
            raise ValueError(f"the saved parameter groups have {sizes[0]} parameters, this optimizer's {sizes[1]}")
        parameters = [p for group in self.param_groups for p in group["params"]]
        numbers = [number for group in saved for number in group["params"]]
        by_number = dict(zip(numbers, parameters))
        alike = type(self).step is Optimizer.step  # with another step, a state may have any shape
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if int(number) not in by_number:
                raise ValueError(f"the saved state is of parameter {number}, which no saved group has")
            parameter, place = by_number[int(number)], f"of parameter {number}"
            state[parameter] = {
                # PyTorch keeps the step number as a tensor
                name: int(value) if name == "step" else _restored(value, parameter, alike, f"{name} {place}")
                for name, value in values.items()
                if value is not None
            }
        self.state = state
        for group, values in zip(self.param_groups, saved):
            kept = {*group, "initial_lr"} - {"params", "param_names"}
            known = {key: value for key, value in values.items() if key in kept}
            group.update({key: tuple(value) if isinstance(value, list) else value for key, value in known.items()})

    def __repr__(self) -> str:
        groups = [
            ", ".join(f"{key}={value}" for key, value in group.items() if key not in ("params", "param_names"))
            + f" ({len(group['params'])} parameters)"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}(" + "; ".join(groups) + ")"


def _alike(parameters: list[Tensor]) -> list[list[Tensor]]:
    """The parameters that have a gradient, in one list for each dtype and device: almost always a single list."""
    lists: dict[Any, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            w, dw = parameter.data, parameter.grad.data
            if dw.shape != w.shape:  # grad had this shape when it was set: data was replaced since
                raise ValueError(f"a grad of shape {dw.shape} does not fit its parameter, of shape {w.shape}")
            lists.setdefault((w.dtype, type(w)), []).append(parameter)
    return list(lists.values())


def arrays_of(parameters: list[Tensor]) -> tuple[list[Any], list[Any]]:
    """(ws, dws): the arrays of the parameters and of their gradients."""
    return [parameter.data for parameter in parameters], [parameter.grad.data for parameter in parameters]


def _full_like(w: Any, value: float) -> Any:
    """An array for the state of w, filled with `value`."""
    if not isinstance(w, np.ndarray):
        return array_module(w).full_like(w, value)
    state = aligned_empty(w.shape, w.dtype)
    state.fill(value)
    return state


def _restored(value: Any, parameter: Tensor, alike: bool, name: str) -> Any:
    """A copy of a saved value: an array as a Tensor on the device of its parameter, floats in the parameter's dtype."""
    if not hasattr(value, "shape"):
        return deepcopy(value)
    array = np.asarray(value)
    if alike and array.shape != parameter.shape:
        raise ValueError(f"the saved {name} has shape {array.shape}, the parameter {parameter.shape}")
    copy = aligned_empty(array.shape, parameter.dtype if array.dtype.kind == "f" else array.dtype)
    copy[...] = array
    return Tensor(to_device(copy, parameter.device))
