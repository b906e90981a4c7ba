"""The examples in the docstrings of data and metrics print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import minidl.data
import minidl.metrics

MODULES = [
    module.name
    for package in (minidl.data, minidl.metrics)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) > 40
