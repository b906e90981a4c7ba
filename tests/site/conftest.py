"""The built site, served on the loopback, and one browser for all tests. A missing site or browser is a failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site.browser import Browser, serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def folder() -> Path:
    built = ROOT / "site"
    assert (built / "index.html").is_file(), "there is no site: make site"
    return built


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    with serve(folder) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the pages go, to be looked at."""
    return ROOT / "build" / "site" / "screenshots"
