"""Whole training steps of the same networks, written in each framework the way its users write them.

Every file here but two is run as a script, in a process and maybe an environment of its own, by
:mod:`benchmarks.workers`. Sizes, initial weights and data, the same for all, are in ``networks.py``; how a process is
told what to do is in ``worker.py``. Both need nothing but NumPy.
"""
