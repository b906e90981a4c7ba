"""The counts of the conformance suites, printed at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

_counts: dict[str, Counter] = {}


@pytest.fixture
def conformance() -> dict[str, Counter]:
    """Suite -> how many cases passed, failed, or are not applicable."""
    return _counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for suite, count in _counts.items():
        parts = ", ".join(f"{count[kind]} {kind}" for kind in ("passed", "failed", "not applicable"))
        terminalreporter.line(f"conformance: {suite}: {parts}")
