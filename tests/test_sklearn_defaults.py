"""The default of every argument that minidl and scikit-learn both name is the same."""

import inspect

import pytest

from minidl import cluster, metrics

sk_cluster, sk_metrics = pytest.importorskip("sklearn.cluster"), pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize(("ours", "theirs", "least"), [(metrics, sk_metrics, 20), (cluster, sk_cluster, 10)])
def test_defaults_are_those_of_scikit_learn(ours, theirs, least):
    compared = 0
    for name in (name for name in dir(ours) if callable(getattr(ours, name)) and hasattr(theirs, name)):
        here, there = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
        for argument in here.keys() & there.keys():
            assert here[argument].default == there[argument].default, f"{argument} of {name}"
            compared += here[argument].default is not inspect.Parameter.empty
    assert compared >= least
