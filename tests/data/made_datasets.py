"""Datasets made for tests of the DataLoader; here, as a spawned worker imports the file that has its dataset."""

import os
import random
import time

import numpy as np

import minidl
from minidl.data import Dataset, augmentation_generator


class Numbers(Dataset):
    """Sample i is (i, a random number, the process that made it); `fault` is raised at sample 5."""

    def __init__(self, n=20, fault=None, delay=0.0):
        self.n, self.fault, self.delay = n, fault, delay

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        time.sleep(self.delay)
        if index == 5 and self.fault is not None:
            self.fault()
        return np.int64(index), augmentation_generator().random(), os.getpid()


class RandomEverywhere(Dataset):
    """Samples drawn from the streams that programs use without a thought: NumPy's, Python's and minidl's."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return np.random.rand(), random.random(), minidl.rand(1).item()  # noqa: NPY002


def numbers_of(loader):
    return [int(i) for batch in loader for i in batch[0].data]


def wait_for(condition):
    """Whether `condition` holds within two minutes, on a machine that does much else."""
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
