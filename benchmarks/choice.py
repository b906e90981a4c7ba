"""Which cases of a suite are measured: those that the command line names."""

from __future__ import annotations

from collections.abc import Iterable


def chosen(names: Iterable[str], cases: Iterable[str], kind: str) -> list[str]:
    """The cases whose name contains one of `names`, in any case of letters; all for none."""
    found = [case for case in cases if not names or any(part.lower() in case.lower() for part in names)]
    if not found:
        raise ValueError(f"no {kind} is called {', '.join(names)}; there are: {', '.join(cases)}")
    return found
