"""How fast minidl is beside its peers: ``python -m benchmarks training``."""
