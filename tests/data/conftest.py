"""What the tests of the data sets share."""

import pytest


@pytest.fixture
def no_data_elsewhere(monkeypatch, tmp_path):
    """No MINIDL_DATA, and an empty cache folder, whose path is returned."""
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "minidl"
