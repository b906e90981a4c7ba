"""Whole training steps of the same networks, written in each framework the way its users write them.

Every file here is run as a script, in a process and maybe an environment of its own, by :mod:`benchmarks.training`; the
sizes are in ``networks.py``, which imports nothing.
"""
