"""What a worker process of the DataLoader knows of itself, the function that it calls, and generators as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl.data import DataLoader, Dataset, get_worker_info, random_split

from .made_datasets import Numbers, numbers_of


class Told(Dataset):
    """Samples that say what their worker was told."""

    said: list = []

    def __len__(self):
        return 6

    def __getitem__(self, index):
        info = get_worker_info()
        if info is None:
            return np.array([-1, 0, 0, 0])
        assert info.dataset is self and info.seed == minidl.initial_seed()
        return np.array([info.id, info.num_workers, int(self.said == [info.id]), np.random.randint(1000)])  # noqa: NPY002


def tell(number):
    """The recipe of PyTorch's documentation for workers, and a mark that it was called here."""
    np.random.seed(minidl.initial_seed() % 2**32)  # noqa: NPY002
    get_worker_info().dataset.said.append(number)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_knows_of_itself_and_calls_the_function_for_it(start):
    options = {"num_workers": 2, "worker_init_fn": tell, "persistent_workers": True, "prefetch_factor": 1}
    loader = DataLoader(Told(), 1, multiprocessing_context=start, **options)
    epochs = [np.concatenate([batch.numpy() for batch in loader]) for _ in range(2)]
    for epoch in epochs:
        assert epoch[:, :3].tolist() == [[i % 2, 2, 1] for i in range(6)]
    assert (epochs[0][:, 3] != epochs[1][:, 3]).any() and Told.said == []
    assert get_worker_info() is None and all((batch.numpy()[:, 0] == -1).all() for batch in DataLoader(Told(), 3))


class Threads(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return minidl.get_num_threads()


def test_the_kernels_of_a_worker_have_one_thread():
    before = minidl.get_num_threads()
    minidl.set_num_threads(2)
    try:
        assert [x.tolist() for x in DataLoader(Threads(), 1, num_workers=2)] == [[1], [1]]
    finally:
        minidl.set_num_threads(before)


def test_an_error_in_the_function_for_workers_reaches_the_program():
    with pytest.raises(ZeroDivisionError) as raised:
        list(DataLoader(Numbers(), 4, num_workers=2, worker_init_fn=lambda number: number // 0))
    assert "Raised in a worker process" in "".join(raised.value.__notes__)


def test_a_generator_made_as_in_pytorch():
    orders = [
        numbers_of(DataLoader(Numbers(), 4, shuffle=True, generator=minidl.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    parts = [
        [part.indices.tolist() for part in random_split(Numbers(), [15, 5], minidl.Generator().manual_seed(4))]
        for _ in range(2)
    ]
    assert parts[0] == parts[1]
