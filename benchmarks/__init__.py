"""How fast minidl is, measured beside its peers: ``python -m benchmarks kernels`` and ``python -m benchmarks training``."""
