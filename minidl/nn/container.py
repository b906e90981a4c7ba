"""Modules made of modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minidl.nn.module import Module
from minidl.nn.neighbours import call_in_order


class Sequential(Module):
    """Modules called one after the other, each on what the one before gave.

    Some neighbours, such as Conv2d, ReLU and MaxPool2d, are computed together, which is faster and needs less memory;
    the result is the same. Hooks on them and :func:`minidl.fusion` turn that off.

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

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns this one."""
        self.add_module(str(len(self)), _checked(module, "module"))
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]

    def __setitem__(self, index: int, module: Module) -> None:
        self._modules[list(self._modules)[index]] = _checked(module, "module")


class ModuleList(Module):
    """A list of modules, whose parameters are found; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns this list."""
        self.add_module(str(len(self)), _checked(module, "module"))
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end; returns this list."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self._modules.values())[index]
        return ModuleList(modules) if isinstance(index, slice) else modules

    def __setitem__(self, index: int, module: Module) -> None:
        self._modules[list(self._modules)[index]] = _checked(module, "module")


class ModuleDict(Module):
    """Modules by name, whose parameters are found; it has no forward of its own."""

    def __init__(self, modules: Mapping[str, Module] | None = None):
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, _checked(module, name))

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def keys(self) -> Iterable[str]:
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        return self._modules.items()


def _checked(module: Any, name: str) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{name} must be a Module, got {type(module).__name__}")
    return module
