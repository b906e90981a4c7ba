"""How fast minidl is beside its peers: ``python -m benchmarks kernels`` and ``python -m benchmarks training``."""
