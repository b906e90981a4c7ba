"""Modules made of modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minidl.autograd import Tensor
from minidl.nn.module import Module
from minidl.nn.neighbours import call_in_order
from minidl.nn.parameter import Parameter


class _InOrder(Module):
    """The methods of a list, which Sequential and ModuleList share; the modules are named "0", "1", ..."""

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns this one."""
        self.add_module(str(len(self)), _checked(module, "module"))
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; returns this one."""
        if isinstance(modules, Module) and not isinstance(modules, Iterable):
            raise TypeError(f"modules must be a list of Modules, got one {type(modules).__name__}; write [module]")
        for module in list(modules):  # a copy: they may be this container's own
            self.append(module)
        return self

    __iadd__ = extend

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at `index`; returns this one."""
        modules = list(self)
        modules.insert(index, _checked(module, "module"))
        return self._number(modules)

    def pop(self, index: int = -1) -> Module:
        """Take a module out and return it."""
        modules = list(self)
        module = modules.pop(index)
        self._number(modules)
        return module

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._number(modules)

    def _number(self, modules: list[Module]) -> Any:
        self._modules.clear()
        return self.extend(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int) -> Module:
        return list(self._modules.values())[index]

    def __setitem__(self, index: int, module: Module) -> None:
        self._modules[list(self._modules)[index]] = _checked(module, "module")


class Sequential(_InOrder):
    """Modules called one after the other, each on the output of the one before.

    Some neighbours, such as Conv2d, ReLU and MaxPool2d, are computed together, which is faster and needs less memory;
    the result is the same up to rounding. Hooks on them and :func:`minidl.fusion` turn that off.

    Examples
    --------
    >>> from minidl import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=2, bias=True)
    )
    """

    def __init__(self, *modules: Module):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], Mapping) else enumerate(modules)
        for name, module in named:
            self.add_module(str(name), _checked(module, f"Sequential argument {name}"))

    def forward(self, x: Any) -> Any:
        return call_in_order(list(self._modules.values()), x)

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)

    def __add__(self, other: Sequential) -> Sequential:
        """A new Sequential of the modules of both, which are shared, not copied."""
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented


class ModuleList(_InOrder):
    """A list of modules. Unlike in a Python list, their parameters are parameters of the module that has the list.

    Examples
    --------
    >>> from minidl import nn
    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        return ModuleList(list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        """A new list of these modules and `modules`, which are shared, not copied."""
        return ModuleList([*self, *modules])


class _ByName(Module):
    """The methods of a dict, which ModuleDict and ParameterDict share."""

    _table = ""  # the attribute of Module that holds the entries

    def _entries(self) -> dict[str, Any]:
        return getattr(self, self._table)

    def update(self, entries: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add entries, in place of those that have their names."""
        for name, entry in dict(entries).items():
            self[name] = entry

    def pop(self, name: str) -> Any:
        """Take an entry out and return it."""
        return self._entries().pop(name)

    def clear(self) -> None:
        """Take all entries out."""
        self._entries().clear()

    def __delitem__(self, name: str) -> None:
        del self._entries()[name]

    def __getitem__(self, name: str) -> Any:
        return self._entries()[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries()

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def keys(self) -> Iterable[str]:
        return self._entries().keys()

    def values(self) -> Iterable[Any]:
        return self._entries().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._entries().items()


class ModuleDict(_ByName):
    """Modules by name. Unlike in a Python dict, their parameters are parameters of the module that has the dict.

    Examples
    --------
    >>> from minidl import nn
    >>> branches = nn.ModuleDict({"near": nn.Linear(2, 1), "far": nn.Linear(9, 1)})
    >>> list(branches), [name for name, _ in branches.named_parameters()]
    (['near', 'far'], ['near.weight', 'near.bias', 'far.weight', 'far.bias'])
    """

    _table = "_modules"

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()):
        super().__init__()
        self.update(modules)

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, _checked(module, name))


class ParameterList(Module):
    """A list of parameters, which are also those of the module that has it; other tensors become parameters.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> weights = nn.ParameterList([minidl.zeros(2, 3), minidl.zeros(4)])
    >>> len(list(weights.parameters())), weights[1].shape
    (2, (4,))
    """

    def __init__(self, parameters: Iterable[Tensor] = ()):
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Tensor) -> ParameterList:
        """Add a parameter at the end; returns this list."""
        self.register_parameter(str(len(self)), _parameter(parameter))
        return self

    def extend(self, parameters: Iterable[Tensor]) -> ParameterList:
        """Add parameters at the end; returns this list."""
        for parameter in list(parameters):  # a copy: they may be this list's own
            self.append(parameter)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        parameters = list(self)[index]
        return ParameterList(parameters) if isinstance(index, slice) else parameters

    def __setitem__(self, index: int, parameter: Tensor) -> None:
        self._parameters[list(self._parameters)[index]] = _parameter(parameter)


class ParameterDict(_ByName):
    """Parameters by name, which are also those of the module that has them; other tensors become parameters.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> gains = nn.ParameterDict({"left": minidl.ones(2), "right": minidl.zeros(2)})
    >>> list(gains), [name for name, _ in gains.named_parameters()]
    (['left', 'right'], ['left', 'right'])
    """

    _table = "_parameters"

    def __init__(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None):
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def update(self, entries: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
        """Add entries, in place of those that have their names; those of a plain dict in the order of the names.

        So it is in PyTorch, whose optimizers save by the number of a parameter.
        """
        named = isinstance(entries, Mapping) and not isinstance(entries, OrderedDict)
        super().update(sorted(entries.items()) if named else entries)

    def __setitem__(self, name: str, parameter: Tensor) -> None:
        self.register_parameter(name, _parameter(parameter))


def _parameter(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def _checked(module: Any, name: str) -> Module:
    if isinstance(module, Module):
        return module
    got = type(module).__name__
    if isinstance(module, (list, tuple)):
        got += "; of a list of modules write *modules"
    elif isinstance(module, type) and issubclass(module, Module):
        got = f"the class {module.__name__}; write {module.__name__}()"
    raise TypeError(f"{name} must be a Module, got {got}")
